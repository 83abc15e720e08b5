"""Where something is burnt into the pictures: what the audit hands on, and what `prepare.mask_boxes` paints over."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

OVERLAYS = {"image_id": "str", "source": "str", "left": "float64", "top": "float64", "right": "float64", "bottom": "float64"}  # fmt: skip
"""The columns of build/audit/overlays.csv: a row for each image and each box in which it shows something burnt in."""

# Boxes are painted over with this share of the image around the hard edges: what is burnt in has soft edges and a ground.
_MARGIN = 0.02


class Box(NamedTuple):
    """A part of an image: its sides as shares of the image's width and height, counted from the top left.

    >>> str(Box(0.866, 0.911, 1.0, 0.987).outwards())
    'x 0.86-1.00, y 0.91-0.99'
    """

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        return f"x {self.left:.2f}-{self.right:.2f}, y {self.top:.2f}-{self.bottom:.2f}"

    def outwards(self) -> "Box":
        """The box with its sides moved outwards to whole hundredths."""
        low = (float(np.floor(100 * side + 1e-6)) / 100 for side in self[:2])
        high = (float(np.ceil(100 * side - 1e-6)) / 100 for side in self[2:])
        return Box(*low, *high)

    def widened(self) -> "Box":
        """The box with the margin that is painted over around it, within the image."""
        low = (round(max(0.0, side - _MARGIN), 2) for side in self[:2])
        high = (round(min(1.0, side + _MARGIN), 2) for side in self[2:])
        return Box(*low, *high)


def overlay_table(overlays: Sequence[tuple[Box, pd.DataFrame]]) -> pd.DataFrame:
    """The boxes and the images (rows with image_id and source) that show them, with the columns of `OVERLAYS`."""
    rows = [
        (image_id, source, *box.outwards())
        for box, images in overlays
        for image_id, source in zip(images["image_id"], images["source"], strict=True)
    ]
    return pd.DataFrame(rows, columns=list(OVERLAYS)).astype(OVERLAYS)


def chosen(setting: str | Sequence[Sequence[float]], overlays: Path) -> dict[Box, list[str]]:
    """The boxes to paint over: for `auto` those of the audit (its overlays.csv) with a margin, else those of `setting`.

    Box -> image_id of the images in which the audit saw something there, the box of most images first; no images are
    named for boxes of the parameters.
    """
    if setting != "auto":
        return {Box(*map(float, box)): [] for box in setting}
    table = pd.read_csv(overlays, dtype=OVERLAYS, keep_default_na=False)
    by_box = table.groupby(list(Box._fields))["image_id"]
    boxes = {Box(*sides).widened(): image_ids.tolist() for sides, image_ids in by_box}
    return dict(sorted(boxes.items(), key=lambda item: -len(item[1])))


def one_each(kept: pd.DataFrame, boxes: Mapping[Box, Sequence[str]]) -> pd.Series:
    """The path of one image of each label: the first in which an overlay was seen, else the first; index: label."""
    seen = kept["image_id"].isin([image_id for image_ids in boxes.values() for image_id in image_ids])
    return kept.loc[seen.sort_values(ascending=False, kind="stable").index].groupby("label")["path"].first()


def sentence(setting: str | Sequence, boxes: Mapping[Box, Sequence[str]], kept: pd.DataFrame) -> str:
    """What `prepare.mask_boxes` paints over in the images of `kept`, and in how many something is burnt in there."""
    if not boxes:
        reason = "; the audit found nothing burnt in" if setting == "auto" else ""
        return f"mask_boxes: no part of the images is painted over{reason}"
    parts = []
    for box, image_ids in boxes.items():
        part = f"{box.outwards()} is painted over in all {len(kept):,} images"
        if image_ids:
            share = kept["image_id"].isin(image_ids).groupby(kept["label"]).mean()
            by_label = ", ".join(f"{label} {value:.0%}" for label, value in share.items())
            part += f"; something burnt in was seen there in {len(image_ids):,} ({by_label})"
        parts.append(part)
    return f"mask_boxes{' (auto)' if setting == 'auto' else ''}: " + "; ".join(parts)
