"""Writing a phantom: the pictures, their truth, who they came from and the data card, in one folder."""

import json
import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.data.phantom import plant as planting
from leukstudy.data.phantom.card import data_card
from leukstudy.data.phantom.draw import draw_cell
from leukstudy.data.phantom.morphology import CLASSES, draw_cell_type
from leukstudy.data.phantom.patients import Patient, enrol

# What assets/phantom holds.
EMBEDDED_SEED = 2026
EMBEDDED = {"healthy": 24, "ALL": 14, "AML": 14, "CLL": 14, "CML": 14}
EMBEDDED_IMAGES = 10
SLIDES = 2
VERSION = 2  # of the model of a smear: another version draws other pictures from the same arguments

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
    plant: str | None = None,
) -> pd.DataFrame:
    """Draw a phantom into the folder `out` and give its metadata (path, patient_id, slide_id, cell_type).

    Writes <class>/<patient>_<nn>.png (size x size RGB), _truth/<class>/<patient>_<nn>.png (uint8: 0, 128
    cytoplasm, 255 nucleus), metadata.csv and README.md. The folder is written beside its place and moved
    there when whole. The bytes depend on the arguments alone, not on `workers` (processes). `plant` names a
    flaw of `plant.FLAWS` to plant; what was done to which file is then in _truth/planted.csv.

    Raises FileExistsError where `out` is a file or a folder that is not empty, ValueError for unknown
    classes or flaws, no patients, no images or a size below 32.
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
    planting.check_flaw(plant)
    enrolled = enrol(seed, patients)
    labels = sorted({patient.label for patient in enrolled})
    if plant == "stain":
        enrolled = [
            replace(patient, shift=planting.STAIN_SHIFT) if planting.tied(patient.label, labels) else patient
            for patient in enrolled
        ]
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.part-", dir=out.parent))
    try:
        rows = _write_patients(
            part, enrolled=enrolled, images=images_per_patient, size=size, workers=workers, flaw=plant
        )
        frame = pd.DataFrame(rows, columns=["path", "patient_id", "slide_id", "cell_type"])
        frame = frame.sort_values("path", ignore_index=True)
        if plant is not None:
            frame = planting.plant(part, frame, plant, seed)
        frame.to_csv(part / "metadata.csv", index=False, lineterminator="\n")
        card = data_card(seed=seed, patients=patients, images_per_patient=images_per_patient, size=size)
        (part / "README.md").write_text(card, encoding="utf-8", newline="\n")
        about = {
            "synthetic": True,
            "version": VERSION,
            "seed": seed,
            "size": size,
            "patients": {label: patients[label] for label in CLASSES if patients.get(label)},
            "images": len(frame),
            "planted": plant,
        }
        (part / "phantom.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8", newline="\n")
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
    folder: Path, *, enrolled: list[Patient], images: int, size: int, workers: int, flaw: str | None
) -> list[tuple]:
    labels = sorted({patient.label for patient in enrolled})
    for label in labels:
        (folder / label).mkdir()
        (folder / "_truth" / label).mkdir(parents=True)
    job = partial(_write_patient, folder=folder, images=images, size=size, labels=labels, flaw=flaw)
    if workers <= 1:
        return [row for patient in enrolled for row in job(patient)]
    # Spawned, not forked: OpenCV and whatever else the caller has loaded hold threads, and a forked lock stays locked.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        return [row for rows in pool.map(job, enrolled, chunksize=4) for row in rows]


def _write_patient(
    patient: Patient, *, folder: Path, images: int, size: int, labels: list[str], flaw: str | None
) -> list[tuple]:
    tied = planting.tied(patient.label, labels)
    rows = []
    if flaw == "size" and tied:
        size += size // 4
    for number, (picture, truth, slide_id, cell_type) in enumerate(draw_patient(patient, images, size)):
        stem = f"{patient.label}/{patient.patient_id}_{number:0{max(2, len(str(images - 1)))}d}"
        shown = planting.scale_bar(picture) if flaw == "scale_bar" and tied else picture
        path = f"{stem}.jpg" if flaw == "camera" or (flaw == "format" and tied) else f"{stem}.png"
        if flaw == "camera":
            (folder / path).write_bytes(planting.camera_jpeg(shown, "B" if tied else "A"))
        else:
            how = [cv2.IMWRITE_PNG_COMPRESSION, 0] if flaw == "file_size" and tied else _PNG
            _write_image(folder / path, cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), how)
        _write_image(folder / "_truth" / f"{stem}.png", truth, _PNG)
        rows.append((path, patient.patient_id, slide_id, cell_type))
    return rows


def _write_image(path: Path, image: np.ndarray, how: list[int]) -> None:
    ok, data = cv2.imencode(path.suffix, image, how if path.suffix == ".png" else [])
    if not ok:
        raise OSError(f"OpenCV could not encode {path} ({image.shape} {image.dtype})")
    path.write_bytes(data.tobytes())
