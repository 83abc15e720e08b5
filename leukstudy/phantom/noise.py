"""Random textures: smooth noise of a chosen grain, and the chromatin patterns made from it."""

import math
from typing import Literal

import cv2
import numpy as np

Chromatin = Literal["fine", "condensing", "clumped", "blocks"]


def noise(rng: np.random.Generator, shape: int | tuple[int, int], grain: float) -> np.ndarray:
    """Give a smooth Gaussian random field, (h, w) or (n, n) float32, mean about 0 and SD about 1.

    `grain` is the standard deviation, in pixels, of the blur that makes it, about a third of the size of
    a spot. Coarse fields are made on a coarse grid and enlarged, so that cost does not grow with grain.
    """
    h, w = (shape, shape) if isinstance(shape, int) else shape
    step = max(1.0, grain / 1.5)
    small = max(4, math.ceil(h / step)), max(4, math.ceil(w / step))
    sigma = grain * small[0] / h
    white = rng.standard_normal(small, dtype=np.float32)
    if sigma >= 0.3:
        white = cv2.GaussianBlur(white, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        # White noise of unit variance blurred by a Gaussian of SD s has the variance 1 / (4 pi s^2).
        white *= 2.0 * math.sqrt(math.pi) * max(sigma, 0.3)
    return white if small == (h, w) else cv2.resize(white, (w, h), interpolation=cv2.INTER_CUBIC)


def chromatin(rng: np.random.Generator, n: int, um: float, kind: Chromatin, contrast: float) -> np.ndarray:
    """Give the relative density of nuclear dye, (n, n) float32 about a mean of 1.

    `um` is pixels a micrometre. The kinds are the haematologist's words: `fine` (blasts: a fine, even
    net), `condensing` (maturing cells: irregular strands), `clumped` (mature granulocytes and lymphocytes:
    smudgy dark masses), `blocks` (CLL: dark blocks parted by pale cracks, the soccer ball).
    """
    fine = noise(rng, n, 0.17 * um)
    if kind == "fine":
        pattern = 0.75 * fine + 0.45 * noise(rng, n, 0.42 * um)
    elif kind == "condensing":
        pattern = 0.35 * fine + np.tanh(1.3 * noise(rng, n, 0.36 * um))
    elif kind == "clumped":
        pattern = 0.25 * fine + 1.15 * np.tanh(1.5 * noise(rng, n, 0.55 * um))
    elif kind == "blocks":
        # Smooth the blocks once more: cracks are pale zones between masses, not lines.
        cracks = cv2.GaussianBlur(np.abs(noise(rng, n, 0.6 * um)), (0, 0), 0.28 * um)
        pattern = 0.25 * fine + 1.5 * np.tanh(2.0 * (cracks - 0.62))
    else:
        raise ValueError(f"chromatin kind {kind!r} is unknown; expected fine, condensing, clumped or blocks")
    return np.clip(1.0 + contrast * pattern, 0.25, 1.9).astype(np.float32)


def stipple(rng: np.random.Generator, inside: np.ndarray, count: int, radius: float) -> np.ndarray:
    """Give `count` soft round granules of about `radius` pixels where `inside` (n, n) > 0.5, (n, n) float32.

    Returns zeros where `inside` is empty: a granule has nowhere to lie.
    """
    spots = np.zeros(inside.shape, np.float32)
    where = np.flatnonzero(inside.ravel() > 0.5)
    if where.size == 0 or count <= 0:
        return spots
    at = where[(rng.random(count) * where.size).astype(np.int64)]
    np.add.at(spots.ravel(), at, rng.uniform(0.55, 1.25, count).astype(np.float32))
    # The peak of a blurred unit impulse is 1 / (2 pi s^2): scale back so that a granule peaks at about 1.
    sigma = max(0.5, radius / 1.4)
    return cv2.GaussianBlur(spots, (0, 0), sigma) * np.float32(2 * math.pi * sigma**2)
