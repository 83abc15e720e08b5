"""Pictures and their truth: one white cell in the middle of a piece of smear, or a whole field of view."""

import math
from dataclasses import dataclass

import numpy as np

from leukstudy.phantom.cell_types import CELL_TYPES
from leukstudy.phantom.optics import photograph, through_jpeg
from leukstudy.phantom.patients import Patient, image_effects
from leukstudy.phantom.scene import (
    SUPERSAMPLE,
    Scene,
    Thing,
    add_white_cell,
    draw_radius,
    empty_scene,
    flatten,
)
from leukstudy.phantom.surroundings import draw_surroundings

FIELD_UM = 24.0  # side of the picture of one cell; at 96 pixels one pixel is 0.25 um
PIXEL_UM = 0.25  # of a field of view
BACKGROUND, CYTOPLASM, NUCLEUS = 0, 128, 255  # values of the truth mask (Zheng et al., 2018)
JPEG = (72, 94)  # worst and best quality of the laboratories' cameras
NEIGHBOUR = 0.08  # probability that another white cell touches the one in the middle
# White cells a field of 160 x 120 um: median in health and in leukaemia, and SD of the log between patients and
# between fields of one. Counts overlap: leukaemia may come with few cells, and a field of health is chosen for cells.
WHITE_CELLS = {"healthy": 2.5, "leukaemia": 5.0}
_WHITE_CELLS_SD = (0.35, 0.45)
LEAST = 32  # pixels a side


@dataclass(frozen=True)
class Drawing:
    """A picture and its truth."""

    picture: np.ndarray  # (H, W, 3) uint8 RGB
    cells: np.ndarray  # (H, W) uint16: the number of the white cell, 0 elsewhere
    nuclei: np.ndarray  # likewise; nuclei lie in their cells
    things: tuple[Thing, ...]  # every white cell and, of a field, then every red cell and platelet
    cell_type: str = ""  # of the white cell in the middle; empty for a field of view

    @property
    def truth(self) -> np.ndarray:
        """The truth mask (H, W) uint8: 0 background, 128 cytoplasm, 255 nucleus, of all white cells."""
        truth = np.where(self.cells > 0, np.uint8(CYTOPLASM), np.uint8(BACKGROUND))
        truth[self.nuclei > 0] = NUCLEUS
        return truth

    @property
    def white_cells(self) -> int:
        """How many white cells are in view, whole or in part."""
        return int(sum(thing.number > 0 for thing in self.things))


def draw_image(
    patient: Patient,
    rng: np.random.Generator,
    size: int = 96,
    *,
    slide: int = 0,
    cell_type: str | None = None,
    jpeg: tuple[int, int] | None = JPEG,
) -> Drawing:
    """Draw one white cell of a patient in the middle of (size, size) pixels that show 24 x 24 um of smear.

    `cell_type` is a key of CELL_TYPES, or is drawn from the patient's mix. `jpeg` is the range of qualities of
    JPEG files that the picture has been through, None for none. Raises ValueError for an unknown type or a size
    below 32.
    """
    if cell_type is not None and cell_type not in CELL_TYPES:
        raise ValueError(f"cell type {cell_type!r} is unknown; expected one of {', '.join(CELL_TYPES)}")
    effects = image_effects(patient, slide, rng)
    kind = cell_type or patient.cell_type(effects, rng)
    scene = _scene((size, size), size / FIELD_UM, effects)
    middle = (size * SUPERSAMPLE - 1) / 2
    off = rng.normal(0, 0.55, 2).clip(-1.2, 1.2) * scene.um
    at = middle + float(off[0]), middle + float(off[1])
    sized = draw_radius(kind, scene.um, patient.bias, rng)
    add_white_cell(scene, kind, at, sized=sized, bias=patient.bias, rng=rng)
    if rng.random() < NEIGHBOUR:
        _neighbour(scene, patient, effects, at=at, radius=sized[1], rng=rng)
    return _finish(scene, patient, effects, rng=rng, jpeg=jpeg, cell_type=kind)


