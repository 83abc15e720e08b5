"""An index over perceptual hashes: all pairs within a few bits of each other, without comparing all pairs.

Multi-index hashing (Norouzi et al. 2014): hashes that are near are equal, or nearly so, in some band of their bits.
Copies that were flipped or turned are found in the same way, since their hashes follow from the original's.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd

TRANSFORMS = (
    "none", "flipped upside down", "mirrored", "turned by 180 degrees", "transposed", "turned clockwise",
    "turned anticlockwise", "transposed about the other diagonal",
)  # fmt: skip
"""What was done to a picture: bit 0 of the number flips rows, bit 1 flips columns, bit 2 then transposes."""

MAX_DISTANCE, TURNED_DISTANCE = 10, 5
"""Bits in which hashes may differ, and the same for turned copies: those are exact, a field shot twice is shifted."""

_INVERSE = np.array([0, 1, 2, 3, 4, 6, 5, 7])
# A thousand empty images would be half a million pairs. Of so many equal hashes only the pairs with the first are
# listed; a hash with twice as many near ones is looked up no further; a very full bucket is searched in part.
_CROWD, _BUCKET = 64, 4096
# Candidates held at a time.
_BLOCK = 1 << 22


class Pairs(NamedTuple):
    """Pairs of positions i < j whose hashes are near."""

    i: np.ndarray
    j: np.ndarray
    distance: np.ndarray  # in bits
    transform: np.ndarray  # number of the entry of TRANSFORMS that makes i's picture into j's
    crowded: int  # hashes around which so many others lie that not all pairs are listed


def pairs(
    phash: np.ndarray | pd.Series,
    max_distance: int = MAX_DISTANCE,
    turned_distance: int | None = TURNED_DISTANCE,
) -> Pairs:
    """Find all pairs of hashes that differ in at most `max_distance` bits, or, turned or flipped, `turned_distance`.

    `phash` (n,) holds uint64 or 16 hex digits (`data.identify.perceptual_hash`). None for `turned_distance` leaves
    turned copies out. Time grows about as n, and memory as n and the pairs found. Sorted by i and j; each pair
    stands once, with its least distance.
    """
    hashes, member, count = np.unique(as_uint64(phash), return_inverse=True, return_counts=True)
    parts = [(np.arange(len(hashes)),) * 2 + (np.zeros(len(hashes), np.int64),) * 2]
    crowded = set(np.flatnonzero(count > _CROWD).tolist())
    for transform in range(8 if turned_distance is not None and len(hashes) else 1):
        reach = turned_distance if transform else max_distance
        queries = turn(hashes, transform)
        for left, right, distance in _near(hashes, queries, reach, crowded):
            parts.append((left, right, distance, np.full(len(left), transform)))
    a, b, distance, transform = (
        np.concatenate([part[k] for part in parts]).astype(np.int64) for k in range(4)
    )
    # The same two under several transforms, or found in several bands: the nearest, then the plainest.
    order = np.lexsort((transform, distance, b, a))
    a, b, distance, transform = (values[order] for values in (a, b, distance, transform))
    new = np.ones(len(a), bool)
    new[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    i, j, kept = _members(a[new], b[new], member, count)
    distance, transform = distance[new][kept], transform[new][kept]
    back = i > j
    i, j = np.where(back, j, i), np.where(back, i, j)
    transform = np.where(back, _INVERSE[transform], transform)
    order = np.lexsort((j, i))
    return Pairs(i[order], j[order], distance[order], transform[order], len(crowded))


def as_uint64(phash: np.ndarray | pd.Series) -> np.ndarray:
    """Hashes of 16 hex digits, or of 64 bits already, as (n,) uint64."""
    values = np.asarray(phash)
    if values.dtype.kind in "iu":
        return values.astype(np.uint64)
    return np.array([int(text, 16) for text in values.tolist()], dtype=np.uint64)


def turn(hashes: np.ndarray, transform: int) -> np.ndarray:
    """The hashes (n,) uint64 that the pictures would have once turned or flipped; see `TRANSFORMS`."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8)).reshape(-1, 8, 8)  # (n, down, across)
    odd = np.arange(8, dtype=np.uint8) % 2
    if transform & 1:
        bits = bits ^ odd[:, None]
    if transform & 2:
        bits = bits ^ odd
    if transform & 4:
        bits = bits.transpose(0, 2, 1)
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


