"""Writing a phantom: the pictures, their truth, who they came from and the data card, in one folder."""

import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.data.phantom.card import data_card
from leukstudy.data.phantom.draw import draw_cell
from leukstudy.data.phantom.morphology import draw_cell_type
from leukstudy.data.phantom.patients import Patient, enrol

# What assets/phantom holds.
EMBEDDED_SEED = 2026
EMBEDDED = {"healthy": 24, "ALL": 14, "AML": 14, "CLL": 14, "CML": 14}
EMBEDDED_IMAGES = 10
SLIDES = 2

# Level 9 takes four times as long for half a per cent of size.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 5, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]


def write_phantom(
    out: Path,
    *,
    seed: int,
    patients: dict[str, int],
    images_per_patient: int = 10,
    size: int = 96,
    workers: int = 1,
) -> pd.DataFrame:
    """Draw a phantom into the folder `out` and give its metadata (path, patient_id, slide_id, cell_type).

    Writes <class>/<patient>_<nn>.png (size x size RGB), _truth/<class>/<patient>_<nn>.png (uint8: 0, 128
    cytoplasm, 255 nucleus), metadata.csv and README.md. The folder is written beside its place and moved
    there when whole. The bytes depend on the arguments alone, not on `workers` (processes).

    Raises FileExistsError where `out` is a file or a folder that is not empty, ValueError for unknown
    classes, no patients, no images or a size below 32.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} exists and is not an empty folder: a phantom is never written over other files."
            " Give a new folder to --out, or remove this one first."
        )
    if images_per_patient < 1:
        raise ValueError(f"images_per_patient is {images_per_patient}; expected 1 or more")
    if size < 32:
        raise ValueError(f"size is {size}; expected 32 pixels or more")
    enrolled = enrol(seed, patients)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.part-", dir=out.parent))
    try:
        rows = _write_patients(part, enrolled, images_per_patient, size, workers)
        frame = pd.DataFrame(rows, columns=["path", "patient_id", "slide_id", "cell_type"])
        frame = frame.sort_values("path", ignore_index=True)
        frame.to_csv(part / "metadata.csv", index=False, lineterminator="\n")
        card = data_card(seed=seed, patients=patients, images_per_patient=images_per_patient, size=size)
        (part / "README.md").write_text(card, encoding="utf-8", newline="\n")
        part.chmod(0o755)
        if out.exists():
            out.rmdir()  # empty: checked above
        os.replace(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return frame


def draw_patient(patient: Patient, images: int, size: int) -> list[tuple[np.ndarray, np.ndarray, str, str]]:
    """Draw all images of one patient: (picture, truth, slide_id, cell_type) each, slides taken in turn."""
    drawn = []
    for image in range(images):
        slide = image * SLIDES // images
        rng = patient.image_rng(image)
        cell_type = draw_cell_type(patient.label, patient.clone_fraction, rng)
        picture, truth = draw_cell(cell_type, patient, rng, size, slide=slide)
        drawn.append((picture, truth, patient.slide_id(slide), cell_type))
    return drawn


def _write_patients(
    folder: Path, enrolled: list[Patient], images: int, size: int, workers: int
) -> list[tuple]:
    for label in sorted({patient.label for patient in enrolled}):
        (folder / label).mkdir()
        (folder / "_truth" / label).mkdir(parents=True)
    job = partial(_write_patient, folder=folder, images=images, size=size)
    if workers <= 1:
        return [row for patient in enrolled for row in job(patient)]
    # Spawned, not forked: OpenCV and whatever else the caller has loaded hold threads, and a forked lock stays locked.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        return [row for rows in pool.map(job, enrolled, chunksize=4) for row in rows]


def _write_patient(patient: Patient, *, folder: Path, images: int, size: int) -> list[tuple]:
    rows = []
    for number, (picture, truth, slide_id, cell_type) in enumerate(draw_patient(patient, images, size)):
        path = f"{patient.label}/{patient.patient_id}_{number:0{max(2, len(str(images - 1)))}d}.png"
        _write_png(folder / path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        _write_png(folder / "_truth" / path, truth)
        rows.append((path, patient.patient_id, slide_id, cell_type))
    return rows


def _write_png(path: Path, image: np.ndarray) -> None:
    ok, data = cv2.imencode(".png", image, _PNG)
    if not ok:
        raise OSError(f"OpenCV could not encode {path} ({image.shape} {image.dtype}) as PNG")
    path.write_bytes(data.tobytes())