def draw_field(
    patient: Patient,
    rng: np.random.Generator,
    shape: tuple[int, int] = (480, 640),
    *,
    slide: int = 0,
    pixel_um: float = PIXEL_UM,
    jpeg: tuple[int, int] | None = JPEG,
) -> Drawing:
    """Draw a field of view of `shape` (height, width) pixels of `pixel_um` micrometres, as `draw_image` else.

    White cells lie singly, touching, or pressed against each other, and may be cut by the edge; nobody photographs a field without one.
    """
    effects = image_effects(patient, slide, rng)
    scene = _scene(shape, 1 / pixel_um, effects, notes=True)
    h, w = scene.white.shape
    median = WHITE_CELLS["leukaemia" if patient.clone else "healthy"]
    spread = _WHITE_CELLS_SD[0] * patient.effects["crowding"] + _WHITE_CELLS_SD[1] * rng.standard_normal()
    expected = median * math.exp(spread) * h * w / scene.um**2 / (160 * 120)
    for _ in range(max(1, int(rng.poisson(expected)))):
        kind = patient.cell_type(effects, rng)
        sized = draw_radius(kind, scene.um, patient.bias, rng)
        at = _free_place(scene, sized[1], rng)
        if at is not None:
            add_white_cell(scene, kind, at, sized=sized, bias=patient.bias, rng=rng)
    return _finish(scene, patient, effects, rng=rng, jpeg=jpeg, cell_type="")


def _scene(shape: tuple[int, int], per_um: float, effects: dict[str, float], notes: bool = False) -> Scene:
    if min(shape) < LEAST:
        raise ValueError(f"size {min(shape)} is too small to show a cell; expected at least {LEAST} pixels")
    return empty_scene(shape, per_um * SUPERSAMPLE * math.exp(effects["magnification"]), notes)


def _neighbour(scene, patient, effects, *, at, radius, rng):
    """Add a second white cell that touches the first, on whichever side."""
    kind = patient.cell_type(effects, rng)
    sized = draw_radius(kind, scene.um, patient.bias, rng)
    away = (radius + sized[1]) * rng.uniform(0.88, 1.12)
    angle = rng.uniform(0, 2 * math.pi)
    at = at[0] + away * math.cos(angle), at[1] + away * math.sin(angle)
    add_white_cell(scene, kind, at, sized=sized, bias=patient.bias, rng=rng)


def _free_place(scene, radius, rng):
    """Find a place for a white cell: mostly free, at times against another one, never more than a little over it."""
    h, w = scene.white.shape
    for _ in range(12):
        if scene.discs and rng.random() < 0.25:
            x, y, other = scene.discs[int(rng.random() * len(scene.discs))]
            away, angle = (radius + other) * rng.uniform(0.9, 1.05), rng.uniform(0, 2 * math.pi)
            at = x + away * math.cos(angle), y + away * math.sin(angle)
        else:
            at = tuple(rng.uniform(-0.5 * radius, a + 0.5 * radius) for a in (w, h))
        inside = -0.5 * radius < at[0] < w + 0.5 * radius and -0.5 * radius < at[1] < h + 0.5 * radius
        if inside and all(math.hypot(x - at[0], y - at[1]) > 0.88 * (r + radius) for x, y, r in scene.discs):
            return at
    return None


def _finish(scene, patient, effects, *, rng, jpeg, cell_type):
    draw_surroundings(scene, math.exp(effects["crowding"]), math.exp(effects["debris"]), rng)
    laboratory = patient.laboratory
    picture = photograph(
        flatten(scene), scene.um, scene.shape, effects=effects, laboratory=laboratory, rng=rng
    )
    if jpeg is not None:
        picture = through_jpeg(picture, round(jpeg[0] + laboratory.jpeg * (jpeg[1] - jpeg[0])))
    things = sorted(scene.things, key=lambda thing: thing.number == 0)
    return Drawing(np.ascontiguousarray(picture), scene.cells, scene.nuclei, tuple(things), cell_type)
