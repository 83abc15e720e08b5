"""Nuclei, whole white cells, and single cells in a stained smear: the one door to every segmentation.

>>> rgb = np.full((8, 8, 3), 255, np.uint8)
>>> bool(segment_nuclei(rgb).any()), bool(segment_cells(rgb).any()), int(label_cells(rgb).max())
(False, False, 0)
"""

import numpy as np

from leukstudy.imaging.cells import cells_around
from leukstudy.imaging.instances import split_cells
from leukstudy.study import methods


def segment_nuclei(rgb: np.ndarray, method: str = "stain") -> np.ndarray:
    """The nuclei of white cells: (H, W, 3) uint8 RGB to (H, W) bool.

    `method` is a name in `methods.SEGMENTATIONS`. An image without a nucleus (uniform, black, white, red cells only) gives
    a mask of False; images of any size from 1 x 1 on are taken. Raises ValueError for anything but
    (H, W, 3) uint8, or an unknown method.
    """
    check_rgb(rgb)
    return methods.method(methods.SEGMENTATIONS, method, "segmentation method")(rgb)


def segment_cells(rgb: np.ndarray, nuclei: np.ndarray | None = None, method: str = "stain") -> np.ndarray:
    """White cells, nucleus and cytoplasm: (H, W, 3) uint8 RGB to (H, W) bool, never less than the nuclei.

    `nuclei`, (H, W) bool, saves segmenting them again (with `method`). Without a nucleus there is no cell.
    Raises ValueError for what is no image, or for nuclei of another shape.
    """
    return cells_around(rgb, _nuclei(rgb, nuclei, method))


def label_cells(
    rgb: np.ndarray,
    nuclei: np.ndarray | None = None,
    cells: np.ndarray | None = None,
    method: str = "stain",
) -> np.ndarray:
    """The single white cells: (H, W, 3) uint8 RGB to (H, W) int32, 0 outside, 1 to n in reading order.

    Cells that touch are parted where their outline has a waist; the lobes of one granulocyte stay one cell.
    Together the cells are `segment_cells`. Raises as it does.
    """
    nuclei = _nuclei(rgb, nuclei, method)
    if cells is None:
        cells = cells_around(rgb, nuclei)
    elif cells.shape != nuclei.shape or cells.dtype != np.bool_:
        raise ValueError(
            f"cells of shape {cells.shape} and dtype {cells.dtype}; expected {nuclei.shape} bool"
        )
    return split_cells(nuclei, cells)


def check_rgb(rgb: np.ndarray) -> None:
    """Raise ValueError for anything but an (H, W, 3) uint8 array with a pixel in it."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ValueError(f"an array of shape {rgb.shape} and dtype {rgb.dtype}; expected (H, W, 3) uint8 RGB")


def _nuclei(rgb: np.ndarray, nuclei: np.ndarray | None, method: str) -> np.ndarray:
    """The nuclei given, checked, or else found."""
    if nuclei is None:
        return segment_nuclei(rgb, method)
    check_rgb(rgb)
    if nuclei.shape != rgb.shape[:2] or nuclei.dtype != np.bool_:
        raise ValueError(
            f"nuclei of shape {nuclei.shape} and dtype {nuclei.dtype}; expected {rgb.shape[:2]} bool"
        )
    return nuclei
