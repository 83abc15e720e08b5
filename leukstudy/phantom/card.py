"""The data card that is written beside every phantom: card.md, filled in."""

from pathlib import Path

from leukstudy.phantom.cell_types import CELL_TYPES, CLASSES, CLONE_MIX, NORMAL_MIX
from leukstudy.phantom.draw import FIELD_UM, PIXEL_UM
from leukstudy.phantom.patients import CLONE_FRACTION, SHARES, SLIDES
from leukstudy.phantom.plant import FLAWS

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
    card = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    return card.format(
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
