"""`python docs/phantom_figures.py`: draw the figures of docs/phantom.md into docs/figures, and print its table."""

import tempfile
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from leukstudy.phantom.cell_types import CELL_TYPES, CLASSES
from leukstudy.phantom.draw import FIELD_UM, draw_field, draw_image
from leukstudy.phantom.patients import enrol
from leukstudy.phantom.smear import write_phantom

SEED = 7
_MARKS = dict(zip(CLASSES, "osD^v", strict=True))


def main() -> None:
    """Draw every figure into docs/figures and print the table."""
    out = Path(__file__).with_name("figures")
    for name, rows in (("classes", classes()), ("cell-types", cell_types()), ("effects", effects())):
        _sheet(rows, out / f"phantom-{name}.jpg")
    field(out / "phantom-field.jpg")
    _sheet(flaws(), out / "phantom-flaws.jpg")
    measured = measure()
    morphology(measured, out / "phantom-morphology.png")
    print(table(measured))


def classes() -> dict[str, list[np.ndarray]]:
    """Pictures of each class, a patient a column."""
    rows = {}
    for label in CLASSES:
        patients = enrol(SEED, {label: 8})
        rows[label] = [draw_image(patient, patient.image_rng(0)).picture for patient in patients]
    return rows


def cell_types() -> dict[str, list[np.ndarray]]:
    """Every type of cell as seen in patients of all classes."""
    patients = enrol(SEED, dict.fromkeys(CLASSES, 2))
    return {
        name.replace("_", " "): [
            draw_image(
                patients[(3 * i + k) % 10], np.random.default_rng([SEED, i, k]), cell_type=name
            ).picture
            for k in range(8)
        ]
        for i, name in enumerate(CELL_TYPES)
    }


def effects() -> dict[str, list[np.ndarray]]:
    """The same kind of cell in three laboratories: two patients each, two slides a patient, two images a slide."""
    rows = {}
    for patient in sorted(enrol(SEED, {"ALL": 6}), key=lambda p: p.laboratory.laboratory_id):
        pictures = [
            draw_image(patient, patient.image_rng(k), slide=k // 2, cell_type="lymphoblast").picture
            for k in range(4)
        ]
        rows.setdefault(patient.laboratory.laboratory_id, []).extend(pictures)
    return rows


def flaws() -> dict[str, list[np.ndarray]]:
    """Pictures of health and leukaemia where something is tied to class, and a picture with its duplicates."""
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        for flaw in ("scale_bar", "stain", "duplicates"):
            folder = Path(name) / flaw
            frame = write_phantom(
                folder, seed=SEED, patients={"healthy": 4, "CML": 4}, images_per_patient=6, plant=flaw
            )
            paths = frame["path"][::6][:8].tolist()
            if flaw == "duplicates":
                planted = pd.read_csv(folder / "_truth" / "planted.csv")
                planted = planted.assign(kind=planted["detail"].str.split().str[0]).drop_duplicates("kind")
                pairs = zip(planted["detail"].str.split().str[-1], planted["path"], strict=True)
                paths = [path for pair in list(pairs)[:4] for path in pair]
            rows[flaw.replace("_", " ")] = [cv2.imread(str(folder / path))[:, :, ::-1] for path in paths]
    return rows


def field(path: Path) -> None:
    """A field of view, the same with its boxes, and its cells and nuclei."""
    patient = enrol(SEED, {"CML": 3})[1]
    drawing = draw_field(patient, np.random.default_rng(2), (360, 480))
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.0), layout="constrained")
    axes[0].imshow(drawing.picture)
    axes[1].imshow(drawing.picture)
    colours = {"red_cell": "#0072b2", "platelet": "#e69f00"}
    for thing in drawing.things:
        x0, y0, x1, y1 = thing.box
        colour = colours.get(thing.cell_type, "black")
        wide = 0.6 if thing.number == 0 else 1.6
        axes[1].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=wide))
        if thing.number:
            beside = y0 - 4 if y0 > 14 else y1 + 11  # above its box, or below where the title would be met
            axes[1].text(x0, beside, thing.cell_type.replace("_", " "), fontsize=7)
    labels = np.where(drawing.nuclei > 0, 2.0 * drawing.cells, 2.0 * drawing.cells - 0.7) * (
        drawing.cells > 0
    )
    axes[2].imshow(np.ma.masked_equal(labels, 0), cmap="viridis", interpolation="nearest")
    for axis, title in zip(
        axes, ("field of view", "boxes and types", "cells and nuclei, by number"), strict=True
    ):
        axis.set(xticks=[], yticks=[], xlim=(0, 480), ylim=(360, 0))
        axis.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 85})
    plt.close(figure)


def measure() -> pd.DataFrame:
    """Diameter, um, and N:C ratio by area of 120 cells of every class, one a patient, from the truth."""
    rows = []
    for label in CLASSES:
        for patient in enrol(SEED, {label: 120}):
            drawing = draw_image(patient, patient.image_rng(0), jpeg=None)
            mine = drawing.cells == 1
            area = float(mine.sum()) * (FIELD_UM / 96) ** 2
            ratio = float((drawing.nuclei == 1).sum() / mine.sum())
            rows.append((label, drawing.cell_type, 2 * np.sqrt(area / np.pi), ratio))
    return pd.DataFrame(rows, columns=["class", "cell_type", "diameter", "nc_ratio"])


def morphology(measured: pd.DataFrame, path: Path) -> None:
    """Size against N:C ratio of the cells of each class: the classes overlap."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for label, cells in measured.groupby("class", sort=False):
        axis.scatter(cells["diameter"], cells["nc_ratio"], s=12, marker=_MARKS[label], alpha=0.6, label=label)
    axis.set(xlabel="diameter of the cell / um", ylabel="area of the nucleus / area of the cell")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def table(measured: pd.DataFrame) -> str:
    """The mean and SD of what was drawn, by class, as Markdown."""
    lines = ["| class | diameter, um | N:C ratio by area |", "| --- | --- | --- |"]
    for label, cells in measured.groupby("class", sort=False):
        d, r = cells["diameter"], cells["nc_ratio"]
        lines.append(f"| {label} | {d.mean():.1f} (SD {d.std():.1f}) | {r.mean():.2f} (SD {r.std():.2f}) |")
    return "\n".join(lines)


def _sheet(rows: dict[str, list[np.ndarray]], path: Path) -> None:
    """Lay out pictures in named rows."""
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(9.4, 1.13 * len(rows)), squeeze=False, gridspec_kw={"hspace": 0.03}
    )
    for axis, (name, pictures) in zip(axes[:, 0], rows.items(), strict=True):
        axis.imshow(
            np.hstack(
                [cv2.copyMakeBorder(p, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in pictures]
            )
        )
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axis.spines[:].set_visible(False)
    figure.savefig(path, dpi=110, bbox_inches="tight", pad_inches=0.03, pil_kwargs={"quality": 85})
    plt.close(figure)


if __name__ == "__main__":
    main()
