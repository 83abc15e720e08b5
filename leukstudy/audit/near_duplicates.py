"""Near duplicates: copies that were re-encoded, resized, brightened, flipped or turned, and fields shot twice.

The index over perceptual hashes (`hash_index`) gives candidates; the correlation of the two pictures, decoded again,
decides. On real smears and on cells cut out of them, pairs above 0.85 were the same field or cell in every case that
was looked at; of unlike pairs the highest was 0.79.
"""

import os
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.audit.hash_index import MAX_DISTANCE, TRANSFORMS, TURNED_DISTANCE, pairs
from leukstudy.data.measure import grey_content
from leukstudy.imaging.io import BadImage, read_image
from leukstudy.imaging.workers import chunked, each_chunk

MIN_CORRELATION = 0.85
"""The least correlation of two pictures that count as near duplicates."""

COLUMNS = {"a": "str", "b": "str", "distance": "int64", "correlation": "float64", "transform": "str"}
"""The columns of a table of near duplicates: the two image ids, a before b, and how alike they are."""

# Pairs that a worker takes at a time.
_CHUNK = 64
# A picture of less than so many grey levels (standard deviation, after the high pass) has nothing to compare.
_FLAT = 1.0
# The side at which pictures are compared, and how far one may be shifted, in pixels.
_THUMB, _SHIFT = 64, 3


def clusters(i: np.ndarray, j: np.ndarray, n: int) -> np.ndarray:
    """Which of `n` images hang together by the pairs (i, j): (n,) int64, the lowest position of each cluster."""
    i, j = np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64)
    lowest, before = np.arange(n, dtype=np.int64), None
    while not np.array_equal(lowest, before):
        before = lowest.copy()
        np.minimum.at(lowest, i, lowest[j])
        np.minimum.at(lowest, j, lowest[i])
        lowest = lowest[lowest]  # halves the way to the lowest, so that long chains take few rounds
    return lowest


def find_near_duplicates(
    images: pd.DataFrame,
    root: Path,
    *,
    max_distance: int = MAX_DISTANCE,
    turned_distance: int | None = TURNED_DISTANCE,
    min_correlation: float = MIN_CORRELATION,
    workers: int | None = None,
) -> pd.DataFrame:
    """The confirmed near duplicates among `images` (image_id, path, phash): a table with the columns `COLUMNS`.

    Give the rows that are kept: exact duplicates are known from their hashes. Rows without a phash are passed
    over. `correlation` is that of the two pictures as 64 x 64 grey copies without their low frequencies (light and
    vignetting are alike in all fields of a microscope), the second moved by up to 3 of those pixels. Sorted by the
    images' order; `attrs["crowded"]` counts hashes whose neighbours are too many to be listed in full.
    """
    rows = images[images["phash"] != ""].reset_index(drop=True)
    i, j, distance, transform, crowded = pairs(rows["phash"], max_distance, turned_distance)
    paths = [os.path.join(root, path) for path in rows["path"]]
    jobs = ((paths[a], paths[b], t) for a, b, t in zip(i, j, transform, strict=True))
    correlation = np.array(
        list(chain.from_iterable(each_chunk(_correlations, chunked(jobs, _CHUNK), workers=workers)))
    )
    sure = np.flatnonzero(correlation >= min_correlation)
    ids = rows["image_id"].to_numpy()
    table = pd.DataFrame(
        {
            "a": ids[i[sure]],
            "b": ids[j[sure]],
            "distance": distance[sure],
            "correlation": correlation[sure].round(4),
            "transform": [TRANSFORMS[t] for t in transform[sure]],
        }
    ).astype(COLUMNS)
    table.attrs["crowded"] = crowded
    return table


def turn_pixels(picture: np.ndarray, transform: int) -> np.ndarray:
    """The picture (H, W) turned or flipped; see `TRANSFORMS`."""
    picture = picture[:: -1 if transform & 1 else 1, :: -1 if transform & 2 else 1]
    return np.ascontiguousarray(picture.T if transform & 4 else picture)


def _correlations(jobs: list[tuple[str, str, int]]) -> list[float]:
    """The correlation of each (path, path, transform); NaN where a file has gone bad or a picture is flat."""
    thumbnails = {path: _thumbnail(path) for path in {path for job in jobs for path in job[:2]}}
    return [_correlation(thumbnails[a], thumbnails[b], transform) for a, b, transform in jobs]


def _thumbnail(path: str) -> np.ndarray | None:
    try:
        grey = grey_content(read_image(path))
    except BadImage:
        return None
    small = cv2.resize(grey, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), _THUMB / 16)
    return small if small.std() >= _FLAT else None


def _correlation(a: np.ndarray | None, b: np.ndarray | None, transform: int) -> float:
    if a is None or b is None:
        return float("nan")
    middle = b[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    turned = turn_pixels(a, transform)
    return float(cv2.matchTemplate(turned, np.ascontiguousarray(middle), cv2.TM_CCOEFF_NORMED).max())
