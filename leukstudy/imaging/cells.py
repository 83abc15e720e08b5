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
_LEAST_CONTRAST = 6.0
# More contrast than this is a red cell's or a nucleus'; it is counted as this, so that it moves no threshold.
_MOST_CONTRAST = 40
# Cytoplasm reaches so many nuclear radii from the nucleus; how strong it is, is looked at up to the second number.
_REACH, _SURELY = 1.4, 0.8
# What hangs on a cell by a neck thinner than this many nuclear radii to either side is none of it.
_NECK = 0.35
# Transmission to shade, red against green, and yellow against blue; the background is at (0, 0, 0). Near
# white one unit is about one of CIE Lab, with hue counted 1.5 times, at a tenth of its cost.
_OPPONENT = np.float32([[30, 60, 10, -100], [135, -135, 0, 0], [100, 100, -200, 0]])


def cells_around(rgb: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Nuclei with their cytoplasm: (H, W, 3) uint8 RGB and (H, W) bool to (H, W) bool, never less than the nuclei.

    Cytoplasm is what differs from the background around a nucleus by half as much as the middle of the cytoplasm does,
    within 1.4 nuclear radii and joined to it by more than a neck, less what has the colour of the red cells further
    away. The background is a plane in log transmission, so that light may fall off across the image.
    """
    if not nuclei.any():
        return np.zeros(rgb.shape[:2], dtype=bool)
    light = transmission(cv2.GaussianBlur(on_bright(rgb), (0, 0), 1.0))
    contrast = _contrast(cv2.transform(light, _OPPONENT))
    background = (contrast < _otsu(contrast[~nuclei])) & ~grown(nuclei, 2)
    colour = cv2.transform(_evenly_lit(light, background), _OPPONENT)
    contrast = _contrast(colour)
    cut = _otsu(contrast[~nuclei])
    stuff = (contrast > cut) | nuclei

    radius = nuclear_radius(nuclei)
    distance, radii = _from_nuclei(nuclei)
    red = _red_cells(colour, stuff & ~nuclei, radii)
    if red.any():
        red = cv2.dilate(red.astype(np.uint8), disc(5)) > 0
    near = (radii <= _REACH) & ~red
    # Red cells and the nucleus' own margin contrast so much that the cut went above pale cytoplasm: cut again.
    beside = distance > max(2.0, min(3.0, 0.2 * radius))
    stuff |= contrast > min(cut, _half_height(contrast, nuclei, near, beside, radii))
    stuff &= near | nuclei
    # Shrink, keep what still hangs on a nucleus, grow: a red cell that merely touches stays behind.
    neck = max(1.0, _NECK * radius)
    core = touching(shrunk(stuff, neck), nuclei)
    cells = (grown(core, neck) & stuff) | nuclei
    return without_holes(touching(cells, nuclei))


def _half_height(
    contrast: np.ndarray, nuclei: np.ndarray, near: np.ndarray, beside: np.ndarray, radii: np.ndarray
) -> float:
    """Half the contrast of the cytoplasm: where an edge that was blurred evenly on both sides once was.

    Cytoplasm is at first what passes the lower of Otsu's two thresholds in `near`, nuclei's margins (not `beside`)
    left out, and hangs together with nuclei; its median is taken within _SURELY radii, and once more with the new cut.
    Infinite where too little is left.
    """
    outside = np.minimum(contrast[near & beside], _MOST_CONTRAST)
    if outside.size <= 50:
        return np.inf
    cut = otsu(outside, 3)[0]
    for _ in range(2):
        cytoplasm = touching((near & (contrast > cut)) | nuclei, nuclei) & near & beside & (radii <= _SURELY)
        if np.count_nonzero(cytoplasm) > 30:
            cut = float(np.median(contrast[cytoplasm])) / 2
    return max(cut, _LEAST_CONTRAST)


def _contrast(colour: np.ndarray) -> np.ndarray:
    """How far each pixel of (H, W, 3) lies from the background, (H, W) float32."""
    lightness, red_green, yellow_blue = cv2.split(colour)
    return np.sqrt(lightness * lightness + red_green * red_green + yellow_blue * yellow_blue)


def _otsu(contrast: np.ndarray) -> float:
    """Otsu's threshold of contrasts, large ones counted as _MOST_CONTRAST; half of that where all are alike."""
    values = np.minimum(contrast, _MOST_CONTRAST)
    return otsu(values, 2)[0] if values.size > 1 and np.ptp(values) > 1 else _MOST_CONTRAST / 2


def _evenly_lit(light: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Transmission over the plane that fits the background's logarithm, (H, W, 3) float32.

    Slopes are held back a little (ridge), for backgrounds that lie on one side. An image with less than 5% of
    background is given back as it is.
    """
    height, width = background.shape
    places = np.flatnonzero(background)
    if len(places) < 0.05 * background.size:
        return light
    places = places[:: max(1, len(places) // 2000)]
    down, across = (np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in (height, width))
    terms = np.stack([np.ones(len(places)), down[places // width], across[places % width]], axis=1)
    seen = np.log(np.maximum(light.reshape(-1, 3)[places], 0.05))
    ridge = 0.02 * len(places) * np.diag([0, 1, 1])
    level, slope_down, slope_across = np.linalg.solve(terms.T @ terms + ridge, terms.T @ seen)
    rows = np.exp(level + down[:, None] * slope_down).astype(np.float32)
    columns = np.exp(across[:, None] * slope_across).astype(np.float32)
    return np.minimum(light / (rows[:, None] * columns[None]), 1.1)


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
