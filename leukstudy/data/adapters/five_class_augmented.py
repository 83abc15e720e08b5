"""Sets of pre-augmented copies: {ALL,AML,CLL,CML,H}*/<class>_original_<original>_<id>.jpg, as Augmentor names them.

All copies of one original are one group, and so is the original itself where it is there.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data.adapters.layout import as_rows, listing, stem

_COPY = re.compile(r".*?_original_(.+)_[^_]+", re.IGNORECASE)


def rows(root: Path) -> pd.DataFrame:
    """One row an image: label by the nearest folder that begins with one; `original_id` is <label>/<original's name>.

    A folder is taken for a class where its name is a label, or goes on after it with a digit or a mark
    (`H`, `ALL_augmented`, `CML-2`; not `Healthy`, but that means H too). Others are left out and counted.
    Raises DataProblem where nothing is left.
    """
    images, _ = listing(root)
    records, left_out, copies = [], Counter(), 0
    for path in images:
        label = next(
            (found for part in reversed(PurePosixPath(path).parts[:-1]) if (found := _label(part))), None
        )
        if label is None:
            left_out["in no folder of a class"] += 1
            continue
        copy = _COPY.fullmatch(stem(path))
        copies += copy is not None
        original = stem(copy[1]) if copy else stem(path)
        records.append({"path": path, "label": label, "original_id": f"{label}/{original}"})
    notes = [] if copies else ["no name holds '_original_': every file is taken for an original"]
    return as_rows(
        root, records, left_out=left_out, notes=notes,
        expected="{ALL,AML,CLL,CML,H}*/<class>_original_<original's name>_<id>.jpg",
    )  # fmt: skip


def _label(folder: str) -> str | None:
    if folder.casefold() in ("healthy", "normal"):
        return "H"
    found = re.match(r"(ALL|AML|CLL|CML|H)(?![A-Za-z])", folder, re.IGNORECASE)
    return found[1].upper() if found else None
