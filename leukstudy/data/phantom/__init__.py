"""The phantom: drawn blood smears whose class, outline, patient and stain are known.

`morphology` says what the cells of a class look like, `texture` and `shapes` draw their parts, `smear_field`
the red cells and platelets around them, `optics` stains and photographs the whole, `draw` puts one image
together, and `smear` enrols patients and writes the folder. The pictures are drawings: they carry the
structure of the problem (classes that overlap, patients that differ), not evidence about any patient.
"""

from leukstudy.data.phantom.draw import draw_cell, draw_image
from leukstudy.data.phantom.morphology import CELL_TYPES, CLASSES, draw_cell_type
from leukstudy.data.phantom.patients import Patient, enrol
from leukstudy.data.phantom.smear import write_phantom

__all__ = [
    "CELL_TYPES",
    "CLASSES",
    "Patient",
    "draw_cell",
    "draw_cell_type",
    "draw_image",
    "enrol",
    "write_phantom",
]
