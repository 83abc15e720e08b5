"""Sets of pre-augmented copies: {ALL,AML,CLL,CML,H}*/<class>_original_<original>_<id>.jpg, as Augmentor names them.

All copies of one original are one group, and so is the original itself where it is there.
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data.adapters.layout import rows_of_images, stem

_COPY = re.compile(r".*?_original_(.+)_[^_]+", re.IGNORECASE)


def rows(root: Path) -> pd.DataFrame:
    """One row an image: label by the nearest folder that begins with one; `original_id` is <label>/<original's name>.

    A folder is taken for a class where its name is a label, or goes on after it with a digit or a mark
    (`H`, `ALL_augmented`, `CML-2`; not `Healthy`, but that means H too). Others are left out and counted.
    Raises DataProblem where nothing is left.
    """

    def describe(path: str) -> dict[str, str] | str:
        labels = map(_label, reversed(PurePosixPath(path).parts[:-1]))
        label = next(filter(None, labels), None)
        if label is None:
            return "in no folder of a class"
        copy = _COPY.fullmatch(stem(path))
        return {"label": label, "original_id": f"{label}/{stem(copy[1]) if copy else stem(path)}"}

    table = rows_of_images(
        root, describe, expected="{ALL,AML,CLL,CML,H}*/<class>_original_<original's name>_<id>.jpg"
    )
    if not any(_COPY.fullmatch(stem(path)) for path in table["path"]):
        table.attrs["notes"] = ["no name holds '_original_': every file is taken for an original"]
    return table


def _label(folder: str) -> str | None:
    if folder.casefold() in ("healthy", "normal"):
        return "H"
    label = re.match(r"(ALL|AML|CLL|CML|H)(?![A-Za-z])", folder, re.IGNORECASE)
    return label[1].upper() if label else None
