"""From the mask of white cells to single cells: whose nuclei belong together, and where touching cells part.

A granulocyte has several lobes in one cell, and two touching cells have one mask: nuclei alone cannot tell
them apart. The cell's outline can. Between the lobes of one cell the cell is as thick as at the lobes; between
two cells there is a waist. Thickness is the distance from the outline, whose saddles a watershed would flood over.
"""

import cv2
import numpy as np

from leukstudy.imaging.masks import pieces

# Two nuclear parts are of two cells where the cell between them is thinner than this part of the thinner of them.
_WAIST = 0.80
# Parts of a nuclear piece are looked for where it has a waist of this part of its thickness.
_NUCLEAR_WAIST = 0.75
# Nuclear parts, and splits of cells, smaller than this share of the larger are none.
_LEAST_PART = 0.15


def split_cells(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Single cells of two (H, W) bool masks, the nuclei within the cells: (H, W) int32, 0 outside, 1 to n in reading order.

    Each connected piece of the cells' mask is looked at by itself; a piece without a nucleus is no cell. Pixels go to the
    cell whose nucleus is nearest.
    """
    result = np.zeros(cells.shape, np.int32)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((cells | nuclei).astype(np.uint8))
    number = 0
    for piece in range(1, count):
        x, y, width, height = stats[piece, :4]
        window = slice(y, y + height), slice(x, x + width)
        inside = labels[window] == piece
        single = _split_piece(nuclei[window] & inside, inside)
        result[window][inside] = single[inside] + number * (single[inside] > 0)
        number += single.max()
    return _in_reading_order(result)


def _split_piece(nuclei: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The cells of one connected piece, (h, w) int32 from 1 on; all 0 without a nucleus."""
    parts = nuclear_parts(nuclei)
    count = parts.max()
    if count <= 1:
        return np.where(cell, count, 0).astype(np.int32)
    owner = _owners(parts, int(count), cell)
    seeds = np.where(parts > 0, owner[parts], 0)
    return np.where(cell, _nearest(seeds), 0).astype(np.int32)


def nuclear_parts(nuclei: np.ndarray) -> np.ndarray:
    """Nuclear pieces cut at their waists: (H, W) bool to (H, W) int32, 1 to n, 0 outside; lobes and nuclei alike."""
    count, labels, areas = pieces(nuclei)
    if count == 1:
        return labels
    depth = _depth(nuclei)
    cores = np.zeros(nuclei.shape, np.int32)
    number = 0
    for piece in range(1, count):
        # Cores: what is left of a piece where it has been eaten away to its waist.
        split, peaks = _cores(np.where(labels == piece, depth, 0), areas[piece])
        cores[peaks > 0] = peaks[peaks > 0] + number
        number += split
    if number == count - 1:
        return labels
    return np.where(nuclei, _nearest(cores), 0).astype(np.int32)


def _cores(depth: np.ndarray, area: int) -> tuple[int, np.ndarray]:
    """The cores of one nuclear piece: peaks of depth parted by a waist, and how many."""
    best = 1, (depth > 0).astype(np.int32)
    most = float(depth.max())
    if most < 4 or np.pi * most**2 > 0.85 * area:  # too small to tell, or round
        return best
    for level in np.linspace(0.3, 0.95, 14) * most:
        count, labels = cv2.connectedComponents((depth > level).astype(np.uint8))
        if count - 1 <= best[0]:
            continue
        peaks = _largest(depth, labels, count)
        # A peak is one where it rises above the level at which it parted.
        real = (peaks * _NUCLEAR_WAIST > level) & (peaks > 0.35 * most)
        real[0] = False
        if real.sum() > best[0]:
            best = int(real.sum()), (np.cumsum(real) * real)[labels].astype(np.int32)
    return best


def _owners(parts: np.ndarray, count: int, cell: np.ndarray) -> np.ndarray:
    """The cell of each nuclear part, from 1 on: parts that no waist of the cell divides share one."""
    depth = _depth(cell)
    owner = np.arange(count + 1)
    thickness = _largest(depth, parts, count + 1)
    area = np.bincount(parts.ravel(), minlength=count + 1)
    # Levels fall: parts join at the first level at which a path this deep leads from one to the other.
    joined = np.zeros((count + 1, count + 1))
    inside = parts > 0
    for level in np.linspace(1, 0, 41) * float(depth.max()):
        labels = cv2.connectedComponents((depth > level).astype(np.uint8), connectivity=4)[1]
        # Which parts each connected region at this depth holds.
        met = np.bincount(labels[inside] * (count + 1) + parts[inside], minlength=1)
        regions, members = np.divmod(np.flatnonzero(met), count + 1)
        for region in np.unique(regions[regions > 0]):
            group = members[regions == region]
            among = np.ix_(group, group)
            joined[among] = np.maximum(joined[among], max(level, 1e-6))
    for a, b in np.argwhere(np.triu(joined, 1) > 0):
        small = min(area[a], area[b]) < _LEAST_PART * max(area[a], area[b])
        if small or joined[a, b] >= _WAIST * min(thickness[a], thickness[b]):
            owner[owner == owner[b]] = owner[a]
    names = {name: number for number, name in enumerate(np.unique(owner[1:]), 1)}
    return np.array([0, *(names[name] for name in owner[1:])])


def _largest(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The largest value under each label from 1 on; 0 for label 0."""
    inside = labels > 0
    largest = np.zeros(count)
    np.maximum.at(largest, labels[inside], values[inside])
    return largest


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel from the mask's outside, where the image's border is no outside."""
    return cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]


def _nearest(seeds: np.ndarray) -> np.ndarray:
    """The seed nearest to each pixel, by straight distance."""
    _, label = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    name = np.zeros(label.max() + 1, np.int32)
    name[label[seeds > 0]] = seeds[seeds > 0]
    return name[label]


def _in_reading_order(labels: np.ndarray) -> np.ndarray:
    """Numbers 1 to n by each cell's first pixel, row by row."""
    names, first = np.unique(labels, return_index=True)
    order = names[np.argsort(first, kind="stable")]
    order = order[order > 0]
    number = np.zeros(labels.max() + 1, np.int32)
    number[order] = np.arange(1, len(order) + 1)
    return number[labels]
