"""One size for images: by area when shrinking (no aliasing), bilinear when enlarging."""

import cv2
import numpy as np


def resize(rgb: np.ndarray, size: int) -> np.ndarray:
    """(H, W, 3) to (size, size, 3), same dtype, a new array.

    The whole image is kept, so an oblong one is squeezed, as in both papers. Raises ValueError for a size below 1.
    """
    if size < 1:
        raise ValueError(f"size is {size}; expected at least 1 pixel")
    height, width = rgb.shape[:2]
    if (height, width) == (size, size):
        return rgb.copy()
    method = cv2.INTER_AREA if max(height, width) > size else cv2.INTER_LINEAR
    return cv2.resize(rgb, (size, size), interpolation=method)


def resize_all(images: np.ndarray, size: int) -> np.ndarray:
    """(N, H, W, 3) uint8 to (N, size, size, 3) uint8, contiguous; images of that size are not copied."""
    if images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    out = np.empty((len(images), size, size, 3), np.uint8)
    for target, image in zip(out, images, strict=True):
        target[:] = resize(np.ascontiguousarray(image), size)
    return out
