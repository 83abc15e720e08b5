"""From dye to picture: absorption, light, lens, camera and file.

Light through a stained smear falls off as exp(-sum of dye times absorbance), the Beer-Lambert law, which is
also what colour deconvolution inverts (Ruifrok and Johnston, 2001). Overlapping cells darken each other
as they do under a microscope, because amounts of dye add and colours do not.
"""

import math

import cv2
import numpy as np

from leukstudy.phantom.dyes import ABSORBANCE, DYES, HAEMOGLOBIN, VIOLET
from leukstudy.phantom.noise import noise
from leukstudy.phantom.patients import Laboratory

BACKGROUND = (0.865, 0.845, 0.865)  # light through bare glass, as a share of full scale
HAZE = 0.035  # dye left on bare glass
BLUR_UM = 0.16  # SD of the blur of a sharp image
ABERRATION_UM = 0.05  # by which red and blue lie beside green
COLOUR_FOCUS = (1.06, 0.94, 1.22)  # width of the blur in red, green and blue, against their mean
SHARPENING = 0.3  # median strength of the camera's unsharp mask
_ROWS = 256  # worked on at a time, so that a large field needs no copy of its dyes
NOISE = 0.75 / 255  # SD of the noise at full scale


def stain_matrix(effects: dict[str, float]) -> np.ndarray:
    """Give the absorbance (4, 3) float32 of the dyes in the order of DYES under one image's effects."""
    matrix = np.array(ABSORBANCE) * np.exp([[effects[dye]] for dye in DYES])
    matrix[VIOLET] *= np.exp(np.array([-1.0, 0.0, 1.0]) * effects["violet_hue"])
    matrix[HAEMOGLOBIN] *= np.exp(np.array([1.0, 0.0, -1.0]) * effects["red_hue"])
    return matrix.astype(np.float32)


def photograph(
    dyes: np.ndarray,
    um: float,
    shape: tuple[int, int],
    *,
    effects: dict[str, float],
    laboratory: Laboratory,
    rng: np.random.Generator,
) -> np.ndarray:
    """Photograph dyes (4, h, w) float32, `um` pixels a micrometre, as a picture of `shape` (H, W, 3) uint8 RGB."""
    h, w = dyes.shape[1:]
    picture = np.empty((h, w, 3), np.float32)
    matrix = -stain_matrix(effects).T
    for top in range(0, h, _ROWS):
        rows = slice(top, top + _ROWS)
        picture[rows] = cv2.transform(cv2.merge(list(dyes[:, rows])), matrix)
    haze = -HAZE * math.exp(effects["haze"])
    haze = haze * (1 + 0.35 * noise(rng, (h, w), 3.0 * um) + 0.2 * noise(rng, (h, w), 0.5 * um))
    for colour, share in enumerate((0.7, 1.0, 0.6)):
        picture[:, :, colour] += np.float32(share) * haze
    cv2.exp(picture, picture)
    picture *= _light((h, w), um, effects, laboratory, rng)
    picture = _lens(picture, um, effects, rng)
    picture = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
    return _camera(picture, effects, rng)


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Save a picture (H, W, 3) uint8 RGB as JPEG of a quality from 1 to 100, with halved chroma, and open it again."""
    ok, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise OSError(f"OpenCV could not encode a picture of {picture.shape} as JPEG")
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]


def _light(shape, um, effects, laboratory, rng):
    warm, tint = effects["warmth"], effects["tint"]
    colour = np.array(BACKGROUND) * np.exp(np.array([warm, tint, -warm]) + 0.75 * effects["exposure"])
    # An automatic exposure keeps bare glass below the sensor's limit.
    colour = 0.97 * np.tanh(1.25 / 0.97 * colour) / math.tanh(1.25)
    angle, bow = rng.uniform(0, 2 * math.pi), 0.03 * rng.random()
    down, across = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    slope = math.cos(angle) * across[None, :] + math.sin(angle) * down[:, None]
    uneven = 1 + 0.04 * effects["gradient"] * slope - bow * slope * slope
    for x, y, radius, dark in laboratory.dust:
        # Dust near the sensor stands at one place of every picture, out of focus.
        r, (h, w) = radius * um, shape
        left, top = max(0, int(x * w - 2 * r)), max(0, int(y * h - 2 * r))
        column = np.arange(left, min(w, int(x * w + 2 * r) + 1)) - x * w
        row = np.arange(top, min(h, int(y * h + 2 * r) + 1)) - y * h
        spot = np.exp(-(((column[None, :] ** 2 + row[:, None] ** 2) / r**2) ** 2))
        uneven[top : top + row.size, left : left + column.size] *= 1 - dark * spot
    return cv2.merge([float(c) * uneven for c in colour])


def _lens(picture, um, effects, rng):
    """Blur light, not dye, each colour by its own width, and shift red and blue against green."""
    angle = rng.uniform(0, 2 * math.pi)
    shift = ABERRATION_UM * um * effects["aberration"]
    planes = []
    for plane, width, way in zip(cv2.split(picture), COLOUR_FOCUS, (-1, 0, 1), strict=True):
        sigma = BLUR_UM * math.exp(effects["focus"]) * width * um
        blurred = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        if way:
            move = np.array([[1, 0, way * shift * math.cos(angle)], [0, 1, way * shift * math.sin(angle)]])
            blurred = cv2.warpAffine(
                blurred, move, blurred.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
        planes.append(blurred)
    return cv2.merge(planes)


def _camera(picture, effects, rng):
    toned = cv2.pow(picture.clip(1e-4, 1.2), math.exp(effects["contrast"]))
    # Shot noise grows with the light; demosaicing smears it over neighbours and makes its colours agree.
    grain = cv2.GaussianBlur(rng.standard_normal(picture.shape, dtype=np.float32), (0, 0), 0.55)
    grain = 0.96 * grain + 1.14 * grain.mean(axis=2, keepdims=True)
    level = NOISE * math.exp(effects["noise"])
    noisy = toned + level * np.sqrt(np.maximum(toned, 0.15)) * grain
    noisy += SHARPENING * math.exp(effects["sharpening"]) * (toned - cv2.GaussianBlur(toned, (0, 0), 1.2))
    return np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
