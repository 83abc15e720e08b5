"""The default nucleus segmentation: `stained_nuclei`, which knows what a Romanowsky stain does and learns the rest from the image.

Under a Romanowsky stain a nucleus absorbs green most, and less of red and blue: it is dark and violet. Red
cells and eosinophil granules let more red than blue through; blue-grey red cells let no more red than green.
Measured against the bright background of the same image, a yellowish or dim field shifts nothing. This finds
nuclei roughly in any laboratory's images; which mixture of the three channels parts nucleus from cytoplasm
best differs between laboratories, and is then learned from the two in the same image.
"""

import cv2
import numpy as np

from leukstudy.imaging.masks import (
    disc,
    grown,
    nuclear_groups,
    nuclear_radius,
    opened,
    otsu,
    pieces,
    shrunk,
    without_holes,
)

# A nucleus is at least this much darker in green than the background, whatever Otsu says of an empty field.
_LEAST_STAIN = 0.35
# Nuclei smaller than this part of the image (of a field's part as large as _FIELD) are platelets or dirt.
_LEAST_AREA, _FIELD = 0.0015, 320 * 320
# A nucleus with its lobes, and a lobe, are at least these parts of the largest nucleus in the image.
_LEAST_SHARE, _LEAST_LOBE = 0.12, 0.03
# Pixels this dark were cut away by a publisher (cells on black); they are neither background nor nucleus.
_VOID = 8
# What a cell cut out on black once lay on: bright fields are exposed to about this.
_UNSEEN_BACKGROUND = 230
# Noise of transmission below which differences between nucleus and cytoplasm say nothing.
_NOISE = 0.02


def stained_nuclei(rgb: np.ndarray) -> np.ndarray:
    """Violet darkness by three-class Otsu, then Fisher's discriminant between nuclei and what surrounds them.

    Rough: 1 - G + 0.75 (min(R, B) - G) - max(R - B, 0), each channel divided by the background: green
    absorption, favouring magenta (after Tavakoli et al. 2021) and disfavouring red; above the upper of Otsu's
    two thresholds. Mended: the linear mixture of R, G, B that best parts the rough nuclei from their
    surroundings (Fisher 1936), cut halfway between their means. (H, W, 3) uint8 RGB to (H, W) bool.
    """
    light = transmission(cv2.GaussianBlur(on_bright(rgb), (0, 0), 0.7))
    red, green, blue = cv2.split(light)
    magenta = np.minimum(red, blue) - green
    index = (1 - green) + 0.75 * magenta - np.maximum(red - blue, 0)
    index[brightest(rgb) <= _VOID] = 0
    if np.ptp(index) < 0.1:
        return np.zeros(rgb.shape[:2], dtype=bool)
    low, high = otsu(index, 3)
    high = max(high, _LEAST_STAIN)
    rough = index >= high
    nearby = index[(cv2.dilate(rough.astype(np.uint8), disc(7)) > 0) & (index > low)]
    if nearby.size > 50 and np.ptp(nearby) > 0.05:
        rough = index >= max(_LEAST_STAIN, (high + otsu(nearby, 2)[0]) / 2)
    rough = _nuclei_among(rough, magenta)
    if not rough.any():
        return rough
    return _mended(rough, light, index > low / 2, magenta)


def _mended(rough: np.ndarray, light: np.ndarray, stained: np.ndarray, magenta: np.ndarray) -> np.ndarray:
    """The nuclei cut again by Fisher's discriminant between them and the stained pixels around them."""
    region = grown(rough, 0.4 * nuclear_radius(rough) + 1)
    inner, outer = shrunk(rough, 1.0), region & stained & ~grown(rough, 1.5)
    if np.count_nonzero(inner) < 30 or np.count_nonzero(outer) < 30:
        return rough
    inside, outside = (_some(light[mask]) for mask in (inner, outer))
    within = (np.cov(inside.T) + np.cov(outside.T)) / 2 + _NOISE**2 * np.eye(3)
    mixture = np.linalg.solve(within, inside.mean(axis=0) - outside.mean(axis=0))
    size = np.abs(mixture).sum()
    if size == 0:
        return rough
    mixture /= size
    score = cv2.transform(light, mixture[None].astype(np.float32))
    cut = (inside.mean(axis=0) + outside.mean(axis=0)) @ mixture / 2
    return _nuclei_among((score >= cut) & region, magenta)


def _some(sample: np.ndarray, most: int = 20_000) -> np.ndarray:
    """At most about `most` rows, evenly spread, as float64."""
    return sample[:: max(1, len(sample) // most)].astype(float)


def _nuclei_among(mask: np.ndarray, magenta: np.ndarray) -> np.ndarray:
    """The mask smoothed, its small holes filled, without pieces that are too small or not violet.

    Pieces closer than half a radius of the largest are taken together: the lobes of a granulocyte are each
    as small as a platelet.
    """
    mask = opened(mask, 5)
    mask = without_holes(mask, 0.005 * min(mask.size, _FIELD))
    count, labels, areas = pieces(mask)
    if count == 1:
        return mask
    violet = np.bincount(labels[mask], magenta[mask], count) / areas > 0.01
    violet[0] = False
    largest = areas[1:].max()
    number, groups = nuclear_groups(mask)
    together = np.bincount(groups[mask], minlength=number)
    group = np.zeros(count, dtype=int)
    group[labels[mask]] = groups[mask]
    least = max(_LEAST_AREA * min(mask.size, _FIELD), _LEAST_SHARE * together[1:].max())
    # A nucleus that the image cuts off shows but a part of itself.
    cut = np.ones(number)
    cut[np.unique(np.concatenate([groups[0], groups[-1], groups[:, 0], groups[:, -1]]))] = 0.5
    keep = violet & (together[group] >= (least * cut)[group]) & (areas >= _LEAST_LOBE * largest)
    return keep[labels]


def on_bright(rgb: np.ndarray) -> np.ndarray:
    """The image itself, or, where a publisher put its cells on black, the cells on a bright field.

    Black counts as put there where it is a fifth of the image and most of its border.
    """
    void = brightest(rgb) <= _VOID
    border = np.concatenate([void[0], void[-1], void[:, 0], void[:, -1]])
    if void.all() or void.mean() < 0.2 or border.mean() < 0.5:
        return rgb
    lit = rgb.copy()
    # The outermost pixels of the cell are half black.
    lit[cv2.dilate(void.astype(np.uint8), disc(3)) > 0] = _UNSEEN_BACKGROUND
    return lit


def transmission(rgb: np.ndarray) -> np.ndarray:
    """Each channel over the background's (its 90th percentile), (H, W, 3) float32 in [0, 1]."""
    return cv2.LUT(rgb, transmission_table(rgb))


def transmission_table(rgb: np.ndarray) -> np.ndarray:
    """What `transmission` makes of each level of each channel of this image, (1, 256, 3) float32, for cv2.LUT."""
    shown = (brightest(rgb) > _VOID).astype(np.uint8)
    mask = shown if shown.any() else None
    table = np.empty((1, 256, 3), dtype=np.float32)
    for channel in range(3):
        count = np.cumsum(cv2.calcHist([rgb], [channel], mask, [256], [0, 256]))
        background = max(int(np.searchsorted(count, 0.9 * count[-1])), 30)
        table[0, :, channel] = np.minimum(np.arange(256) / background, 1)
    return table


def brightest(rgb: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel, (H, W) uint8."""
    red, green, blue = cv2.split(rgb)
    return np.maximum(np.maximum(red, green), blue)
