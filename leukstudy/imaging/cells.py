"""Whole white cells around given nuclei: what differs from the background and is no red cell."""

import cv2
import numpy as np

from leukstudy.imaging.masks import (
    disc,
    grown,
    nuclear_groups,
    nuclear_radius,
    opened,
    otsu,
    shrunk,
    touching,
    without_holes,
)
from leukstudy.imaging.nuclei import on_bright, transmission

# Less than this differs from the background by noise or by a shadow only (units of _OPPONENT).
_LEAST_CONTRAST = 8.0
# Transmission to shade, red against green, and yellow against blue; the background is at (0, 0, 0). Near
# white one unit is about one of CIE Lab, with hue counted 1.5 times, at a tenth of its cost.
_OPPONENT = np.float32([[30, 60, 10, -100], [135, -135, 0, 0], [100, 100, -200, 0]])


def cells_around(rgb: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Nuclei with their cytoplasm: (H, W, 3) uint8 RGB and (H, W) bool to (H, W) bool, never less than the nuclei.

    Cytoplasm is what differs from the background around a nucleus, within 1.4 nuclear radii and joined to it
    by more than a neck, less what has the colour of the red cells further away.
    """
    if not nuclei.any():
        return np.zeros(rgb.shape[:2], dtype=bool)
    colour = cv2.transform(transmission(cv2.GaussianBlur(on_bright(rgb), (0, 0), 1.0)), _OPPONENT)
    lightness, red_green, yellow_blue = cv2.split(colour)
    contrast = np.sqrt(lightness * lightness + red_green * red_green + yellow_blue * yellow_blue)
    outside = np.minimum(contrast[~nuclei], 40)
    cut = otsu(outside, 2)[0] if outside.size > 1 and np.ptp(outside) > 1 else 20.0
    stuff = (contrast > cut) | nuclei

    radius = nuclear_radius(nuclei)
    distance, radii = _from_nuclei(nuclei)
    near = radii <= 1.4
    red = _red_cells(colour, stuff & ~nuclei, radii)
    if red.any():
        # Red cells contrast so much that the cut went above pale cytoplasm: cut again, nearby, without them.
        red = cv2.dilate(red.astype(np.uint8), disc(5)) > 0
        outside = np.minimum(contrast[near & (distance > 3) & ~red], 40)
        if outside.size > 50:
            stuff |= contrast > min(cut, max(_LEAST_CONTRAST, otsu(outside, 2)[0]))
    stuff &= near & (~red | nuclei)
    # Shrink, keep what still hangs on a nucleus, grow: a red cell that merely touches stays behind.
    neck = max(1.0, 0.3 * radius)
    core = touching(shrunk(stuff, neck), nuclei)
    cells = (grown(core, neck) & stuff) | nuclei
    return without_holes(touching(cells, nuclei))


def _from_nuclei(nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance from the nearest nucleus, in pixels, and in radii of that nucleus with its lobes."""
    distance, nearest = cv2.distanceTransformWithLabels((~nuclei).astype(np.uint8), cv2.DIST_L2, 5)
    count, groups = nuclear_groups(nuclei)
    radius = np.sqrt(np.bincount(groups[nuclei], minlength=count) / np.pi)
    # What the image cuts off, or is no nucleus at all, is taken for half as large as the others at least.
    radius = np.maximum(radius, 0.7 * np.median(radius[1:]))
    owner = np.zeros(nearest.max() + 1)
    owner[nearest[nuclei]] = radius[groups[nuclei]]
    return distance, (distance / owner[nearest]).astype(np.float32)


def _red_cells(colour: np.ndarray, stuff: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Stuff near nuclei that belongs to red cells; `distance` from the nearest nucleus is in nuclear radii.

    Their colour is learned from what lies beyond 1.7 radii, where that is more than 5% of the image. Patches
    of that colour count as red cells where they reach so far or lie mostly off the nucleus.
    """
    far = distance > 1.7
    if (stuff & far).mean() <= 0.05:
        return np.zeros(stuff.shape, dtype=bool)
    sample = colour[stuff & far]
    sample = sample[:: max(1, len(sample) // 4000)]
    typical = np.median(sample, axis=0)
    spread = 1.48 * np.median(np.abs(sample - typical), axis=0) + (2, 1.5, 1.5)
    alike = cv2.inRange(colour, typical - 2.5 * spread, typical + 2.5 * spread) > 0
    patches = opened(alike & stuff, 5).astype(np.uint8)
    count, labels = cv2.connectedComponents(patches, connectivity=4)
    inside = patches > 0
    sizes = np.maximum(np.bincount(labels[inside], minlength=count), 1)
    red = np.bincount(labels[inside], distance[inside], count) / sizes > 0.6
    red[np.unique(labels[far])] = True
    red[0] = False
    return red[labels]
