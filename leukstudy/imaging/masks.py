"""What every segmentation is made of: Otsu's thresholds, and operations on masks and their connected pieces."""

import cv2
import numpy as np

_BINS = 128


def otsu(values: np.ndarray, classes: int) -> tuple[float, ...]:
    """Otsu's one or two thresholds (1979; two: Liao et al. 2001) between 2 or 3 classes, on 128 bins.

    `values` is any float32 array. Values that are all equal give thresholds next to that value.
    """
    least, most, _, _ = cv2.minMaxLoc(values)
    edges = np.linspace(least, most, _BINS + 1)
    # calcHist leaves out its upper end.
    upper = np.nextafter(np.float32(most), np.float32(np.inf))
    histogram = cv2.calcHist([values], [0], None, [_BINS], [least, upper]).ravel().astype(float)
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


def pieces(mask: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """How many connected pieces (8 neighbours) plus one, their labels (0 outside), their areas (0: outside)."""
    # Counting pixels is several times faster than connectedComponentsWithStats.
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    areas = np.bincount(labels[mask], minlength=count)
    areas[0] = mask.size - areas.sum()
    return count, labels, areas


def disc(diameter: int) -> np.ndarray:
    """A round structuring element, (diameter, diameter) uint8."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def opened(mask: np.ndarray, diameter: int) -> np.ndarray:
    """The mask without what no disc of that diameter fits into."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(diameter)) > 0


def grown(mask: np.ndarray, radius: float) -> np.ndarray:
    """All pixels within `radius` pixels of the mask; at the same cost for any radius."""
    if not mask.any():
        return mask.copy()
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= radius


def shrunk(mask: np.ndarray, radius: float) -> np.ndarray:
    """The pixels more than `radius` pixels inside the mask; the image's border is no edge of it."""
    if mask.all():
        return mask.copy()
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) > radius


def touching(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The connected parts (4 neighbours) of `mask` that hold a pixel of `seeds`."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, dtype=bool)
    keep[np.unique(labels[seeds])] = True
    keep[0] = False
    return keep[labels]


def without_holes(mask: np.ndarray, largest: float = np.inf) -> np.ndarray:
    """Fill what is enclosed, up to `largest` pixels; what meets the image's border is no hole."""
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    if count <= 2 and not mask[[0, -1]].all():
        return mask.copy()  # one piece of outside, which meets the border
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    hole = np.bincount(labels.ravel(), minlength=count) <= largest
    hole[np.unique(border)] = False
    hole[0] = False
    return mask | hole[labels]


def nuclear_radius(nuclei: np.ndarray) -> float:
    """Radius in pixels of a disc as large as the largest nuclear piece, or the median where there are many."""
    areas = pieces(nuclei)[2][1:]
    return float(np.sqrt((np.median(areas) if len(areas) > 3 else areas.max()) / np.pi))


def nuclear_groups(nuclei: np.ndarray) -> tuple[int, np.ndarray]:
    """Pieces that lie as near as the lobes of one nucleus do: their number plus one, and (H, W) int32 labels.

    Gaps are bridged up to half the radius of a disc as large as the largest piece.
    """
    if not nuclei.any():
        return 1, np.zeros(nuclei.shape, np.int32)
    reach = 0.25 * np.sqrt(pieces(nuclei)[2][1:].max() / np.pi)
    count, labels = cv2.connectedComponents(grown(nuclei, reach).astype(np.uint8))
    return count, np.where(nuclei, labels, 0)
