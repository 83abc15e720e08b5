"""From dye to picture: absorption, light, lens and camera.

Light through a stained smear falls off as exp(-sum of dye times absorbance), the Beer-Lambert law, which is
also what colour deconvolution inverts (Ruifrok and Johnston, 2001). Overlapping cells darken each other
as they do under a microscope, because amounts of dye add and colours do not.
"""

import math

import cv2
import numpy as np

from leukstudy.data.phantom.dyes import ABSORBANCE, DYES, HAEMOGLOBIN, VIOLET
from leukstudy.data.phantom.texture import noise

BACKGROUND = (0.865, 0.845, 0.865)  # light through bare glass, as a share of full scale
HAZE = 0.035  # dye left on bare glass
BLUR_PX = 0.58  # SD of the blur of a sharp image, pixels of the final image at 96 pixels a side
NOISE = 0.9 / 255  # SD of the noise at full scale


def stain_matrix(effects: dict[str, float]) -> np.ndarray:
    """Give the absorbance (4, 3) float32 of the dyes in the order of DYES under one image's effects."""
    matrix = np.array(ABSORBANCE) * np.exp([[effects[dye]] for dye in DYES])
    matrix[VIOLET] *= np.exp(np.array([-1.0, 0.0, 1.0]) * effects["violet_hue"])
    matrix[HAEMOGLOBIN] *= np.exp(np.array([1.0, 0.0, -1.0]) * effects["red_hue"])
    return matrix.astype(np.float32)


def photograph(
    dyes: np.ndarray, effects: dict[str, float], size: int, rng: np.random.Generator
) -> np.ndarray:
    """Photograph dyes (4, n, n) float32, n a multiple of size, as a picture (size, size, 3) uint8 RGB."""
    n = dyes.shape[1]
    density = cv2.transform(cv2.merge(list(dyes)), stain_matrix(effects).T)
    haze = HAZE * math.exp(effects["haze"]) * (1 + 0.5 * noise(rng, n, n / 12))
    density += cv2.merge([0.7 * haze, haze, 0.6 * haze])
    picture = cv2.exp(-density) * _light(n, effects, rng)
    # Blur acts on light, not on dye.
    sigma = BLUR_PX * math.exp(effects["focus"]) * n / 96
    picture = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return _camera(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), effects, rng)


def _light(n: int, effects: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    warm, tint = effects["warmth"], effects["tint"]
    colour = np.array(BACKGROUND) * np.exp(np.array([warm, tint, -warm]) + 0.75 * effects["exposure"])
    # An automatic exposure keeps bare glass below the sensor's limit.
    colour = 0.97 * np.tanh(1.25 / 0.97 * colour) / math.tanh(1.25)
    angle, bow = rng.uniform(0, 2 * math.pi), 0.03 * rng.random()
    axis = np.linspace(-1, 1, n, dtype=np.float32)
    slope = math.cos(angle) * axis[None, :] + math.sin(angle) * axis[:, None]
    uneven = 1 + 0.04 * effects["gradient"] * slope - bow * slope * slope
    return cv2.merge([float(c) * uneven for c in colour])


def _camera(picture: np.ndarray, effects: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    size = picture.shape[0]
    toned = cv2.pow(picture.clip(1e-4, 1.2), math.exp(effects["contrast"]))
    # Shot noise grows with the light; demosaicing smears it over neighbours and makes its colours agree.
    grain = cv2.GaussianBlur(rng.standard_normal((size, size, 3), dtype=np.float32), (0, 0), 0.55)
    grain = 0.96 * grain + 1.14 * grain.mean(axis=2, keepdims=True)
    level = NOISE * math.exp(effects["noise"])
    noisy = toned + level * np.sqrt(np.maximum(toned, 0.15)) * grain
    return np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
