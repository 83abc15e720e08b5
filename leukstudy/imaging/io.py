"""Image files to arrays: one function that reads every sound file and refuses every unsound one.

Every image of the study comes in through `read_image`, so that one file is the same pixels in every stage.
"""

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".png", ".tif", ".tiff", ".webp")
"""What the name of an image file ends in, in lower case; other files are no images and are passed over."""

MAX_PIXELS = 100_000_000
"""Larger images (a whole slide, or a decompression bomb) are refused from their header, undecoded."""

# The decoders that may run. Pillow knows more (EPS starts Ghostscript), and a file's name proves nothing.
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "GIF", "WEBP", "JPEG2000")
_DEPTH_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_PLAIN = ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "La", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", *_DEPTH_16)
# EXIF orientations that exchange width and height.
_TURNED = (5, 6, 7, 8)
_ORIENTATION = 0x0112

# Pillow warns at 89 million pixels and refuses at 179 million: between the two our own limit speaks.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# A damaged EXIF block leaves the pixels sound; the warning would carry this machine's paths into a notebook.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


class BadImage(ValueError):
    """A file that gives no trustworthy pixels: `path` is the file, `reason` says why, without the path."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(path, reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Header:
    """What a file says of itself before it is decoded; width and height in pixels, as displayed."""

    width: int
    height: int
    mode: str
    format: str


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """Whether the name ends like an image's; the content is not looked at."""
    return Path(path).suffix.lower() in SUFFIXES


def image_header(path: str | os.PathLike[str]) -> Header:
    """Width, height, mode and format from the header alone, in little memory.

    Raises BadImage where the file is missing, empty, of no known format, or larger than MAX_PIXELS.
    """
    with _open(path) as image:
        width, height = image.size
        try:
            orientation = image.getexif().get(_ORIENTATION, 1)
        except Exception:  # a broken EXIF block says nothing of the pixels
            orientation = 1
        if orientation in _TURNED:
            width, height = height, width
        return Header(width, height, image.mode, image.format or "")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """The pixels of an image file: (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    16-bit channels keep their high byte (a fixed scale: no stretching image by image); transparency is laid
    on white, as a smear's bright field; CMYK is converted plainly and colour profiles are not applied.

    Raises BadImage, which names the file and the reason: empty, truncated or corrupt, not an image, more than
    MAX_PIXELS, several frames or pages, or pixels without a fixed scale (32-bit integer, float, CIE Lab).

    >>> rgb = read_image("data/healthy/P001_01.png")  # doctest: +SKIP
    """
    with _open(path) as image:
        if image.mode not in _PLAIN:
            raise BadImage(
                path,
                f"pixels of mode {image.mode!r} have no fixed 8-bit scale; save 8-bit or 16-bit grey or RGB",
            )
        # Cameras append previews to a JPEG (MPO); anywhere else a second frame means another kind of file.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frames > 1:
            raise BadImage(path, f"{frames} frames or pages where one image is expected; save each as a file")
        try:
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image))
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise whatever their parsing stumbles over
            raise BadImage(path, f"truncated or corrupt ({_wording(error)})") from error


def _open(path: str | os.PathLike[str]) -> Image.Image:
    """The undecoded image of a file whose header is sound and whose size is allowed."""
    try:
        if os.path.isfile(path) and os.path.getsize(path) == 0:
            raise BadImage(path, "empty file (0 bytes)")
        image = Image.open(path, formats=_FORMATS)
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        number = re.search(r"\d+", str(error))
        size = f"{int(number[0]):,} pixels" if number else "too many pixels"
        raise BadImage(path, _too_large(size)) from error
    except Image.UnidentifiedImageError as error:
        raise BadImage(path, f"unknown format or broken header ({_beginning(path)})") from error
    except OSError as error:
        raise BadImage(path, f"cannot be opened ({error.strerror or _wording(error)})") from error
    except Exception as error:  # a header that breaks its parser
        raise BadImage(path, f"broken header ({_wording(error)})") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise BadImage(path, _too_large(f"{width} x {height} pixels"))
    return image


def _as_rgb(image: Image.Image) -> np.ndarray:
    if image.mode in _DEPTH_16:
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _too_large(size: str) -> str:
    return f"{size}, more than the {MAX_PIXELS:,} allowed; cut the region of interest out of it"


def _beginning(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return f"it begins with {file.read(12)!r}"


def _wording(error: Exception) -> str:
    """The error's own words, without addresses and paths, so that reasons are the same on every machine."""
    text = re.sub(r"<[^>]*>|'(?:/|[A-Za-z]:)[^']*'", "the file", str(error))
    return text or type(error).__name__
