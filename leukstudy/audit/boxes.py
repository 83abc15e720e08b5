"""Where something is burnt into the pictures: how the audit writes it down, and what `prepare.mask_boxes: auto` reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the image, from its top left."""

# Boxes are painted over with this share of the image around the hard edges: what is burnt in has soft edges and a ground.
_MARGIN = 0.02
_PLACE = r"x (?P<left>\d\.\d\d)-(?P<right>\d\.\d\d), y (?P<top>\d\.\d\d)-(?P<bottom>\d\.\d\d)$"


def place(box: Sequence[float]) -> str:
    """Where a box lies, in words, rounded outwards to hundredths.

    >>> place((0.866, 0.911, 1.0, 0.987))
    'x 0.86-1.00, y 0.91-0.99'
    """
    left, top = (np.floor(100 * value + 1e-6) / 100 for value in box[:2])
    right, bottom = (np.ceil(100 * value - 1e-6) / 100 for value in box[2:])
    return f"x {left:.2f}-{right:.2f}, y {top:.2f}-{bottom:.2f}"


def overlays(details: pd.DataFrame) -> dict[Box, list[str]]:
    """What to paint over, by the details of an audit: box, with a margin -> image_id of those in which it was seen.

    `details` has the columns check, image_id and note, as `leukstudy.audit` gives them. The overlay of most images
    comes first. Strokes that stand at no fixed place have no box; where nothing was found nothing is given.
    """
    rows = details[details["check"] == "overlay"]
    said = rows["note"].astype("str").str.extract(_PLACE).dropna().astype(float)
    found: dict[Box, list[str]] = {}
    sides = [said[side] for side in ("left", "top", "right", "bottom")]
    for box, own in rows.loc[said.index].groupby(sides, sort=True):
        wider = (
            *(max(0, value - _MARGIN) for value in box[:2]),
            *(min(1, value + _MARGIN) for value in box[2:]),
        )
        found[tuple(round(float(value), 2) for value in wider)] = own["image_id"].tolist()
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def chosen(setting: str | Sequence[Sequence[float]], details: Path) -> dict[Box, list[str]]:
    """The boxes of `prepare.mask_boxes`: those of the audit (its details.csv) for `auto`, else those given.

    Box -> image_id of the images in which the audit saw an overlay there; none are named for given boxes.
    """
    if setting == "auto":
        return overlays(pd.read_csv(details, usecols=["check", "image_id", "note"], dtype="str"))
    return {tuple(float(value) for value in box): [] for box in setting}


def one_each(kept: pd.DataFrame, found: Mapping[Box, Sequence[str]]) -> pd.Series:
    """The path of one image of each label: the first in which an overlay was seen, else the first; index: label."""
    seen = kept["image_id"].isin([image for images in found.values() for image in images])
    return kept.loc[seen.sort_values(ascending=False, kind="stable").index].groupby("label")["path"].first()


def sentence(setting: str | Sequence, found: Mapping[Box, Sequence[str]], kept: pd.DataFrame) -> str:
    """What `prepare.mask_boxes` paints over in the images of `kept`, and in how many something is burnt in there."""
    if not found:
        why = "; the audit found nothing burnt in" if setting == "auto" else ""
        return f"mask_boxes: no part of the images is painted over{why}"
    said = []
    for box, images in found.items():
        share = kept["image_id"].isin(images).groupby(kept["label"]).mean()
        seen = f" ({', '.join(f'{label} {part:.0%}' for label, part in share.items())})" if images else ""
        number = f"; something burnt in was seen there in {len(images):,}" if images else ""
        said.append(f"{place(box)} is painted over in all {len(kept):,} images{number}{seen}")
    return f"mask_boxes{' (auto)' if setting == 'auto' else ''}: " + "; ".join(said)
