"""Speed of segmentation and features on one core, and how memory grows: drawn cells at 224 x 224, one field at 2592 x 1944.

    python benchmarks/imaging.py        (a minute or two; run nothing else meanwhile)

OpenCV uses one thread. Goals: nuclei 120 images/s, all features 25 images/s, a field in under 3 s, memory flat.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.imaging.batch import prepare_all
from leukstudy.imaging.features import all_features
from leukstudy.imaging.io import read_image
from leukstudy.imaging.segment import label_cells, segment_cells, segment_nuclei
from leukstudy.phantom import write_phantom
from leukstudy.study.methods import SEGMENTATIONS

PATIENTS = {"healthy": 4, "ALL": 4, "AML": 4, "CLL": 4, "CML": 4}


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some runs: what else the machine does only adds."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def features(rgb: np.ndarray) -> dict[str, float]:
    """Everything from pixels to features."""
    nuclei = segment_nuclei(rgb)
    return all_features(rgb, nuclei, label_cells(rgb, nuclei), rgb)


def peak() -> float:
    """Most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print the tables."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = write_phantom(folder / "cells", seed=1, patients=PATIENTS, images_per_patient=4, size=224)
        images = [read_image(folder / "cells" / path) for path in drawn["path"]]
        table = pd.DataFrame(
            {"image_id": drawn["path"].str.replace("/", "-"), "path": drawn["path"], "excluded": ""}
        )
        memory = []
        for copies in (1, 4):
            many = pd.concat([table] * copies, ignore_index=True)
            prepare_all(folder / "cells", many, folder / f"out{copies}", size=224, workers=1)
            memory.append(f"{len(many)} images {peak():,.0f} MB")
        print(f"Peak memory of the batch, one process: {', '.join(memory)}\n", flush=True)
        write_phantom(
            folder / "field", seed=1, patients={"CML": 1}, images_per_patient=1, size=(1944, 2592), field=True
        )
        (path,) = (folder / "field" / "CML").glob("*.png")
        field = read_image(path)
        print(f"| at 224 x 224, one core ({len(images)} images) | images/s |\n| --- | ---: |")
        for method in SEGMENTATIONS:
            taken = seconds(lambda method=method: [segment_nuclei(rgb, method) for rgb in images])
            print(f"| nuclei, {method} | {len(images) / taken:,.0f} |", flush=True)
        for task, work in (
            ("nuclei and cells", segment_cells),
            ("nuclei, cells, single cells", label_cells),
            ("all features, segmentation included", features),
        ):
            taken = seconds(lambda work=work: [work(rgb) for rgb in images])
            print(f"| {task} | {len(images) / taken:,.0f} |", flush=True)
        print("\n| a field of 2592 x 1944, one core | seconds |\n| --- | ---: |")
        for task, work in (
            ("nuclei", segment_nuclei),
            ("single cells", label_cells),
            ("all features", features),
        ):
            print(f"| {task} | {seconds(lambda work=work: work(field), 2):.2f} |", flush=True)


if __name__ == "__main__":
    main()
