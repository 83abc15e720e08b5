"""Nuclei, whole white cells, and single cells in a stained smear: the one door to every segmentation.

>>> rgb = np.full((8, 8, 3), 255, np.uint8)
>>> bool(segment_nuclei(rgb).any()), bool(segment_cells(rgb).any()), int(label_cells(rgb).max())
(False, False, 0)
"""

from collections.abc import Callable

import numpy as np

from leukstudy.imaging import literature
from leukstudy.imaging.cells import cells_around
from leukstudy.imaging.instances import split_cells
from leukstudy.imaging.nuclei import stain

METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "stain": stain,
    "tavakoli": literature.tavakoli,
    "otsu_green3": literature.otsu_green3,
    "otsu_saturation": literature.otsu_saturation,
    "otsu_grey": literature.otsu_grey,
    "kmeans_lab": literature.kmeans_lab,
}
"""Nucleus segmentations by name: (H, W, 3) uint8 RGB to (H, W) bool. The first is the default."""


def segment_nuclei(rgb: np.ndarray, method: str = "stain") -> np.ndarray:
    """The nuclei of white cells: (H, W, 3) uint8 RGB to (H, W) bool.

    `method` is a name in `METHODS`. An image without a nucleus (uniform, black, white, red cells only) gives
    a mask of False; images of any size from 1 x 1 on are taken. Raises ValueError for anything but
    (H, W, 3) uint8, or an unknown method.
    """
    check_rgb(rgb)
    if method not in METHODS:
        raise ValueError(f"unknown segmentation method {method!r}; known are: {', '.join(METHODS)}")
    return METHODS[method](rgb)


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
