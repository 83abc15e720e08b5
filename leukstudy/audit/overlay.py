"""Text, scale bars and frames that a microscope's software has burnt into the pictures, found without being told where.

What is burnt in stands at the same pixels with hard edges; cells do not. So the share of images that have a hard edge
at a pixel, source by source and class by class, is smooth, save for what was burnt in.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from leukstudy.audit.boxes import Box
from leukstudy.imaging.io import BadImage, read_image
from leukstudy.imaging.workers import chunked, each_chunk

SAMPLE, FEWEST = 120, 8
"""Images of a class of a source that are looked at, and the fewest of which anything can be said."""

# A hard edge: so many grey levels, in some channel, from one pixel to the next.
_HARD = 40
# Images larger than this (short side) are shrunk by a whole factor first.
_SIDE = 512
# An overlay's edges stand in this share of the images more than around them, and in five standard errors more; around
# the outline of cells that are all centred, edges are this usual, and more so where a median does not see it.
_EXCESS, _ERRORS, _USUAL = 0.25, 5.0, 0.15
# It has at least so many edge pixels (also as a share of the short side), and spans such a share: fewer are a speck on
# the sensor, or an arc that the outlines of small centred cells have in common.
_LEAST, _EDGE, _SPAN = 16, 0.15, 0.04
# An image has the overlay where it has this share of the overlay's edge pixels.
_MATCH = 0.6
_CHUNK = 32


class Template(NamedTuple):
    """An overlay as one class of one source shows it: its edge pixels, counted from the corner that it keeps to.

    rows, columns are counted inwards from the anchor ('top-left', ...), after shrinking by `factor`; box is in shares
    of the image (of its median size, where sizes differ).
    """

    source: str
    label: str
    anchor: str
    factor: int
    rows: np.ndarray
    columns: np.ndarray
    box: Box


def find_overlays(kept: pd.DataFrame, root: Path, *, workers: int | None = None) -> list[Template]:
    """Look for overlays in a sample of every class of every source; `kept` has the manifest's columns.

    Decodes at most `SAMPLE` images of each, spread over its groups, once for each anchor: one where all have one size,
    else the four corners. Pictures that look alike (equal perceptual hashes) count once, since copies share all
    their edges.
    """
    found = []
    for (source, label), every in kept.groupby(["source", "label"], sort=True):
        rows = _sample(every.drop_duplicates("phash"))
        if len(rows) < FEWEST:
            continue
        height, width = int(rows["height"].min()), int(rows["width"].min())
        one_size = rows["height"].nunique() == rows["width"].nunique() == 1
        anchors = ("top-left",) if one_size else ("top-left", "top-right", "bottom-left", "bottom-right")
        factor = max(1, round(min(height, width) / _SIDE))
        paths = [str(root / path) for path in rows["path"]]
        for anchor in anchors:
            window = (height // factor, width // factor)
            work = partial(_edges, anchor=anchor, window=window, factor=factor)
            parts = [part for part in each_chunk(work, chunked(paths, _CHUNK), workers=workers) if len(part)]
            images = sum(map(len, parts))
            if images < FEWEST:
                continue
            packed = np.concatenate(parts)
            share = sum(_unpack(row, window).astype(np.int64) for row in packed) / images
            size = rows[["height", "width"]].median().to_numpy() / factor
            for pixels in _standing_out(share, images):
                shown = np.stack([_unpack(row, window)[pixels] for row in packed]).astype(bool)
                for variant in _variants(shown):
                    mine = (pixels[0][variant], pixels[1][variant])
                    found.append(Template(source, label, anchor, factor, *mine, _box(mine, anchor, size)))
    return found


def merge(templates: Sequence[Template]) -> list[tuple[Box, list[Template]]]:
    """Templates whose boxes (nearly) touch, together, with the box around them; the largest group first."""
    groups: list[tuple[Box, list[Template]]] = []
    for one in templates:
        box, members = one.box, [one]
        rest = []
        for other, theirs in groups:
            if all(box[k] <= other[k + 2] + 0.03 and other[k] <= box[k + 2] + 0.03 for k in (0, 1)):
                box = Box(*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:]))
                members = theirs + members
            else:
                rest.append((other, theirs))
        groups = [*rest, (box, members)]
    return sorted(groups, key=lambda group: -len(group[1]))


def marks(
    kept: pd.DataFrame,
    root: Path,
    box: Box,
    templates: Sequence[Template],
    *,
    workers: int | None = None,
) -> pd.DataFrame:
    """What every image shows in `box`: match (0-1, share of the best template's edges), red, green, blue, sd.

    Decodes every image of `kept` once more; the rows are in its order. A file that has gone bad gives NaN.
    """
    paths = [str(root / path) for path in kept["path"]]
    work = partial(_look, box=box, templates=list(templates))
    rows = [row for part in each_chunk(work, chunked(paths, _CHUNK), workers=workers) for row in part]
    return pd.DataFrame(rows, columns=["match", "red", "green", "blue", "sd"], index=kept.index)


def has_mark(match: pd.Series) -> pd.Series:
    """Whether an image has the overlay, by its `match` of `marks`."""
    return match >= _MATCH


def corner_mask(box: Box) -> dict[str, str | float] | None:
    """The corner to paint over (`prepare.mask_corner`), with a margin of 5%; None for a box in no corner.

    The margin is for what has soft edges: the pale ground that writing is laid on is wider than the writing.
    """
    left, top, right, bottom = box
    side = "right" if left + right > 1 else "left"
    end = "bottom" if top + bottom > 1 else "top"
    width = min(1.0, np.ceil(100 * (1 - left if side == "right" else right) + 5) / 100)
    height = min(1.0, np.ceil(100 * (1 - top if end == "bottom" else bottom) + 5) / 100)
    if width * height > 0.25:
        return None
    return {"corner": f"{end}-{side}", "width": round(float(width), 2), "height": round(float(height), 2)}


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    """At most `SAMPLE` rows, a like number of each group."""
    rows = rows.sort_values("image_id")
    turn = rows.groupby("group_id").cumcount()
    return rows.iloc[np.argsort(turn.to_numpy(), kind="stable")[:SAMPLE]].sort_values("image_id")


def _hard_edges(
    rgb: np.ndarray, anchor: str, factor: int, window: tuple[int, int] | None = None
) -> np.ndarray:
    """Where an image has hard edges: (h, w) uint8 0 or 1, turned so that the anchor is at its top left."""
    if factor > 1:
        height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
        rgb = cv2.resize(rgb, (max(1, width), max(1, height)), interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(rgb[:: -1 if "bottom" in anchor else 1, :: -1 if "right" in anchor else 1])
    if window is not None:
        rgb = rgb[: window[0], : window[1]]
    edges = np.zeros(rgb.shape[:2], np.uint8)
    edges[:, 1:] = _step(rgb[:, 1:], rgb[:, :-1])
    edges[1:] |= _step(rgb[1:], rgb[:-1])
    return edges


def _step(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two (H, W, 3) differ by a hard edge in some channel: (H, W) bool."""
    red, green, blue = cv2.split(cv2.absdiff(one, other))
    return cv2.max(cv2.max(red, green), blue) >= _HARD


def _edges(paths: list[str], *, anchor: str, window: tuple[int, int], factor: int) -> np.ndarray:
    """The hard edges of the images that can be read and fill the window: (images, bytes) uint8, 8 pixels a byte."""
    rows = []
    for path in paths:
        try:
            edges = _hard_edges(read_image(path), anchor, factor, window)
        except BadImage:
            continue
        if edges.shape == window:
            rows.append(np.packbits(edges))
    return np.array(rows, np.uint8).reshape(len(rows), -1)


def _unpack(row: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    return np.unpackbits(row, count=window[0] * window[1]).reshape(window)


def _variants(shown: np.ndarray) -> list[np.ndarray]:
    """The forms in which an overlay comes (a short bar, a long one, none): which of its pixels belong to each.

    `shown` (images, pixels) bool says which image has an edge where. Each image joins the first form of which it
    shares half, or begins one; forms of a few images are no form. Gives (pixels,) bool, the pixels that half of its
    images show, for each.
    """
    forms: list[list[np.ndarray]] = []
    for row in shown[np.argsort(-shown.sum(axis=1), kind="stable")]:
        for form in forms:
            if (row & form[0]).sum() >= 0.5 * max(1, (row | form[0]).sum()):
                form.append(row)
                break
        else:
            forms.append([row])
    common = [np.mean(form, axis=0) >= 0.5 for form in forms if len(form) >= max(3, 0.05 * len(shown))]
    return [form for form in common if form.sum() >= _LEAST]


def _standing_out(share: np.ndarray, images: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The edge pixels (rows, columns) of each thing that stands at one place in the images of a sample."""
    side = min(share.shape)
    around = cv2.medianBlur(np.round(255 * share).astype(np.uint8), 2 * round(0.08 * side) + 1) / 255
    usual = np.maximum(around, _USUAL)
    needed = np.maximum(_EXCESS, _ERRORS * np.sqrt(usual * (1 - usual) / images))
    standing = (share - around >= np.minimum(needed, 0.9)).astype(np.uint8)
    reach = 2 * max(1, round(0.02 * side)) + 1
    pieces, labels = cv2.connectedComponents(cv2.dilate(standing, np.ones((reach, reach), np.uint8)))
    found = []
    for piece in range(1, pieces):
        rows, columns = np.nonzero((labels == piece) & (standing > 0))
        span = max(np.ptp(rows), np.ptp(columns)) + 1
        if len(rows) >= max(_LEAST, _EDGE * side) and span >= max(4, _SPAN * side):
            found.append((rows, columns))
    return found


def _box(pixels: tuple[np.ndarray, np.ndarray], anchor: str, size: np.ndarray) -> Box:
    """Left, top, right and bottom of edge pixels as shares of an image of `size` (height, width)."""
    top, bottom = (float(value) / size[0] for value in (pixels[0].min(), pixels[0].max() + 1))
    left, right = (float(value) / size[1] for value in (pixels[1].min(), pixels[1].max() + 1))
    if "bottom" in anchor:
        top, bottom = 1 - bottom, 1 - top
    if "right" in anchor:
        left, right = 1 - right, 1 - left
    return Box(max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom))


def _look(
    paths: list[str], *, box: Box, templates: list[Template]
) -> list[tuple[float, float, float, float, float]]:
    rows = []
    for path in paths:
        try:
            rgb = read_image(path)
        except BadImage:
            rows.append((float("nan"),) * 5)
            continue
        views = {(one.anchor, one.factor) for one in templates}
        edges = {view: _hard_edges(rgb, *view) for view in views}
        match = max(_match(edges[one.anchor, one.factor], one) for one in templates)
        height, width = rgb.shape[:2]
        left, top = int(box[0] * width), int(box[1] * height)
        right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
        patch = rgb[top:bottom, left:right].reshape(-1, 3).astype(float)
        rows.append((match, *patch.mean(axis=0).tolist(), float(patch.mean(axis=1).std())))
    return rows


def _match(edges: np.ndarray, template: Template) -> float:
    inside = (template.rows < edges.shape[0]) & (template.columns < edges.shape[1])
    return float(edges[template.rows[inside], template.columns[inside]].sum()) / len(template.rows)
