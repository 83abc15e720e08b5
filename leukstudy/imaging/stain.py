"""Stain and light: how much of each dye a pixel holds, and images brought to one stain and one light.

Romanowsky stains are azure B and eosin Y. By the Beer-Lambert law their optical densities add up, so two dyes can be told
apart in three channels (Ruifrok and Johnston 2001). Every normalisation aims at a fixed reference, not at another image
of the study, so that an image's pixels never depend on its neighbours. All take and give (H, W, 3) uint8 RGB; black that a
publisher put around a cell stays black and is not measured.
"""

import cv2
import numpy as np

from leukstudy.imaging.nuclei import brightest, on_bright, transmission_table

# Optical densities of methylene blue (an azure) and eosin, unit length: the "Giemsa" vectors of Landini's implementation
# of Ruifrok and Johnston (2001).
AZURE_EOSIN = np.float32([[0.834750, 0.513556, 0.196330], [0.092789, 0.954111, 0.283111]])
# CIE Lab mean and standard deviation that `reinhard` brings an image to: medians over version 1 of the phantom (seed 2026).
REFERENCE_LAB = np.float32([[73.8, 13.8, -7.4], [17.1, 12.1, 15.5]])
# Directions of nuclear violet and of eosin, and the 99th percentiles of their densities, that `macenko` brings an image to:
# medians of what it finds in version 1 of the phantom (seed 2026). (An azure alone is blue; with eosin it stains nuclei violet.)
REFERENCE_STAINS = np.float32([[0.577, 0.813, 0.078], [0.099, 0.719, 0.688]])
REFERENCE_DENSITY = np.float32([1.46, 0.75])
# Light below this share of the background's cannot be told from none.
_DARKEST = 0.02
_VOID = 8


def optical_density(rgb: np.ndarray) -> np.ndarray:
    """-ln of the light let through, against the image's own background: (H, W, 3) uint8 to (H, W, 3) float32, >= 0."""
    return cv2.LUT(rgb, density_table(rgb))


def density_table(rgb: np.ndarray) -> np.ndarray:
    """The optical density of each level of each channel of this image, (1, 256, 3) float32, for cv2.LUT on a part of it."""
    return -np.log(np.maximum(transmission_table(on_bright(rgb)), _DARKEST))


def grey_world(rgb: np.ndarray) -> np.ndarray:
    """Channels scaled to one mean (Buchsbaum 1980), which is that of all three before."""
    shown = brightest(rgb) > _VOID
    if not shown.any():
        return rgb.copy()
    means = rgb[shown].mean(axis=0)
    table = np.arange(256)[:, None] * (means.mean() / np.maximum(means, 1))
    return _looked_up(rgb, table)


def reinhard(rgb: np.ndarray) -> np.ndarray:
    """Mean and spread of colour brought to `REFERENCE_LAB` (Reinhard et al. 2001, in CIE Lab).

    An image of one colour has no spread to scale; only its mean is moved.
    """
    shown = brightest(rgb) > _VOID
    if not shown.any():
        return rgb.copy()
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mean, spread = lab[shown].mean(axis=0), lab[shown].std(axis=0)
    gain = np.where(spread > 0.5, REFERENCE_LAB[1] / np.maximum(spread, 0.5), 1).astype(np.float32)
    moved = (lab - mean) * gain + REFERENCE_LAB[0]
    result = _whole(cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB) * 255)
    result[~shown] = rgb[~shown]
    return result


def macenko(rgb: np.ndarray) -> np.ndarray:
    """The image's own two stains replaced by `REFERENCE_STAINS` at `REFERENCE_DENSITY` (Macenko et al. 2009).

    An image in which `own_stains` finds no two stains is given back as it is.
    """
    density = optical_density(rgb)
    shown = brightest(rgb) > _VOID
    own = own_stains(density[shown])
    if own is None:
        return rgb.copy()
    dyes = np.maximum(cv2.transform(density, unmixing(own)), 0)
    strongest = np.percentile(dyes[shown].reshape(-1, 2), 99, axis=0)
    dyes = dyes * (REFERENCE_DENSITY / np.maximum(strongest, 0.05)).astype(np.float32)
    target = np.ascontiguousarray(REFERENCE_STAINS.T)
    result = _whole(255 * np.exp(-cv2.transform(dyes.astype(np.float32), target)))
    result[~shown] = rgb[~shown]
    return result


def own_stains(density: np.ndarray) -> np.ndarray | None:
    """Nuclear violet and eosin of an image, from the optical densities of its pixels (N, 3): (2, 3) float32, unit length.

    The 1st and 99th percentile of angle in the plane of the two main axes of density, over pixels of density 0.15 or more
    (Macenko et al. 2009); the violet is the one that lets more blue through. None where fewer than 100 pixels are stained,
    or all alike.
    """
    stained = density[density.max(axis=1) >= 0.15].astype(float)
    if len(stained) < 100:
        return None
    stained = stained[:: max(1, len(stained) // 50_000)]
    plane = np.linalg.eigh(np.cov(stained.T))[1][:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    flat = stained @ plane
    ends = np.percentile(np.arctan2(flat[:, 1], flat[:, 0]), (1, 99))
    if np.ptp(ends) < 0.02:
        return None
    own = np.abs(np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane.T)
    own = own / np.linalg.norm(own, axis=1, keepdims=True)
    return own[np.argsort(own[:, 2], kind="stable")].astype(np.float32)


def even_illumination(rgb: np.ndarray) -> np.ndarray:
    """Uneven light divided out: the background becomes as bright everywhere as it is on the whole.

    A surface of second degree is fitted to each channel of the background (on a grid of 64 x 64 points at most), cells left
    out step by step: what is more than 8% off the surface is no background (polynomial shading correction, as in Russ, The
    Image Processing Handbook). An image in which less than a tenth is background is given back as it is.
    """
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (min(width, 64), min(height, 64)), interpolation=cv2.INTER_AREA).astype(float)
    terms = _surface(*small.shape[:2])
    flat = small.reshape(-1, 3)
    background = flat.min(axis=1) >= np.percentile(flat.min(axis=1), 40)
    background &= flat.max(axis=1) > _VOID
    for _ in range(6):
        if background.mean() < 0.1 or background.sum() < 20:
            return rgb.copy()
        fit = np.linalg.lstsq(terms[background], flat[background], rcond=None)[0]
        light = np.maximum(terms @ fit, 1)
        background = (np.abs(flat / light - 1) < 0.08).all(axis=1)
    light = cv2.resize(
        light.reshape(small.shape).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return _whole(rgb * np.clip(np.median(light, axis=(0, 1)) / np.maximum(light, 1), 0.5, 2))


def _surface(height: int, width: int) -> np.ndarray:
    """The terms 1, x, y, x2, xy, y2 at each point of a grid from -1 to 1, (height * width, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).reshape(-1, 6)


def unmixing(stains: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix that gives the amounts of two dyes, with what is square to both taken out."""
    rest = np.cross(stains[0], stains[1])
    whole = np.stack([*stains, rest / max(float(np.linalg.norm(rest)), 1e-6)])
    return np.ascontiguousarray(np.linalg.pinv(whole.T)[:2].astype(np.float32))


def _looked_up(rgb: np.ndarray, table: np.ndarray) -> np.ndarray:
    return cv2.LUT(rgb, _whole(table)[None])


def _whole(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
