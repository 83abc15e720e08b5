"""What of a prepared image a model sees: all of it, the white cell alone, or both."""

import cv2
import numpy as np

from leukstudy.imaging.preprocess import resize
from leukstudy.imaging.quality import main_cell

VIEWS = ("image", "masked", "cell", "side_by_side")
# A crop leaves this part of the cell's longer side free around it.
_MARGIN = 0.1


def view(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    """One view of an image, as large as the image: (H, W, 3) uint8 RGB.

    `nuclei` (H, W) bool and `labels` (H, W) int32, of `label_cells`, say where white cells are.
    `image`: the image. `masked`: what is no white cell painted over with the median colour of what is none, so
    that red cells, stain and light of the background are gone. `cell`: a square crop around the main cell, as
    large as the image again. `side_by_side`: the image on the left and the crop on the right, each squeezed to
    half its width. An image without a cell has no masked view and no crop: it is shown whole, and
    `quality_nothing_found` says so. Raises ValueError for another name.
    """
    if name not in VIEWS:
        raise ValueError(f"view is {name!r}; expected one of {', '.join(VIEWS)}")
    if name == "image" or (not nuclei.any() and name != "side_by_side"):
        return rgb.copy()
    if name == "masked":
        return _masked(rgb, labels > 0)
    crop = _crop(rgb, nuclei, labels)
    if name == "cell":
        return crop
    height, width = rgb.shape[:2]
    left = max(1, width // 2)
    halves = [_sized(rgb, height, left)]
    if width > left:
        halves.append(_sized(crop, height, width - left))
    return np.hstack(halves)


def _masked(rgb: np.ndarray, cells: np.ndarray) -> np.ndarray:
    if cells.all():
        return rgb.copy()
    painted = rgb.copy()
    painted[~cells] = np.median(rgb[~cells], axis=0).round().astype(np.uint8)
    return painted


def _crop(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The main cell's square, scaled to the image's height and width; beyond the image its edge is repeated."""
    if not nuclei.any():
        return rgb.copy()
    mine = labels == main_cell(nuclei, labels)
    rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
    side = int(np.ceil(max(np.ptp(rows), np.ptp(columns)) + 1) * (1 + 2 * _MARGIN))
    top = (rows[0] + rows[-1] + 1 - side) // 2
    left = (columns[0] + columns[-1] + 1 - side) // 2
    down = np.clip(np.arange(top, top + side), 0, rgb.shape[0] - 1)
    across = np.clip(np.arange(left, left + side), 0, rgb.shape[1] - 1)
    square = np.ascontiguousarray(rgb[np.ix_(down, across)])
    height, width = rgb.shape[:2]
    return resize(square, height) if height == width else _sized(square, height, width)


def _sized(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    how = cv2.INTER_AREA if rgb.shape[0] > height or rgb.shape[1] > width else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width, height), interpolation=how)
