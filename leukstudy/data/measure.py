"""What the audit measures of an image's pixels: light, colour, edges, and strokes that no smear draws.

All of it is cheap and knows nothing of cells: these are the things that should not tell the classes apart.
"""

import csv
from pathlib import Path

import cv2
import numpy as np

with Path(__file__).with_name("measures.csv").open(encoding="utf-8", newline="") as _file:
    MEASURES = {row["name"]: (row["unit"], row["meaning"]) for row in csv.DictReader(_file)}
"""Name -> (unit, meaning) of what is measured of each file, in order; format and camera are text, the rest numbers."""

# The long side, in pixels, at which everything but strokes is measured.
SIDE = 256
# At most so bright, a border is black.
_BLACK = 10
# The patch called a corner, as shares of width and height.
CORNER = (0.25, 0.15)
# A stroke is at most THICK of the short side thick, at least LONG long, and STEP grey levels from what flanks it.
THICK, LONG, STEP = 0.025, 0.12, 90


def measure(rgb: np.ndarray) -> dict[str, float]:
    """Measure the pixels of an image, (H, W, 3) uint8 RGB: every entry of `MEASURES` that is not the file's.

    Colours, edges and shares are those of a copy of at most 256 pixels a side, so that images of different
    sizes compare; strokes are looked for in the image itself, since shrinking blurs them.
    """
    small = _at_most(rgb, SIDE)
    height, width = small.shape[:2]
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    darkest, brightest = _extremes(small)
    level, spread = _mean_sd(grey)
    saturation = cv2.mean(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))[1] / 255
    values = {"brightness": level, "contrast": spread, "saturation": saturation}
    background = [_quantile(plane, 0.9) for plane in cv2.split(small)]
    values |= {f"background_{name}": float(value) for name, value in zip(_CHANNELS, background, strict=True)}
    values |= {f"border_{name}": value for name, value in zip(_CHANNELS, _border(small), strict=True)}
    down, across = max(1, round(CORNER[1] * height)), max(1, round(CORNER[0] * width))
    for row, rows in (("top", slice(0, down)), ("bottom", slice(height - down, height))):
        for column, columns in (("left", slice(0, across)), ("right", slice(width - across, width))):
            mean, sd = _mean_sd(np.ascontiguousarray(grey[rows, columns]))
            values |= {f"{row}_{column}_mean": mean, f"{row}_{column}_sd": sd}
    away = _extremes(cv2.absdiff(small, (*map(float, background), 0.0)))[1]
    values |= {
        "sharpness": _sharpness(grey),
        "dark": cv2.countNonZero(cv2.inRange(brightest, 0, 5)) / grey.size,
        "bright": cv2.countNonZero(cv2.inRange(darkest, 250, 255)) / grey.size,
        "foreground": cv2.countNonZero(cv2.inRange(away, 25, 255)) / grey.size,
    }
    return values | dict(zip(("stroke", "stroke_x", "stroke_y"), longest_stroke(rgb), strict=True))


def longest_stroke(rgb: np.ndarray) -> tuple[float, float, float]:
    """Find the longest drawn stroke: its length over the short side, its centre's x and y (0-1); zeros for none.

    A stroke is dark, thin (2.5% of the short side), exactly level or upright for 12% of it or more, and stands 90
    grey levels below what flanks it on both sides: scale bars, frames and the stems of letters do, membranes
    and Auer rods, which bend, do not. The plane looked at is the darkest channel, so that red writing counts.
    """
    plane = _extremes(rgb)[0]
    height, width = plane.shape
    thick, long = max(2, round(THICK * min(height, width))), max(8, round(LONG * min(height, width)))
    best = (0.0, 0.0, 0.0)
    for upright in (False, True):
        through, along = ((1, 2 * thick + 1), (long, 1)) if upright else ((2 * thick + 1, 1), (1, long))
        hat = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, np.ones(through, np.uint8))
        runs = cv2.morphologyEx((hat >= STEP).astype(np.uint8), cv2.MORPH_OPEN, np.ones(along, np.uint8))
        if not runs.any():
            continue
        _, _, boxes, _ = cv2.connectedComponentsWithStats(runs)
        x, y, wide, high, _ = max(boxes[1:].tolist(), key=lambda box: box[3 if upright else 2])
        length = (high if upright else wide) / min(height, width)
        if length > best[0]:
            best = (length, (x + wide / 2) / width, (y + high / 2) / height)
    return best


def grey_content(rgb: np.ndarray) -> np.ndarray:
    """What there is to compare in a picture, (h, w) uint8 grey: of a cell cut out on black, the cell alone.

    Where nearly all of the border is black, the picture is cropped to what is not, and the black around it is painted
    in the cell's mean grey: round cells on black would otherwise all look alike. Other pictures are only made grey.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.count_nonzero(border <= _BLACK) < 0.98 * len(border):
        return grey
    inside = cv2.erode((grey > _BLACK).astype(np.uint8), np.ones((3, 3), np.uint8))
    x, y, width, height = cv2.boundingRect(inside)
    if min(width, height) < 8:
        return grey
    cell, mask = (plane[y : y + height, x : x + width] for plane in (grey, inside))
    return np.where(mask > 0, cell, np.uint8(cv2.mean(cell, mask)[0]))


_CHANNELS = ("red", "green", "blue")


def _at_most(rgb: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    width, height = (max(1, round(scale * length)) for length in rgb.shape[1::-1])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def _extremes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The darkest and the brightest channel of each pixel."""
    red, green, blue = cv2.split(rgb)
    return cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)


def _mean_sd(plane: np.ndarray) -> tuple[float, float]:
    mean, sd = cv2.meanStdDev(plane)
    return float(mean[0, 0]), float(sd[0, 0])


def _quantile(plane: np.ndarray, share: float) -> int:
    """The grey level at or below which `share` of the pixels lie."""
    counts = cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel()
    return int(np.searchsorted(np.cumsum(counts), share * plane.size))


def _border(rgb: np.ndarray) -> tuple[float, ...]:
    height, width = rgb.shape[:2]
    down, across = max(1, round(0.04 * height)), max(1, round(0.04 * width))
    inner = rgb[down : height - down, across : width - across]
    whole, part = cv2.sumElems(rgb), cv2.sumElems(inner) if inner.size else (0.0,) * 3
    pixels = height * width - inner.shape[0] * inner.shape[1]
    return tuple((whole[channel] - part[channel]) / pixels for channel in range(3))


def _sharpness(grey: np.ndarray) -> float:
    """One less the perceptual blur of Crete et al. (2007): how much of the variation blurring would take away.

    It is a share of the image's own variation, so that neither stain, cells nor light matter much: what is out of
    focus already loses little.
    """
    if min(grey.shape) < 2:
        return 0.0
    shares = []
    level = grey.astype(np.float32)
    for upright in (False, True):
        soft = cv2.blur(level, (1, 9) if upright else (9, 1))
        before, after = (
            cv2.absdiff(plane[1:], plane[:-1]) if upright else cv2.absdiff(plane[:, 1:], plane[:, :-1])
            for plane in (level, soft)
        )
        lost = cv2.sumElems(cv2.max(before - after, 0.0))[0]
        shares.append(lost / max(cv2.sumElems(before)[0], 1.0))
    return min(shares)
