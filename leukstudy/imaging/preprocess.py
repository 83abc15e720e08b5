"""What is done to every image before a model sees it: mask, resize, smooth, equalise.

The chain of the two papers (paper A: resize, tuned Gaussian, contrast; paper B: 224 x 224, Gaussian,
histogram equalisation). Scaling to [0, 1] is no part of it: it lives inside the models.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
EQUALISATIONS = ("none", "global", "clahe")


def prepare(
    rgb: np.ndarray,
    *,
    size: int,
    gaussian_sigma: float = 0.0,
    equalise: str = "none",
    mask_corner: Mapping[str, Any] | object | None = None,
) -> np.ndarray:
    """The image as models get it: corner masked, resized, smoothed, equalised; (size, size, 3) uint8 RGB.

    `mask_corner` is None or holds corner, width and height (see `mask_corner`), as keys or as attributes.

    >>> prepare(np.zeros((90, 120, 3), np.uint8), size=64, gaussian_sigma=0.8).shape
    (64, 64, 3)
    """
    return finish(base(rgb, size=size, mask=mask_corner), gaussian_sigma=gaussian_sigma, equalise=equalise)


def base(rgb: np.ndarray, *, size: int, mask: Mapping[str, Any] | object | None = None) -> np.ndarray:
    """The first half of `prepare`: corner masked and resized, colours untouched; masks are made on this."""
    if mask is not None:
        get = mask.__getitem__ if isinstance(mask, Mapping) else lambda name: getattr(mask, name)
        rgb = mask_corner(rgb, get("corner"), get("width"), get("height"))
    return resize(rgb, size)


def finish(rgb: np.ndarray, *, gaussian_sigma: float = 0.0, equalise: str = "none") -> np.ndarray:
    """The second half of `prepare`: smoothed, then equalised."""
    return equalise_luminance(gaussian(rgb, gaussian_sigma), equalise)


def resize(rgb: np.ndarray, size: int) -> np.ndarray:
    """(H, W, 3) to (size, size, 3) uint8: by area when either side shrinks (no aliasing), else bilinear.

    The whole image is kept, so an oblong one is squeezed, as in both papers.
    """
    if size < 1:
        raise ValueError(f"size is {size}; expected at least 1 pixel")
    height, width = rgb.shape[:2]
    if (height, width) == (size, size):
        return rgb.copy()
    how = cv2.INTER_AREA if max(height, width) > size else cv2.INTER_LINEAR
    return cv2.resize(rgb, (size, size), interpolation=how)


def gaussian(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """Low-pass filter of `sigma` pixels; 0 leaves the image as it is."""
    if sigma < 0:
        raise ValueError(f"gaussian_sigma is {sigma}; expected 0 (off) or a positive number of pixels")
    if sigma == 0:
        return rgb.copy()
    return cv2.GaussianBlur(rgb, (0, 0), sigmaX=sigma, sigmaY=sigma, borderType=cv2.BORDER_REFLECT_101)


def equalise_luminance(rgb: np.ndarray, mode: str) -> np.ndarray:
    """Spread the luminance, and leave the hues: a stain's colour is evidence.

    `none`; `global`: histogram equalisation of Y in YCrCb (paper B); `clahe`: contrast-limited, in 8 x 8
    tiles, of L in CIE Lab with clip limit 2 (Zuiderveld 1994).
    """
    if mode == "none":
        return rgb.copy()
    if mode == "global":
        ycc = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
        ycc[:, :, 0] = cv2.equalizeHist(ycc[:, :, 0])
        return cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)
    if mode == "clahe":
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
        lab[:, :, 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[:, :, 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    raise ValueError(f"equalise is {mode!r}; expected one of {', '.join(EQUALISATIONS)}")


def mask_corner(rgb: np.ndarray, corner: str, width: float, height: float) -> np.ndarray:
    """Paint a corner over with the median colour of the image's border outside it; a copy.

    `width` and `height` are fractions of the image, in (0, 1]. For what a microscope's software burns in
    (scale bars, labels), which models read instead of cells.
    """
    part = corner_slice(rgb.shape, corner, width, height)
    outside = np.ones(rgb.shape[:2], dtype=bool)
    outside[part] = False
    border = np.zeros_like(outside)
    border[[0, -1], :] = border[:, [0, -1]] = True
    source = rgb[border & outside] if (border & outside).any() else rgb.reshape(-1, 3)
    painted = rgb.copy()
    painted[part] = np.median(source, axis=0).round().astype(np.uint8)
    return painted


def corner_slice(shape: tuple[int, ...], corner: str, width: float, height: float) -> tuple[slice, slice]:
    """The rows and columns of a corner whose sides are fractions of the image; at least one pixel."""
    if corner not in CORNERS:
        raise ValueError(f"corner is {corner!r}; expected one of {', '.join(CORNERS)}")
    if not (0 < width <= 1 and 0 < height <= 1):
        raise ValueError(f"a corner of width {width} and height {height}; expected fractions in (0, 1]")
    down, across = max(1, round(shape[0] * height)), max(1, round(shape[1] * width))
    rows = slice(0, down) if corner.startswith("top") else slice(shape[0] - down, shape[0])
    columns = slice(0, across) if corner.endswith("left") else slice(shape[1] - across, shape[1])
    return rows, columns
