"""What is done to every image before a model sees it: mask, resize, light, stain, smooth, equalise, contrast.

The chain of the two papers (paper A: resize, tuned Gaussian, contrast; paper B: 224 x 224, Gaussian,
histogram equalisation), with corrections of light and stain between. All but the resize is off unless asked for.
Scaling to [0, 1] is no part of it: it lives inside the models.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from leukstudy.imaging.resize import resize
from leukstudy.imaging.stain import even_illumination
from leukstudy.study.methods import CORNERS, EQUALISATIONS, STAIN_NORMALISATIONS, method


def base(
    rgb: np.ndarray,
    *,
    size: int,
    mask: Mapping[str, Any] | object | None = None,
    boxes: Sequence[Sequence[float]] = (),
    illumination: bool = False,
) -> np.ndarray:
    """The first half of the chain: corner and boxes masked, resized, light evened; nuclei and cells are sought on this.

    `mask` is None or holds corner, width and height (see `mask_corner`), as keys or as attributes.

    >>> base(np.zeros((90, 120, 3), np.uint8), size=64).shape
    (64, 64, 3)
    """
    if mask is not None:
        get = mask.__getitem__ if isinstance(mask, Mapping) else lambda name: getattr(mask, name)
        rgb = mask_corner(rgb, get("corner"), get("width"), get("height"))
    if len(boxes):
        rgb = mask_boxes(rgb, boxes)
    whole = resize(rgb, size)
    return even_illumination(whole) if illumination else whole


def finish(
    rgb: np.ndarray,
    *,
    gaussian_sigma: float = 0.0,
    equalise: str = "none",
    stain: str = "none",
    contrast: float = 1.0,
    brightness: float = 0.0,
) -> np.ndarray:
    """The second half of the chain: stain normalised, smoothed, equalised, contrast and brightness.

    `stain` and `equalise` are names of `methods.STAIN_NORMALISATIONS` and `methods.EQUALISATIONS`; ValueError for others.
    """
    normalised = method(STAIN_NORMALISATIONS, stain, "stain normalisation")(rgb)
    whole = method(EQUALISATIONS, equalise, "equalisation")(gaussian(normalised, gaussian_sigma))
    return adjust(whole, contrast=contrast, brightness=brightness)


def adjust(rgb: np.ndarray, *, contrast: float = 1.0, brightness: float = 0.0) -> np.ndarray:
    """Contrast about mid-grey, then brightness: 127.5 + contrast (v - 127.5) + 255 brightness, clipped to 0-255.

    `contrast` is in (0, 10], 1 for none; `brightness` in [-1, 1], 0 for none. Raises ValueError beyond.
    """
    if not 0 < contrast <= 10:
        raise ValueError(f"contrast is {contrast}; expected a factor in (0, 10], 1 to leave it as it is")
    if not -1 <= brightness <= 1:
        raise ValueError(f"brightness is {brightness}; expected a fraction of 255 in [-1, 1], 0 to leave it")
    if contrast == 1 and brightness == 0:
        return rgb.copy()
    table = 127.5 + contrast * (np.arange(256) - 127.5) + 255 * brightness
    return cv2.LUT(rgb, np.clip(np.rint(table), 0, 255).astype(np.uint8))


def gaussian(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """Low-pass filter of `sigma` pixels; 0 leaves the image as it is."""
    if sigma < 0:
        raise ValueError(f"gaussian_sigma is {sigma}; expected 0 (off) or a positive number of pixels")
    if sigma == 0:
        return rgb.copy()
    return cv2.GaussianBlur(rgb, (0, 0), sigmaX=sigma, sigmaY=sigma, borderType=cv2.BORDER_REFLECT_101)


def equalise_global(rgb: np.ndarray) -> np.ndarray:
    """Histogram equalisation of Y in YCrCb, as in paper B; hues stay, since a stain's colour is evidence."""
    ycc = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    ycc[:, :, 0] = cv2.equalizeHist(ycc[:, :, 0])
    return cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)


def equalise_clahe(rgb: np.ndarray) -> np.ndarray:
    """Contrast-limited equalisation, in 8 x 8 tiles, of L in CIE Lab with clip limit 2 (Zuiderveld 1994)."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[:, :, 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


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


def mask_boxes(rgb: np.ndarray, boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """Paint boxes over with the median colour of the pixels around each; a copy.

    A box is (left, top, right, bottom) in fractions of the image from its top left, as the audit finds overlays
    (`leukstudy.audit.overlay.merge`). The ring around it is as wide as 5% of the image's shorter side. Raises
    ValueError for a box that is none.
    """
    painted = rgb.copy()
    height, width = rgb.shape[:2]
    ring = max(1, round(0.05 * min(height, width)))
    for box in boxes:
        if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
            raise ValueError(
                f"a box of {tuple(box)}; expected left < right and top < bottom, all fractions in [0, 1]"
            )
        left, top = int(np.floor(box[0] * width)), int(np.floor(box[1] * height))
        right, bottom = int(np.ceil(box[2] * width)), int(np.ceil(box[3] * height))
        around = np.zeros((height, width), dtype=bool)
        around[max(0, top - ring) : bottom + ring, max(0, left - ring) : right + ring] = True
        around[top:bottom, left:right] = False
        source = rgb[around] if around.any() else rgb.reshape(-1, 3)
        painted[top:bottom, left:right] = np.median(source, axis=0).round().astype(np.uint8)
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
