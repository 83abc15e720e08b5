"""The identity of an image file: its bytes, its pixels, and what it looks like, as hashes."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from leukstudy.imaging.io import BadImage, read_image

FACTS = ("width", "height", "sha256", "phash", "pixels", "error")


def identify(path: Path) -> tuple[int, int, str, str, str, str]:
    """Decode one file and say what it is: the values of `FACTS`, in that order; never raises for a bad file.

    `pixels` is the sha256 of the decoded pixels and their size, equal for the same picture in two formats.
    `error` is '' or the reason why the file cannot be used; then width and height are 0, the hashes of pixels ''.
    """
    digest = ""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rgb = read_image(path)
    except BadImage as error:
        return 0, 0, digest, "", "", error.reason
    except OSError as error:
        return 0, 0, digest, "", "", f"cannot be opened ({error.strerror})"
    height, width = rgb.shape[:2]
    pixels = hashlib.sha256(f"{height}x{width}".encode() + rgb.tobytes()).hexdigest()
    return width, height, digest, perceptual_hash(rgb), pixels, ""


def perceptual_hash(rgb: np.ndarray) -> str:
    """64 bits that change little with scale, compression and brightness, as 16 hex digits.

    The signs of the 8 x 8 lowest frequencies of the discrete cosine transform of a 32 x 32 grey copy, against
    their median ("pHash", Zauner 2010). The first one, the mean brightness, counts as below the median.
    """
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False
    return np.packbits(bits).tobytes().hex()
