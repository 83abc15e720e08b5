"""Nuclei and whole white cells in a stained smear, as masks: a first robust method, without training.

Under a Romanowsky stain a nucleus absorbs green most, and less of red and blue: it is dark and violet. Red
cells and eosinophil granules let more red than blue through; blue-grey red cells let no more red than green.
The default method measures this against the bright background of the same image, so that a yellowish or
dim field shifts nothing, and cuts it by Otsu's thresholds.
"""

from collections.abc import Callable

import cv2
import numpy as np

# A nucleus is at least this much darker in green than the background, whatever Otsu says of an empty field.
_LEAST_STAIN = 0.35
# Less than this differs from the background by noise or by a shadow only (units of _OPPONENT).
_LEAST_CONTRAST = 8.0
# What is smaller, in parts of the image or of its largest nucleus, is a platelet, a granule or dirt.
_LEAST_AREA, _LEAST_SHARE = 0.0015, 0.08
_BINS = 128


def segment_nuclei(rgb: np.ndarray, method: str = "stain") -> np.ndarray:
    """The nuclei of white cells: (H, W, 3) uint8 RGB to (H, W) bool.

    `method` is a name in `METHODS`. An image without a nucleus (uniform, black, white, red cells only) gives
    a mask of False; images of any size from 1 x 1 on are taken. Raises ValueError for anything but
    (H, W, 3) uint8, or an unknown method.

    >>> segment_nuclei(np.full((8, 8, 3), 255, np.uint8)).any()
    np.False_
    """
    _check(rgb)
    if method not in METHODS:
        raise ValueError(f"unknown segmentation method {method!r}; known are: {', '.join(METHODS)}")
    return METHODS[method](rgb)


def segment_cells(rgb: np.ndarray, nuclei: np.ndarray | None = None, method: str = "stain") -> np.ndarray:
    """White cells, nucleus and cytoplasm: (H, W, 3) uint8 RGB to (H, W) bool, never less than the nuclei.

    Cytoplasm is what differs from the background around a nucleus, within 1.4 nuclear radii and joined to it
    by more than a neck, less what has the colour of the red cells further away. `nuclei` saves segmenting
    them again. Without a nucleus there is no cell.
    """
    _check(rgb)
    nuclei = segment_nuclei(rgb, method) if nuclei is None else nuclei
    if not nuclei.any():
        return np.zeros(rgb.shape[:2], dtype=bool)
    colour = cv2.transform(_normalised(cv2.GaussianBlur(rgb, (0, 0), 1.0)), _OPPONENT)
    contrast = np.sqrt(np.einsum("hwc,hwc->hw", colour, colour))
    outside = np.minimum(contrast[~nuclei], 60)
    cut = _otsu(outside, 2)[0] if outside.size > 1 and np.ptp(outside) > 1 else 20.0
    stuff = (contrast > cut) | nuclei

    distance = cv2.distanceTransform((~nuclei).astype(np.uint8), cv2.DIST_L2, 5)
    radius = _nuclear_radius(nuclei)
    near = distance <= 1.4 * radius
    red = _red_cells(colour, stuff & ~nuclei, distance / radius)
    if red.any():
        # Red cells contrast so much that the cut went above pale cytoplasm: cut again, nearby, without them.
        red = _morph(red, cv2.MORPH_DILATE, _disc(5))
        outside = np.minimum(contrast[near & (distance > 3) & ~red], 40)
        if outside.size > 50:
            stuff |= contrast > min(cut, max(_LEAST_CONTRAST, _otsu(outside, 2)[0]))
    stuff &= near & (~red | nuclei)
    # Erode, keep what still hangs on a nucleus, dilate: a red cell that merely touches stays behind.
    disc = _disc(max(3, int(0.6 * radius) | 1))
    core = _touching(_morph(stuff, cv2.MORPH_ERODE, disc), nuclei)
    cells = (_morph(core, cv2.MORPH_DILATE, disc) & stuff) | nuclei
    return _without_holes(_touching(cells, nuclei))


