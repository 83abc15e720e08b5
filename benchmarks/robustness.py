"""Nucleus segmentation under shifts that other laboratories bring: light, white balance, tone, file, focus, scale.

    python benchmarks/robustness.py                             the phantom
    python benchmarks/robustness.py path/to/zheng-wbc-1  any folder that segmentation.py knows
    python benchmarks/robustness.py FOLDER --every 4            each fourth image of it

Each image is shifted as the first column says and segmented anew; the truth stays, or is scaled as the image. Mean Dice of the
default, of Tavakoli 2021 and of green three-class Otsu on nuclei, and of the default on whole cells. "Worst" is the 5th percentile of the default's
nuclei. The last lines average over all shifts. BCCD's masks are of whole cells, and only its last column says anything.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from segmentation import cases, dice

from leukstudy.imaging.segment import segment_cells, segment_nuclei

METHODS = ("stain", "tavakoli", "otsu_green3")


def scaled(by: float) -> Callable[[np.ndarray], np.ndarray]:
    """Levels times `by`, clipped: exposure."""
    return lambda rgb: np.clip(np.rint(rgb * by), 0, 255).astype(np.uint8)


def tinted(*gains: float) -> Callable[[np.ndarray], np.ndarray]:
    """Red, green and blue times a gain each, clipped: white balance."""
    return lambda rgb: np.clip(np.rint(rgb * np.array(gains)), 0, 255).astype(np.uint8)


def toned(gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    """255 (v / 255)^gamma: tone curve; above 1 is darker."""
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return lambda rgb: cv2.LUT(rgb, table)


def compressed(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    """Through a JPEG file, with halved chroma as OpenCV writes it."""

    def through(rgb: np.ndarray) -> np.ndarray:
        file = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[:, :, ::-1])

    return through


def blurred(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rgb: cv2.GaussianBlur(rgb, (0, 0), sigma)


def resized(by: float) -> Callable[[np.ndarray], np.ndarray]:
    """Both sides times `by`; masks are scaled so too (nearest), by `shifted`."""

    def to_size(rgb: np.ndarray) -> np.ndarray:
        size = (max(1, round(rgb.shape[1] * by)), max(1, round(rgb.shape[0] * by)))
        return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR)

    return to_size


def vignetted(rgb: np.ndarray, fall: float = 0.25) -> np.ndarray:
    """Light that falls off with the square of the distance from the centre, by `fall` at the corners."""
    rows, columns = np.mgrid[-1 : 1 : rgb.shape[0] * 1j, -1 : 1 : rgb.shape[1] * 1j]
    light = 1 - fall * (rows**2 + columns**2) / 2
    return np.rint(rgb * light[..., None]).astype(np.uint8)


def graded(rgb: np.ndarray, fall: float = 0.3) -> np.ndarray:
    """Light that falls off from left to right, by `fall`."""
    return np.rint(rgb * np.linspace(1, 1 - fall, rgb.shape[1])[None, :, None]).astype(np.uint8)


def noisy(rgb: np.ndarray, sd: float = 8) -> np.ndarray:
    """Gaussian noise of each pixel and channel, the same each time."""
    noise = np.random.default_rng(0).normal(0, sd, rgb.shape)
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


SHIFTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda rgb: rgb,
    "brightness 0.7": scaled(0.7),
    "brightness 0.85": scaled(0.85),
    "brightness 1.15": scaled(1.15),
    "brightness 1.3": scaled(1.3),
    "warm light (R 1, G 0.92, B 0.75)": tinted(1, 0.92, 0.75),
    "cold light (R 0.8, G 0.92, B 1)": tinted(0.8, 0.92, 1),
    "green light (R 0.85, G 1, B 0.85)": tinted(0.85, 1, 0.85),
    "magenta light (R 1, G 0.85, B 1)": tinted(1, 0.85, 1),
    "gamma 0.7": toned(0.7),
    "gamma 1.4": toned(1.4),
    "JPEG, quality 60": compressed(60),
    "blur, sigma 1.5": blurred(1.5),
    "scale x0.5": resized(0.5),
    "scale x2": resized(2),
    "vignette, 25% at the corners": vignetted,
    "gradient, 30% across": graded,
    "noise, SD 8": noisy,
}


def shifted(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A (H, W) bool truth mask at the shape of its shifted image."""
    if mask.shape == shape:
        return mask
    return cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def main() -> None:
    """Measure every shift on the folder of the command line and print the table."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("assets/phantom"))
    parser.add_argument("--every", type=int, default=1, help="take each n-th image")
    args = parser.parse_args()
    scores = []
    for number, case in enumerate(cases(args.folder)):
        if number % args.every:
            continue
        for name, shift in SHIFTS.items():
            rgb = shift(case.rgb)
            nucleus, cell = (shifted(mask, rgb.shape[:2]) for mask in (case.nucleus, case.cell))
            masks = {method: segment_nuclei(rgb, method) for method in METHODS}
            row = {method: dice(mask, nucleus) for method, mask in masks.items()}
            scores.append(row | {"shift": name, "cells": dice(segment_cells(rgb, masks["stain"]), cell)})
    table = pd.DataFrame(scores)
    images = len(table) // len(SHIFTS)
    print(f"`{args.folder.name}`: {images} images\n")
    print("| shift | stain (default) | worst | tavakoli | otsu_green3 | whole cells, stain |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    changed = table[table["shift"] != "as it is"]
    for name, rows in [
        *((name, table[table["shift"] == name]) for name in SHIFTS),
        ("**all shifts**", changed),
    ]:
        worst = rows["stain"].quantile(0.05)
        values = [rows["stain"].mean(), worst, *(rows[method].mean() for method in (*METHODS[1:], "cells"))]
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