def _near(
    hashes: np.ndarray, queries: np.ndarray, reach: int, crowded: set[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Positions (left < right) and distances of queries and hashes at most `reach` bits apart, some twice.

    The 64 bits are dealt to bands. Two hashes within `reach` differ in at most `reach // bands` bits of some band,
    so each query looks into the buckets of its own band values with that many bits flipped.
    """
    n = len(hashes)
    hits = np.zeros(n, np.int64)
    bands = _bands(n, reach)
    place = np.searchsorted(hashes, queries)
    for band in range(bands):
        width = len(range(band, 64, bands))
        keys, query_keys = (_band(values, band, bands) for values in (hashes, queries))
        order = np.argsort(keys, kind="stable")
        size = np.bincount(keys, minlength=1 << width)
        start = np.cumsum(size) - size
        ranked = keys[order] * n + order
        for flips in range(reach // bands + 1):
            for positions in combinations(range(width), flips):
                bucket = query_keys ^ sum(1 << position for position in positions)
                looking = np.flatnonzero((size[bucket] > 0) & (hits < 2 * _CROWD))
                first, many = start[bucket[looking]], size[bucket[looking]]
                full = np.flatnonzero(many > _BUCKET)
                if len(full):
                    over = looking[full]
                    crowded.update(over.tolist())
                    near = np.searchsorted(ranked, bucket[over] * n + place[over]) - _BUCKET // 2
                    first[full] = np.clip(near, first[full], first[full] + many[full] - _BUCKET)
                    many[full] = _BUCKET
                for part in _blocks(many):
                    left = np.repeat(looking[part], many[part])
                    offset = np.arange(len(left)) - np.repeat(np.cumsum(many[part]) - many[part], many[part])
                    right = order[np.repeat(first[part], many[part]) + offset]
                    distance = np.bitwise_count(queries[left] ^ hashes[right])
                    good = np.flatnonzero((distance <= reach) & (left < right))
                    # left is sorted: the place of each hit among those of its query, within what is still allowed
                    among = np.arange(len(good)) - np.searchsorted(left[good], left[good])
                    good = good[hits[left[good]] + among < 2 * _CROWD]
                    if len(good):
                        hits += np.bincount(left[good], minlength=n)
                        yield left[good], right[good], distance[good]
    crowded.update(np.flatnonzero(hits >= 2 * _CROWD).tolist())


def _bands(n: int, reach: int) -> int:
    """The number of bands with least work: lookups, and comparisons in buckets that are filled evenly."""

    def work(bands: int) -> float:
        width = 64 // bands
        lookups = bands * sum(comb(width, flips) for flips in range(reach // bands + 1))
        return n * lookups * (1 + 2 * n / 2**width)

    return min(range(3, 9), key=work)


def _band(hashes: np.ndarray, band: int, bands: int) -> np.ndarray:
    """The bits band, band + bands, ... as one number: (n,) int64. Neighbouring bits, which go together, are dealt out."""
    keys = np.zeros(len(hashes), np.int64)
    for bit in range(band, 64, bands):
        keys = (keys << 1) | ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64)
    return keys


def _blocks(many: np.ndarray) -> Iterator[slice]:
    """Slices of the lookups with at most about `_BLOCK` candidates each."""
    total = np.cumsum(many)
    start = 0
    while start < len(many):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


def _members(
    a: np.ndarray, b: np.ndarray, member: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From pairs of different hashes to pairs of images: positions, and which pair of hashes each comes from.

    All images of one hash with all of the other, or, in a crowd, the first of each hash with all of the other.
    """
    order = np.argsort(member, kind="stable")
    start = np.cumsum(count) - count
    rows, columns = count[a], count[b]
    crowd = rows * columns > _CROWD
    many = np.where(crowd, rows + columns - 1, rows * columns)
    kept = np.repeat(np.arange(len(a)), many)
    k = np.arange(len(kept)) - np.repeat(np.cumsum(many) - many, many)
    wide = columns[kept]
    row = np.where(crowd[kept], np.maximum(0, k - wide + 1), k // wide)
    column = np.where(crowd[kept], np.where(k < wide, k, 0), k % wide)
    i, j = order[start[a[kept]] + row], order[start[b[kept]] + column]
    good = np.flatnonzero((a[kept] != b[kept]) | (i < j))
    return i[good], j[good], kept[good]
