"""What of a prepared image a model sees: all of it, the white cell alone, or both.

Each view takes (H, W, 3) uint8 RGB, the nuclei (H, W) bool and the labels of `label_cells` (H, W) int32, and gives a new image
as large as the one that it was given. An image without a cell has no masked view and no crop: it is shown whole, and
`quality_nothing_found` says so.
"""

import cv2
import numpy as np

from leukstudy.imaging.quality import main_cell
from leukstudy.imaging.resize import resize

# A crop leaves this part of the cell's longer side free around it.
_MARGIN = 0.1


def whole(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The image as it is."""
    return rgb.copy()


def masked(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What is no white cell painted over with its own median colour: red cells, stain and light of the background are gone."""
    painted, outside = rgb.copy(), labels == 0
    if nuclei.any() and outside.any():
        painted[outside] = np.median(rgb[outside], axis=0).round().astype(np.uint8)
    return painted


def crop(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The main cell's square, scaled to the image's height and width; beyond the image its edge is repeated."""
    if not nuclei.any():
        return rgb.copy()
    cell = labels == main_cell(nuclei, labels)
    rows, columns = np.flatnonzero(cell.any(axis=1)), np.flatnonzero(cell.any(axis=0))
    side = int(np.ceil(max(np.ptp(rows), np.ptp(columns)) + 1) * (1 + 2 * _MARGIN))
    top = (rows[0] + rows[-1] + 1 - side) // 2
    left = (columns[0] + columns[-1] + 1 - side) // 2
    down = np.clip(np.arange(top, top + side), 0, rgb.shape[0] - 1)
    across = np.clip(np.arange(left, left + side), 0, rgb.shape[1] - 1)
    square = np.ascontiguousarray(rgb[np.ix_(down, across)])
    height, width = rgb.shape[:2]
    return resize(square, height) if height == width else _sized(square, height, width)


def side_by_side(rgb: np.ndarray, nuclei: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The image on the left and the crop on the right, each squeezed to half its width."""
    height, width = rgb.shape[:2]
    left = max(1, width // 2)
    halves = [_sized(rgb, height, left)]
    if width > left:
        halves.append(_sized(crop(rgb, nuclei, labels), height, width - left))
    return np.hstack(halves)


def _sized(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    how = cv2.INTER_AREA if rgb.shape[0] > height or rgb.shape[1] > width else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width, height), interpolation=how)
