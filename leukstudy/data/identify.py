"""What a file says of itself: its hashes, and the measurements of the audit, from a single decode.

Every image file of the study passes through `identify` once. What the audit and the search for copies need later
is taken here, while the pixels are at hand: a row of numbers, however large the image is.
"""

import hashlib
import os
import sys
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from leukstudy.data.measure import MEASURES, grey_content, measure
from leukstudy.imaging.io import BadImage, read_image
from leukstudy.imaging.workers import chunked, each_chunk

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FACTS", "MEASURES", "identify", "identify_all", "perceptual_hash"]

FACTS = ("width", "height", "sha256", "phash", "pixels", "error")
"""What the catalogue asks of a file; `MEASURES` is what the audit asks."""

_TEXT = ("sha256", "phash", "pixels", "error", "format", "camera")
_WHOLE = ("width", "height", "bytes")
# Files a worker takes at a time.
_CHUNK = 32
# EXIF: make, model, software.
_CAMERA = (0x010F, 0x0110, 0x0131)


def identify_all(paths: Iterable[str | os.PathLike[str]], workers: int | None = None) -> "pd.DataFrame":
    """`identify` of many files: one row a path, in order, with the columns of `FACTS` and `MEASURES`.

    `workers` (default: one a core) share the work; the table does not depend on their number. Bad files are rows
    with an `error`, never exceptions. Besides the table, memory holds one image a worker.
    """
    import pandas as pd  # noqa: PLC0415 - worker processes import this module, and do without

    names = [*FACTS, *MEASURES]
    # Arrays, not lists: a list of numbers takes four times the memory, which counts at a hundred thousand images.
    columns = {name: [] if name in _TEXT else array("q" if name in _WHOLE else "d") for name in names}
    for rows in each_chunk(_identify_chunk, chunked(map(os.fspath, paths), _CHUNK), workers=workers):
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            columns[name].extend(map(sys.intern, values) if name in _TEXT else values)
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype="str") if name in _TEXT else np.asarray(values)
            for name, values in columns.items()
        }
    )


def _identify_chunk(paths: list[str]) -> list[tuple]:
    return [tuple(identify(path).values()) for path in paths]


def identify(path: str | os.PathLike[str]) -> dict[str, int | float | str]:
    """Decode one file and say what it is: a value for each of `FACTS` and `MEASURES`; never raises for a bad file.

    `pixels` is the sha256 of the decoded pixels and their size, equal for the same picture in two formats.
    `error` is '' or the reason why the file cannot be used; then width and height are 0, what is measured of
    pixels NaN, and the hashes of pixels ''.
    """
    facts: dict[str, int | float | str] = dict.fromkeys([*FACTS, *MEASURES], float("nan"))
    facts |= dict.fromkeys(_TEXT, "") | dict.fromkeys(_WHOLE, 0)
    try:
        with open(path, "rb") as file:
            facts["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            facts["bytes"] = file.tell()
        rgb = read_image(path)
    except BadImage as error:
        return facts | {"error": error.reason}
    except OSError as error:
        return facts | {"error": f"cannot be opened ({error.strerror})"}
    height, width = rgb.shape[:2]
    pixels = hashlib.sha256(f"{height}x{width}".encode())
    pixels.update(np.ascontiguousarray(rgb))
    facts |= {"width": width, "height": height, "pixels": pixels.hexdigest(), "phash": perceptual_hash(rgb)}
    return facts | _origin(path) | measure(rgb)


def perceptual_hash(rgb: np.ndarray) -> str:
    """64 bits that change little with scale, compression and brightness, as 16 hex digits.

    The signs of the 8 x 8 lowest frequencies of the discrete cosine transform of a 32 x 32 grey copy (after
    "pHash", Zauner 2010); from the left, bit 8 v + u belongs to frequency v down and u across, and the first, the
    mean, is 0. Signs, not comparisons with the median as in pHash: a mirrored picture then has the same bits,
    those of odd frequencies negated, and a transposed one the transposed bits, so that turned and flipped copies
    are found from the hash alone (`data.audit.hash_index`).
    """
    grey = cv2.resize(grey_content(rgb), (32, 32), interpolation=cv2.INTER_AREA)
    # Coefficients of a flat picture are rounding errors around 0, and their signs mean nothing.
    bits = cv2.dct(grey.astype(np.float32))[:8, :8].ravel() > 0.01
    bits[0] = False
    return np.packbits(bits).tobytes().hex()


def _origin(path: str | os.PathLike[str]) -> dict[str, str]:
    """Format and camera, from the header alone."""
    with Image.open(path) as image:
        # Pillow decodes a whole PNG to look for an EXIF block after the pixels: take what stands before them.
        named = image.format != "PNG" or "exif" in image.info
        try:
            exif = image.getexif() if named else {}
            words = [str(exif.get(tag, "")).replace("\0", " ") for tag in _CAMERA]
        except Exception:  # a broken EXIF block says nothing of the pixels
            words = []
        camera = " ".join(" ".join(words).split())
        # A JPEG to which a camera has appended previews is called MPO, and is a JPEG.
        return {"format": {"MPO": "JPEG"}.get(image.format or "", image.format or ""), "camera": camera}
