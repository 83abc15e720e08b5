"""The data card that is written beside every phantom."""

from leukstudy.phantom.cell_types import CELL_TYPES, CLASSES, CLONE_MIX, NORMAL_MIX
from leukstudy.phantom.draw import FIELD_UM, PIXEL_UM
from leukstudy.phantom.patients import CLONE_FRACTION, SHARES, SLIDES
from leukstudy.phantom.plant import FLAWS

_CARD = """\
**These are drawings, not patients' cells: nothing in this folder was seen under a microscope, and nothing
measured on it says anything about people.**
{planted}
# The phantom: drawn blood smears

A teaching and testing set for the study of leukaemia detection: {what} drawn by a program
(`leukstudy.phantom`) from published descriptions of morphology. Class, laboratory, patient, slide, cell
types and outlines of every picture are known without error. The model is described in `docs/phantom.md`.

| | |
| --- | --- |
| pictures | {images:,} PNG, {height} x {width} RGB, {pixel:.3g} um a pixel at the mean magnification |
| patients | {patients:,}, with {images_per_patient} pictures each from {slides} slides |
| laboratories | {laboratories}, which share the patients of every class alike |
| files | {jpeg} |
| seed | {seed}, version {version} of the model |
| truth | `_truth/<class>/<name>.png`: 0 background, 128 cytoplasm, 255 nucleus, of every white cell in view |
{fields}| metadata | `metadata.csv`: path, patient_id, slide_id, laboratory, cell_type (of the cell in the middle; empty for fields), white_cells (in view, whole or cut) |
| licence | Apache-2.0, as the program; you may also use the pictures under CC0 1.0 |

## Classes

| class | patients | cells, on average over patients |
| --- | --- | --- |
{classes}

A leukaemic patient's white cells belong to the clone with a probability of about {clone:.0%} (it differs between
laboratories, patients, slides and images), and are otherwise normal: **some pictures of leukaemic classes show a
normal cell, and no method can get these right from the picture alone.** Labels are the patient's, as in most
published sets. Normal cells are mixed with more mononuclear cells than blood holds.

| cell type | how it is drawn |
| --- | --- |
{types}

## How it is made

Cells are random outlines with random chromatin, nucleoli, granules and vacuoles, as amounts of four dyes.
Dyes absorb light by the Beer-Lambert law; lens, uneven light, tone curve, sharpening, sensor noise and a JPEG
file follow. Stain, light, focus, noise, magnification, the number of red cells, dirt and the share of the clone
vary at random between laboratories, patients, slides and images ({laboratory:.0%}, {patient:.0%}, {slide:.0%} and
{image:.0%} of the variance), **by the same distributions in every class**: in the embedded phantom no one colour,
brightness, size or file statistic tells leukaemia from health well (a test holds every AUROC over all pictures
below 0.65), and morphology does.

## Not for

Training, validating or advertising anything that is used on people; claims about how a method performs on
real smears; claims about how often any feature occurs in any disease. A model that does well here has
shown that it can learn morphology from few patients, no more.

## Limits

Only morphology that was written down is here: no artefact, variant or disease beyond the tables above. Sizes
are typical values with bell-shaped spread, not measurements. Laboratories differ less in stain than real
ones do. Remission, treatment, age, sex, other diseases of the blood and reactive conditions are absent.
"""
_FIELDS = """\
| cells | `_truth/instances/<class>/<name>.png` (uint16): the number of each white cell |
| boxes | `boxes.csv`: path, cell (its number; 0 for red cells and platelets), cell_type, x0, y0, x1, y1 (x1, y1 exclusive), cx, cy, in pixels |
"""
_PLANTED = """
**A flaw was planted here on purpose: {what}. `_truth/planted.csv` says where.**
"""


def data_card(about: dict) -> str:
    """Give the text of README.md of the phantom that `about`, the content of its phantom.json, describes."""
    field = about["kind"] == "fields of view"
    height, width = about["size"]
    jpeg = about["jpeg"]
    shown = {label: about["patients"][label] for label in CLASSES if about["patients"].get(label)}
    return _CARD.format(
        planted=_PLANTED.format(what=FLAWS[about["planted"]]) if about["planted"] else "",
        what="fields of view" if field else "single white cells amid red cells and platelets,",
        images=about["images"],
        height=height,
        width=width,
        pixel=PIXEL_UM if field else FIELD_UM / width,
        patients=sum(shown.values()),
        images_per_patient=about["images_per_patient"],
        slides=SLIDES,
        laboratories=about["laboratories"],
        jpeg=f"PNG, of pictures that went through a JPEG file of quality {jpeg[0]} to {jpeg[1]}, by laboratory"
        if jpeg
        else "PNG, never JPEG",
        seed=about["seed"],
        version=about["version"],
        fields=_FIELDS if field else "",
        classes="\n".join(f"| {label} | {count:,} | {_mix(label)} |" for label, count in shown.items()),
        types="\n".join(f"| {name.replace('_', ' ')} | {kind.reason} |" for name, kind in CELL_TYPES.items()),
        clone=CLONE_FRACTION,
        **SHARES,
    )


def _mix(label: str) -> str:
    mix = CLONE_MIX.get(label, NORMAL_MIX)
    parts = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in mix.items()]
    return ("clone: " if label in CLONE_MIX else "") + ", ".join(parts)
