"""The phantom: drawn blood smears whose class, outlines, patient and stain are known.

`cell_types` says what the cells of a class look like, `noise` and `shapes` draw their parts, `cell` and
`nucleus` one white cell, `surroundings` the red cells, platelets and dirt, `scene` lays them on one piece of
slide and keeps the truth, `optics` stains and photographs it, `draw` makes a picture of one cell or a field of
view, `patients` enrols patients in laboratories, `smear` writes the folder, and `plant` spoils it on purpose.
The pictures are drawings: they carry the structure of the problem (classes that overlap, patients and
laboratories that differ), not evidence about any patient. docs/phantom.md describes the model.
"""

from leukstudy.phantom.cell_types import CELL_TYPES, CLASSES
from leukstudy.phantom.draw import Drawing, draw_field, draw_image
from leukstudy.phantom.patients import Laboratory, Patient, enrol
from leukstudy.phantom.plant import FLAWS
from leukstudy.phantom.smear import allot, write_phantom

__all__ = [
    "CELL_TYPES", "CLASSES", "FLAWS", "Drawing", "Laboratory", "Patient", "allot", "draw_field", "draw_image", "enrol",
    "write_phantom",
]  # fmt: skip
