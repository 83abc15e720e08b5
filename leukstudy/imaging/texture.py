"""Chromatin and granules: the `texture_` features of the main white cell."""

import cv2
import numpy as np
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from leukstudy.imaging.masks import disc, pieces, shrunk

LEVELS = 16
_GLCM = ("contrast", "homogeneity", "energy", "correlation")
# Uniform patterns of 8 neighbours, by how many are brighter (0-8), and all others (9).
_PATTERNS = 10
# Diameters, in pixels, of the discs that a granulometry opens and closes with.
_GRAINS = (3, 5, 7)


def texture(grey: np.ndarray, nucleus: np.ndarray, cytoplasm: np.ndarray) -> dict[str, float]:
    """Texture of one nucleus and its cytoplasm; (H, W) uint8 grey and two bool masks; names without `texture_`.

    Grey co-occurrence (Haralick et al. 1973) in 16 levels between the nucleus' own 2nd and 98th percentile, so that it
    measures chromatin rather than stain; local binary patterns (Ojala et al. 2002); granulometry (Matheron 1975).
    """
    values = grey[nucleus].astype(np.float32)
    spread = max(float(values.std()), 1.0)
    found = _chromatin(grey, nucleus, values)
    found["nucleus_std"] = values.std()
    found["nucleus_fine"] = np.abs(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F))[nucleus].mean()
    found["cytoplasm_std"] = grey[cytoplasm].astype(np.float32).std() if cytoplasm.any() else 0.0
    found["clumps"] = (values < values.mean() - spread).mean()
    patterns = local_binary_pattern(grey, 8, 1, method="uniform")[nucleus].astype(int)
    share = np.bincount(patterns, minlength=_PATTERNS) / len(patterns)
    found |= {f"lbp_{pattern}": share[pattern] for pattern in range(_PATTERNS)}
    # Outside the nucleus its mean stands, so that neither outline nor cytoplasm counts as grain.
    alone = np.where(nucleus, grey, np.uint8(round(float(values.mean()))))
    for grain in _GRAINS:
        dark = cv2.morphologyEx(alone, cv2.MORPH_BLACKHAT, disc(grain))[nucleus]
        pale = cv2.morphologyEx(alone, cv2.MORPH_TOPHAT, disc(grain))[nucleus]
        found |= {f"dark_grain_{grain}": dark.mean() / spread, f"pale_grain_{grain}": pale.mean() / spread}
    found |= _nucleoli(alone, nucleus, spread) | _granules(grey, cytoplasm)
    return found


def _chromatin(grey: np.ndarray, nucleus: np.ndarray, values: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(values, (2, 98))
    # Level 0 is everything that is no nucleus; pairs with it are dropped from the matrix.
    scaled = np.clip((grey.astype(np.float32) - low) / max(float(high - low), 1.0), 0, 1 - 1e-6)
    levels = np.where(nucleus, 1 + (scaled * LEVELS).astype(np.uint8), 0).astype(np.uint8)
    turns = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    pairs = graycomatrix(levels, [1, 3], turns, levels=LEVELS + 1, symmetric=True)[1:, 1:].astype(float)
    pairs = pairs.sum(axis=3, keepdims=True)
    pairs /= np.maximum(pairs.sum(axis=(0, 1), keepdims=True), 1)
    found = {}
    for name in _GLCM:
        for step, value in zip((1, 3), graycoprops(pairs, name)[:, 0], strict=True):
            found[f"{name}_{step}"] = value
    found["entropy"] = _entropy(pairs[:, :, 0, 0])
    found["chromatin_entropy"] = _entropy(
        np.bincount(levels[nucleus], minlength=LEVELS + 1)[1:] / len(values)
    )
    return found


def _entropy(share: np.ndarray) -> float:
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum() + 0.0)


def _nucleoli(alone: np.ndarray, nucleus: np.ndarray, spread: float) -> dict[str, float]:
    """Pale spots of 1/16 to a half of the nuclear radius, a standard deviation paler than around, off the outline."""
    area = int(nucleus.sum())
    radius = np.sqrt(area / np.pi)
    window = max(3, int(radius * 0.8) | 1)
    # Smoothed by a tenth of the radius, so that a nucleolus is one spot and a grain of chromatin none.
    smooth = cv2.GaussianBlur(alone, (0, 0), max(0.6, 0.06 * radius))
    spots = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, disc(window)) > max(spread, 3.0)
    count, _, areas = pieces(spots & shrunk(nucleus, 0.15 * radius))
    size = np.sqrt(areas / np.pi) / radius
    real = (size >= 1 / 16) & (size <= 0.5) & (areas >= 3)
    real[0] = False
    return {
        "nucleoli": float(real.sum()),
        "nucleoli_share": float(areas[real].sum()) / area if count > 1 else 0.0,
    }


def _granules(grey: np.ndarray, cytoplasm: np.ndarray) -> dict[str, float]:
    if not cytoplasm.any():
        return {"granules": 0.0, "granule_share": 0.0}
    # Nucleus and background take the cytoplasm's mean, lest their edges count.
    alone = np.where(cytoplasm, grey, np.uint8(round(float(grey[cytoplasm].mean()))))
    hat = cv2.morphologyEx(alone, cv2.MORPH_BLACKHAT, disc(5))[cytoplasm]
    return {"granules": float(hat.mean()), "granule_share": float((hat > 10).mean())}
