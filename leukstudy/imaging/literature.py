"""Nucleus segmentations of papers and textbooks, as the default's yardsticks; each takes a (H, W, 3) uint8 RGB image.

None knows anything of cells but colour: platelets, dirt and red cells that share the nuclei's colour stay in.
"""

import cv2
import numpy as np

from leukstudy.imaging.masks import otsu, pieces, without_holes


def otsu_grey(rgb: np.ndarray) -> np.ndarray:
    """Paper A's threshold on the grey histogram (Otsu 1979), taking the dark side, not the bright one."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if grey.min() == grey.max():
        return np.zeros(grey.shape, dtype=bool)
    return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1] > 0


def otsu_green3(rgb: np.ndarray) -> np.ndarray:
    """The darkest of three Otsu classes (Liao et al. 2001) of the green channel, which nuclei absorb most."""
    green = rgb[:, :, 1].astype(np.float32)
    if np.ptp(green) < 2:
        return np.zeros(green.shape, dtype=bool)
    return _tidy(green <= otsu(green, 3)[0])


def otsu_saturation(rgb: np.ndarray) -> np.ndarray:
    """The upper of three Otsu classes of HSV saturation: white is background, pale red cells, vivid nuclei."""
    saturation = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[:, :, 1].astype(np.float32)
    if np.ptp(saturation) < 2:
        return np.zeros(saturation.shape, dtype=bool)
    return _tidy(saturation >= otsu(saturation, 3)[1])


def kmeans_lab(rgb: np.ndarray) -> np.ndarray:
    """The darkest of three clusters of colours in CIE Lab (k-means; Lloyd 1982), the same each time.

    Clusters start at the 5th, 50th and 95th percentile of lightness and are moved until they rest, on at most
    5,000 pixels evenly spread.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    sample = lab.reshape(-1, 3)[:: max(1, lab[:, :, 0].size // 5_000)].astype(float)
    if np.ptp(sample, axis=0).max() < 1:
        return np.zeros(rgb.shape[:2], dtype=bool)
    order = np.argsort(sample[:, 0], kind="stable")
    centres = sample[order[[int(part * (len(order) - 1)) for part in (0.05, 0.5, 0.95)]]]
    for _ in range(50):
        nearest = ((sample[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        moved = np.array(
            [sample[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k] for k in range(3)]
        )
        if np.abs(moved - centres).max() < 0.01:
            break
        centres = moved
    away = [((lab - np.float32(centre)) ** 2).sum(axis=2) for centre in centres]
    dark = int(np.argmin(centres[:, 0]))
    return _tidy(np.argmin(away, axis=0) == dark)


def tavakoli(rgb: np.ndarray) -> np.ndarray:
    """Tavakoli et al. 2021 (Scientific Reports 11:19428): grey-world, then Otsu on min(magenta, saturation) - key.

    M and K are those of CMYK, S that of HLS, each in 0-255; the last step cuts min(M, S) less what K exceeds M.
    """
    means = rgb.reshape(-1, 3).mean(axis=0)
    gain = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).mean() / np.maximum(means, 1)
    balanced = np.clip(rgb * gain, 0, 255).astype(np.uint8)
    light = balanced.max(axis=2).astype(np.float32)
    magenta = 255 * (light - balanced[:, :, 1]) / np.maximum(light, 1)
    key = 255 - light
    saturation = 255 * cv2.cvtColor(balanced.astype(np.float32) / 255, cv2.COLOR_RGB2HLS)[:, :, 2]
    soft = np.minimum(magenta, saturation) - np.maximum(key - magenta, 0)
    soft = np.maximum(soft, 0)
    if np.ptp(soft) < 2:
        return np.zeros(soft.shape, dtype=bool)
    return _tidy(soft >= otsu(soft, 2)[0])


def _tidy(mask: np.ndarray) -> np.ndarray:
    """Without specks (3 x 3 opening), holes, and pieces below 0.4% of the image or of a 640 x 480 part of it."""
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    mask = without_holes(mask)
    _, labels, areas = pieces(mask)
    keep = areas >= 0.004 * min(mask.size, 640 * 480)
    keep[0] = False
    return keep[labels]
