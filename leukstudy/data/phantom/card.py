"""The data card that is written beside every phantom."""

from leukstudy.data.phantom.draw import FIELD_UM
from leukstudy.data.phantom.morphology import CELL_TYPES, CLASSES, CLONE_FRACTION, CLONE_MIX, NORMAL_MIX
from leukstudy.data.phantom.patients import SHARES

_CARD = """\
**These are drawings, not patients' cells: nothing in this folder was seen under a microscope, and nothing
measured on it says anything about people.**

# The phantom: drawn blood smears

A teaching and testing set for the study of leukaemia detection: single white cells amid red cells and
platelets, drawn by a program (`leukstudy.data.phantom`) from published descriptions of morphology. Class,
patient, slide, cell type and outline of every picture are known without error.

| | |
| --- | --- |
| pictures | {images} PNG, {size} x {size} RGB, {pixel:.3g} um a pixel at the mean magnification |
| patients | {patients}, with {images_per_patient} pictures each from 2 slides |
| seed | {seed} |
| truth | `_truth/<class>/<name>.png`: 0 background, 128 cytoplasm, 255 nucleus of the white cell |
| metadata | `metadata.csv`: path, patient_id, slide_id, cell_type (what was drawn) |
| licence | Apache-2.0, as the program; you may also use the pictures under CC0 1.0 |

## Classes

| class | patients | pictures | what is drawn |
| --- | --- | --- | --- |
{classes}

A leukaemic patient's pictures show cells of the clone with a probability that is drawn for the patient from
{low:.0%} to {high:.0%}, and otherwise normal cells: **some pictures of leukaemic classes show a normal cell,
and no method can get these right from the picture alone.** Labels are the patient's, as in most published
sets. Normal cells are mixed with more mononuclear cells than blood holds.

| cell type | how it is drawn |
| --- | --- |
{types}

## How it is made

Cells are random outlines with random chromatin, nucleoli, granules and vacuoles, as amounts of four dyes.
Dyes absorb light by the Beer-Lambert law; lens, uneven light, tone curve and sensor noise follow. Stain,
light, focus, noise, magnification and the number of red cells vary at random between patients, slides and
images ({patient:.0%}, {slide:.0%} and {image:.0%} of the variance), **by the same distributions in every
class**: no one colour, brightness, size or file statistic tells leukaemia from health well (a test holds
every AUROC over all pictures below 0.70), and morphology does.

## Not for

Training, validating or advertising anything that is used on people; claims about how a method performs on
real smears; claims about how often any feature occurs in any disease. A model that does well here has
shown that it can learn morphology from few patients, no more.

## Limits

Only morphology that was written down is here: no artefact, variant or disease beyond the tables above. Sizes
are typical values with bell-shaped spread, not measurements. Patients differ less in stain than real
laboratories do. There is one white cell a picture, in the middle, never cut off by intent. Remission,
treatment, age, sex, other diseases of the blood and reactive conditions are absent.
"""


def data_card(*, seed: int, patients: dict[str, int], images_per_patient: int, size: int) -> str:
    """Give the text of the README.md of a phantom drawn with these arguments."""
    return _CARD.format(
        images=sum(patients.values()) * images_per_patient,
        size=size,
        pixel=FIELD_UM / size,
        patients=sum(patients.values()),
        images_per_patient=images_per_patient,
        seed=seed,
        classes="\n".join(
            f"| {label} | {patients[label]} | {patients[label] * images_per_patient} | {_mix(label)} |"
            for label in CLASSES
            if patients.get(label, 0)
        ),
        types="\n".join(f"| {name.replace('_', ' ')} | {kind.reason} |" for name, kind in CELL_TYPES.items()),
        low=CLONE_FRACTION[0],
        high=CLONE_FRACTION[1],
        **SHARES,
    )


def _mix(label: str) -> str:
    mix = CLONE_MIX.get(label, NORMAL_MIX)
    parts = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in mix.items()]
    return ("clone: " if label in CLONE_MIX else "") + ", ".join(parts)
