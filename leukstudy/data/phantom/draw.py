"""One picture and its truth: a white cell in the middle of a smear."""

import math

import cv2
import numpy as np

from leukstudy.data.phantom.cell import draw_white_cell
from leukstudy.data.phantom.morphology import CELL_TYPES, draw_cell_type
from leukstudy.data.phantom.optics import photograph
from leukstudy.data.phantom.patients import Patient, image_effects
from leukstudy.data.phantom.shapes import canvas
from leukstudy.data.phantom.surroundings import draw_surroundings

FIELD_UM = 24.0  # side of the picture; at 96 pixels one pixel is 0.25 um
SUPERSAMPLE = 2
BACKGROUND, CYTOPLASM, NUCLEUS = 0, 128, 255  # values of the truth mask (Zheng et al., 2018)


def draw_image(
    label: str, patient: Patient, rng: np.random.Generator, size: int = 96, *, slide: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one single-cell image of a patient of class `label`, the kind of cell drawn at random.

    Returns the picture (size, size, 3) uint8 RGB and its truth (size, size) uint8: 0 background, 128
    cytoplasm, 255 nucleus of the white cell. Raises ValueError for an unknown label or a size below 32.
    """
    return draw_cell(draw_cell_type(label, patient.clone_fraction, rng), patient, rng, size, slide=slide)


def draw_cell(
    cell_type: str, patient: Patient, rng: np.random.Generator, size: int = 96, *, slide: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one cell of a named type (a key of CELL_TYPES) as it looks in this patient; as `draw_image`."""
    if cell_type not in CELL_TYPES:
        raise ValueError(f"cell type {cell_type!r} is unknown; expected one of {', '.join(CELL_TYPES)}")
    if size < 32:
        raise ValueError(f"size {size} is too small to show a cell; expected at least 32 pixels")
    effects = image_effects(patient, slide, rng)
    n = size * SUPERSAMPLE
    um = n / FIELD_UM * math.exp(effects["magnification"])
    right, down = (rng.normal(0, 0.55, 2).clip(-1.2, 1.2) * um).tolist()
    dyes, cell, nucleus = draw_white_cell(
        CELL_TYPES[cell_type], canvas(n, um, (right, down)), bias=patient.size_bias, rng=rng
    )
    dyes += draw_surroundings(cell, um, math.exp(effects["crowding"]), rng)
    return photograph(dyes, effects, size, rng), _truth(cell, nucleus, size)


def _truth(cell: np.ndarray, nucleus: np.ndarray, size: int) -> np.ndarray:
    """Give the truth at the picture's resolution: a pixel belongs to what covers at least half of it."""
    truth = np.full((size, size), BACKGROUND, np.uint8)
    for field, value in ((cell, CYTOPLASM), (nucleus, NUCLEUS)):
        cover = cv2.resize((field > 0).astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
        truth[cover >= 0.5] = value
    return truth
