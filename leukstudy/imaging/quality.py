"""Which segmentations are not to be trusted: flags of an image, so that failures are counted and never silently used."""

import cv2
import numpy as np

from leukstudy.imaging.dictionary import QUALITY
from leukstudy.imaging.masks import pieces

# A nucleus and a cell that fill more than this of the image are the background, or a crop within a cell.
_ALL_NUCLEUS, _ALL_CELL = 0.8, 0.95
# A nucleus that shares this part of its outline with the image's border is cut off.
_CUT = 0.05
# A whole cell is the main one, though one that is cut off weighs more, from this share of that one's weight on.
_COMPARABLE = 0.5
# More separate nuclear pieces in one cell than any granulocyte has lobes.
_MOST_PIECES = 8
# Nucleus and what surrounds it differ by less than this (grey levels): the outline is drawn on noise.
_LEAST_CONTRAST = 10


def judge(rgb: np.ndarray, nuclei: np.ndarray, cells: np.ndarray) -> dict[str, float]:
    """Flags of a segmentation, one float a name of `QUALITY`.

    `nuclei` is (H, W) bool; `cells` is (H, W) bool, or the int32 labels of `label_cells`, which count touching
    cells one by one. The main cell is that of `main_cell`.

    >>> judge(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), bool), np.zeros((9, 9), bool))["quality_failed"]
    1.0
    """
    flags = dict.fromkeys(QUALITY, 0.0)
    if not nuclei.any():
        return flags | {"quality_nothing_found": 1.0, "quality_failed": 1.0}
    labels = cell_labels(nuclei, cells)
    main = main_cell(nuclei, labels)
    nucleus = nuclei & (labels == main)
    everything = nuclei.mean() > _ALL_NUCLEUS or (labels > 0).mean() > _ALL_CELL
    flags |= {
        "quality_everything_found": float(everything),
        "quality_touches_border": float(_on_border(nuclei, labels)[main] > _CUT),
        "quality_fragmented": float(pieces(nucleus)[0] - 1 > _MOST_PIECES),
        "quality_low_contrast": float(_contrast(rgb, nucleus) < _LEAST_CONTRAST),
    }
    failed = any(flags.values())
    return flags | {"quality_cells": float(len(np.unique(labels[nuclei]))), "quality_failed": float(failed)}


def cell_labels(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Labels of cells: those given, or the connected pieces of a mask and the nuclei, (H, W) int32."""
    if cells.dtype != np.bool_:
        return cells
    return cv2.connectedComponents((cells | nuclei).astype(np.uint8))[1]


def main_cell(nuclei: np.ndarray, labels: np.ndarray) -> int:
    """The label of the cell with most nucleus, where nucleus counts half as much at the corners as at the centre.

    In a field the largest cell is often one that the image cuts off, and says nothing of its size: a cell whose nucleus
    is whole is taken instead, where one weighs at least half as much. A crop whose only large nucleus is cut keeps
    it, and is flagged.
    """
    height, width = labels.shape
    rows, columns = np.nonzero(nuclei)
    away = np.hypot((rows + 0.5) / height - 0.5, (columns + 0.5) / width - 0.5) / np.hypot(0.5, 0.5)
    weight = np.bincount(labels[rows, columns], 1 - 0.5 * away, labels.max() + 1)
    weight[0] = -1
    whole = np.where(_on_border(nuclei, labels) > _CUT, -1, weight)
    best = whole if whole.max() >= _COMPARABLE * weight.max() else weight
    return int(np.argmax(best))


def _on_border(nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The part of each cell's nuclear outline that lies on the image's border, (labels + 1,) float64."""
    own = np.where(nuclei, labels, 0).astype(np.float32)  # exact up to 16 million cells
    square = np.ones((3, 3), np.uint8)
    edge = (cv2.erode(own, square) != own) | (cv2.dilate(own, square) != own)
    count = labels.max() + 1
    inner = np.bincount(labels[edge & nuclei], minlength=count)
    frame = np.concatenate([own[0], own[-1], own[:, 0], own[:, -1]]).astype(int)
    border = np.bincount(frame, minlength=count)
    return border / np.maximum(border + inner, 1)


def _contrast(rgb: np.ndarray, nucleus: np.ndarray) -> float:
    """How much darker (mean grey) a nucleus is than the five pixels around it; infinite where there are none."""
    top, bottom, left, right = _box(nucleus, 6)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    inside = nucleus[top:bottom, left:right]
    around = (cv2.dilate(inside.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0) & ~inside
    return float(grey[around].mean()) - float(grey[inside].mean()) if around.any() else np.inf


def _box(mask: np.ndarray, margin: int) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a mask, with a margin, within the image."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        max(rows[0] - margin, 0),
        rows[-1] + 1 + margin,
        max(columns[0] - margin, 0),
        columns[-1] + 1 + margin,
    )
