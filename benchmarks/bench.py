"""What the study's heavy parts cost on this machine, each beside its alternative in the same run.

python benchmarks/bench.py     (part of `make bench`, which takes six minutes; run nothing else meanwhile: only ratios of one
run mean anything)
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from leukstudy.data.catalogue import catalogue
from leukstudy.imaging.batch import prepare_all
from leukstudy.imaging.segment import segment_nuclei
from leukstudy.imaging.workers import cores
from leukstudy.phantom import write_phantom

PATIENTS = {"healthy": 12, "ALL": 12, "AML": 12, "CLL": 12, "CML": 12}


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def row(what: str, images: int, ours: float, other: str, theirs: float) -> None:
    """Print one comparison as a row of the table."""
    print(
        f"| {what} | {images / ours:,.0f} | {other} | {images / theirs:,.0f} | {theirs / ours:.2f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print the table."""
    workers = cores()
    print(
        f"{workers} cores\n\n| what | images/s | beside | images/s | ratio |\n| --- | ---: | --- | ---: | ---: |"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = sum(PATIENTS.values()) * 10
        given = {"seed": 1, "patients": PATIENTS}
        all_cores = timed(lambda: write_phantom(folder / "all", **given, workers=workers))
        one_core = timed(lambda: write_phantom(folder / "one", **given, workers=1))
        row(f"draw the phantom, {workers} processes", count, all_cores, "1 process", one_core)

        root = folder / "one"
        all_cores = timed(lambda: catalogue(root, "phantom"))
        one_core = timed(lambda: catalogue(root, "phantom", workers=1))
        row(f"catalogue 96x96 PNG, {workers} threads", count, all_cores, "1 thread", one_core)

        manifest = catalogue(root, "phantom")
        how = {
            "size": 96,
            "gaussian_sigma": 0.0,
            "equalise": "none",
            "mask_corner": None,
            "segmentation": "stain",
        }
        all_cores = timed(lambda: prepare_all(root, manifest, folder / "a", **how))
        one_core = timed(lambda: prepare_all(root, manifest, folder / "b", **how, workers=1))
        row(f"prepare, segment, measure, {workers} processes", count, all_cores, "1 process", one_core)

        images = np.load(folder / "a" / "images.npy")
        for method in ("stain", "otsu_green3"):
            ours = timed(lambda method=method: [segment_nuclei(image, method) for image in images])
            paper = timed(lambda: [segment_nuclei(image, "otsu_grey") for image in images])
            row(f"nuclei by {method}, 1 core", count, ours, "otsu_grey (paper A)", paper)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