def stain(rgb: np.ndarray) -> np.ndarray:
    """The default: three-class Otsu on violet darkness against the image's own background.

    The index is 1 - G + 0.75 (min(R, B) - G) - max(R - B, 0), each channel divided by the background: green
    absorption, favouring magenta (after Tavakoli et al. 2021) and disfavouring red. The upper of Otsu's two
    thresholds finds nuclei roughly; a second Otsu between nucleus and surroundings, near them, mends it.
    """
    red, green, blue = cv2.split(_normalised(cv2.GaussianBlur(rgb, (0, 0), 0.7)))
    magenta = np.minimum(red, blue) - green
    index = (1 - green) + 0.75 * magenta - np.maximum(red - blue, 0)
    index[_brightest(rgb) <= _VOID] = 0
    if np.ptp(index) < 0.1:
        return np.zeros(rgb.shape[:2], dtype=bool)
    low, high = _otsu(index, 3)
    high = max(high, _LEAST_STAIN)
    rough = index >= high
    around = _morph(rough, cv2.MORPH_DILATE, _disc(7))
    nearby = index[around & (index > low)]
    if nearby.size > 50 and np.ptp(nearby) > 0.05:
        rough = index >= max(_LEAST_STAIN, (high + _otsu(nearby, 2)[0]) / 2)
    mask = _without_holes(_morph(rough, cv2.MORPH_OPEN, _disc(5)), largest=0.005)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count == 1:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA]
    violet = np.bincount(labels.ravel(), magenta.ravel(), count) / areas
    keep = (violet > 0.01) & (areas >= max(_LEAST_AREA * mask.size, _LEAST_SHARE * areas[1:].max()))
    keep[0] = False
    return keep[labels]


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
    mask = _without_holes(_morph(green <= _otsu(green, 3)[0], cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    keep = stats[:, cv2.CC_STAT_AREA] >= 0.004 * mask.size
    keep[0] = False
    return keep[labels]


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "stain": stain,
    "otsu_green3": otsu_green3,
    "otsu_grey": otsu_grey,
}
"""Nucleus segmentations by name: (H, W, 3) uint8 RGB to (H, W) bool."""

# Transmission to shade, red against green, and yellow against blue; the background is at (0, 0, 0). Near
# white one unit is about one of CIE Lab, with hue counted 1.5 times, at a tenth of its cost.
_OPPONENT = np.float32([[30, 60, 10, -100], [135, -135, 0, 0], [100, 100, -200, 0]])
# Pixels this dark were cut away by a publisher (cells on black); they are neither background nor nucleus.
_VOID = 8


def _check(rgb: np.ndarray) -> None:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ValueError(f"an array of shape {rgb.shape} and dtype {rgb.dtype}; expected (H, W, 3) uint8 RGB")


def _normalised(rgb: np.ndarray) -> np.ndarray:
    """Transmission: each channel over the background's (its 90th percentile), float32 in [0, 1]."""
    shown = (_brightest(rgb) > _VOID).astype(np.uint8)
    mask = shown if shown.any() else None
    table = np.empty((1, 256, 3), dtype=np.float32)
    for channel in range(3):
        count = np.cumsum(cv2.calcHist([rgb], [channel], mask, [256], [0, 256]))
        background = max(int(np.searchsorted(count, 0.9 * count[-1])), 30)
        table[0, :, channel] = np.minimum(np.arange(256) / background, 1)
    return cv2.LUT(rgb, table)


def _brightest(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = cv2.split(rgb)
    return cv2.max(cv2.max(red, green), blue)


def _otsu(values: np.ndarray, classes: int) -> tuple[float, ...]:
    """Otsu's one or two thresholds (1979) between 2 or 3 classes, on a histogram of 128 bins."""
    least, most, _, _ = cv2.minMaxLoc(values)
    edges = np.linspace(least, most, _BINS + 1)
    # calcHist leaves out its upper end.
    histogram = cv2.calcHist(
        [values], [0], None, [_BINS], [least, np.nextafter(np.float32(most), np.float32(np.inf))]
    )
    histogram = histogram.ravel().astype(float)
    weight = np.cumsum(histogram)
    moment = np.cumsum(histogram * (edges[1:] + edges[:-1]) / 2)

    def between(w: np.ndarray, m: np.ndarray) -> np.ndarray:
        return np.where(w > 0, m**2 / np.maximum(w, 1), 0)

    first, rest = between(weight, moment), between(weight[-1] - weight, moment[-1] - moment)
    if classes == 2:
        return (float(edges[np.argmax(first[:-1] + rest[:-1]) + 1]),)
    middle = between(weight[None, :] - weight[:, None], moment[None, :] - moment[:, None])
    spread = np.where(np.tri(_BINS, dtype=bool), -np.inf, first[:, None] + middle + rest[None, :])
    lower, upper = np.unravel_index(np.argmax(spread), spread.shape)
    return float(edges[lower + 1]), float(edges[upper + 1])


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
    patches = _morph(alike & stuff, cv2.MORPH_OPEN, _disc(5)).astype(np.uint8)
    count, labels = cv2.connectedComponents(patches, connectivity=4)
    sizes = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    red = np.bincount(labels.ravel(), distance.ravel(), count) / sizes > 0.6
    red[np.unique(labels[far])] = True
    red[0] = False
    return red[labels]


def _nuclear_radius(nuclei: np.ndarray) -> float:
    """Radius in pixels of a disc as large as the largest nucleus, or the median one where there are many."""
    stats = cv2.connectedComponentsWithStats(nuclei.astype(np.uint8))[2]
    areas = stats[1:, cv2.CC_STAT_AREA]
    return float(np.sqrt((np.median(areas) if len(areas) > 3 else areas.max()) / np.pi))


def _touching(mask: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """The connected parts of `mask` that hold a nuclear pixel."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, dtype=bool)
    keep[np.unique(labels[nuclei])] = True
    keep[0] = False
    return keep[labels]


def _without_holes(mask: np.ndarray, largest: float = 1.0) -> np.ndarray:
    """Fill what is enclosed, up to `largest` as a part of the image; what meets the border is no hole."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    hole = stats[:, cv2.CC_STAT_AREA] <= largest * mask.size
    hole[np.unique(border)] = False
    hole[0] = False
    return mask | hole[labels]


def _morph(mask: np.ndarray, operation: int, kernel: np.ndarray) -> np.ndarray:
    return cv2.morphologyEx(mask.astype(np.uint8), operation, kernel) > 0


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
