"""Dice of each nucleus method, and of the cells, against truth masks: the phantom's, or Zheng's form of data.

    python benchmarks/segmentation.py assets/phantom
    python benchmarks/segmentation.py ../shared/data/zheng-wbc-1

Truth: 0 background, 128 cytoplasm, 255 nucleus (nucleus > 192, cell > 64), in `_truth/<class>/<name>.png` or, as Zheng
delivers it, in `NNN.png` beside `NNN.bmp`. Segmentation is timed on one image after another, on one core.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leukstudy.imaging.io import read_image
from leukstudy.imaging.segment import METHODS, segment_cells, segment_nuclei


def pairs(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images (H, W, 3) uint8 and truths (H, W) uint8 of a folder in either form."""
    truths = folder / "_truth"
    if truths.is_dir():
        files = [(folder / path.relative_to(truths), path) for path in sorted(truths.glob("*/*.png"))]
    else:
        files = [(path, path.with_suffix(".png")) for path in sorted(folder.glob("*.bmp"))]
    if not files:
        sys.exit(f"{folder} has neither _truth/<class>/*.png nor *.bmp with *.png beside them")
    return [(read_image(image), read_image(truth)[:, :, 0]) for image, truth in files]


def report(name: str, given: list, found: Callable[[np.ndarray], np.ndarray], above: int) -> None:
    """Print one row: mean, median and 5th percentile of Dice, and images a second."""
    started = time.perf_counter()
    masks = [found(rgb) for rgb, _ in given]
    rate = len(given) / (time.perf_counter() - started)
    dice = [
        2 * (mask & (truth > above)).sum() / max(mask.sum() + (truth > above).sum(), 1)
        for mask, (_, truth) in zip(masks, given, strict=True)
    ]
    print(
        f"| {name} | {np.mean(dice):.4f} | {np.median(dice):.4f} | {np.percentile(dice, 5):.4f} | {rate:,.0f} |"
    )


def main() -> None:
    """Measure all methods on the folder of the command line."""
    cv2.setNumThreads(1)
    given = pairs(Path(sys.argv[1] if len(sys.argv) > 1 else "assets/phantom"))
    print(f"{len(given)} images\n\n| what | mean Dice | median | 5th percentile | images/s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for method in METHODS:
        report(f"nuclei, {method}", given, lambda rgb, method=method: segment_nuclei(rgb, method), 192)
    report("cells, stain (nuclei included)", given, segment_cells, 64)


if __name__ == "__main__":
    main()
