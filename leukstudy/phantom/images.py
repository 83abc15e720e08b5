"""One patient's pictures and their truth as files, and the rows that describe them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from leukstudy.phantom import plant as planting
from leukstudy.phantom.draw import Drawing, draw_field, draw_image
from leukstudy.phantom.patients import SLIDES, Entry, Patient, admit

METADATA = ("path", "patient_id", "slide_id", "laboratory", "cell_type", "white_cells")
BOXES = ("path", "cell", "cell_type", "x0", "y0", "x1", "y1", "cx", "cy")

# Run lengths only: of noisy pictures, smaller than zlib's default search for repeats and four times as fast.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 5, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_STORED = [cv2.IMWRITE_PNG_COMPRESSION, 0]


def slide_of(image: int, images: int) -> int:
    """Give the slide of a patient's picture: slides are taken in turn, each with its share of the pictures."""
    return image * SLIDES // images


def draw_picture(
    patient: Patient, image: int, *, images: int, shape: tuple[int, int], field: bool, jpeg
) -> Drawing:
    """Draw the picture number `image` of `images` of one patient; the same whatever is drawn besides."""
    rng, slide = patient.image_rng(image), slide_of(image, images)
    if field:
        return draw_field(patient, rng, shape, slide=slide, jpeg=jpeg)
    return draw_image(patient, rng, shape[0], slide=slide, jpeg=jpeg)


def write_patient(
    job: tuple[Entry, int],
    *,
    folder: Path,
    labels: list[str],
    images: int,
    shape: tuple[int, int],
    field: bool,
    jpeg: tuple[int, int] | None,
    flaw: str | None,
) -> tuple[list[tuple], list[tuple]]:
    """Write the first pictures of a patient and give their rows, as METADATA, and those of their cells, as BOXES."""
    entry, wanted = job
    patient = admit(entry)
    tied = planting.tied(patient.label, labels)
    if flaw == "stain" and tied:
        patient = replace(patient, shift=planting.STAIN_SHIFT)
    if flaw == "size" and tied:
        shape = tuple(side + side // 4 for side in shape)
    rows, boxes = [], []
    for image in range(wanted):
        drawing = draw_picture(patient, image, images=images, shape=shape, field=field, jpeg=jpeg)
        stem = f"{patient.label}/{patient.patient_id}_{image:0{max(2, len(str(images - 1)))}d}"
        path = _write_picture(folder, stem, drawing.picture, flaw=flaw, tied=tied)
        write_image(folder / "_truth" / f"{stem}.png", drawing.truth, _PNG)
        slide = patient.slide_id(slide_of(image, images))
        laboratory = patient.laboratory.laboratory_id
        rows.append((path, patient.patient_id, slide, laboratory, drawing.cell_type, drawing.white_cells))
        if field:
            write_image(folder / "_truth" / "instances" / f"{stem}.png", drawing.cells, _PNG)
            boxes += [
                (path, thing.number, thing.cell_type, *thing.box, f"{thing.cx:.2f}", f"{thing.cy:.2f}")
                for thing in drawing.things
            ]
    return rows, boxes


def _write_picture(folder: Path, stem: str, picture: np.ndarray, *, flaw: str | None, tied: bool) -> str:
    """Write a picture as its flaw asks; give its path relative to the folder."""
    if flaw == "scale_bar" and tied:
        picture = planting.scale_bar(picture)
    path = f"{stem}.jpg" if flaw == "camera" or (flaw == "format" and tied) else f"{stem}.png"
    if flaw == "camera":
        (folder / path).write_bytes(planting.camera_jpeg(picture, "B" if tied else "A"))
    else:
        settings = _STORED if flaw == "file_size" and tied else _PNG
        write_image(folder / path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    return path


def write_image(path: Path, image: np.ndarray, png: list[int]) -> None:
    """Write an image (BGR, grey or labels) as its suffix says, with `png` settings. Raises OSError where it fails."""
    ok, data = cv2.imencode(path.suffix, image, png if path.suffix == ".png" else [])
    if not ok:
        raise OSError(f"OpenCV could not encode {path} ({image.shape} {image.dtype})")
    path.write_bytes(data.tobytes())
