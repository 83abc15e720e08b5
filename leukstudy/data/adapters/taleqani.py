"""Taleqani Hospital: Original/{Benign,Early,Pre,Pro}/WBC-*.jpg, or the class folders alone.

The publisher's `Segmented/` holds the same fields after an algorithm: it is passed over.
"""

import re
from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.layout import (
    disagree,
    folders_of,
    label_above,
    refuse_twice,
    rows_of_images,
    stem,
)

CLASSES = ("Benign", "Early", "Pre", "Pro")
_NAME = re.compile(r"WBC-(?:Malignant-)?(Benign|Early|Pre|Pro)-\d+", re.IGNORECASE)


def rows(root: Path) -> pd.DataFrame:
    """One row a field, label by its class folder, which the file's name must agree with.

    Raises DataProblem: name and folder disagree, a field stands twice, or none is found.
    """
    labels = {name.casefold(): name for name in CLASSES}

    def describe(path: str) -> dict[str, str] | str:
        if "segmented" in folders_of(path):
            return "segmented by an algorithm"
        label = label_above(path, labels)
        if label is None:
            return "in no folder of a class"
        name = _NAME.fullmatch(stem(path))
        if name and labels[name[1].casefold()] != label:
            raise disagree(root, path, labels[name[1].casefold()], label)
        return {"label": label}

    expected = "Original/{Benign,Early,Pre,Pro}/WBC-*.jpg, or these four folders alone"
    table = rows_of_images(root, describe, expected=expected)
    refuse_twice(root, table["path"])
    odd = sum(_NAME.fullmatch(stem(path)) is None for path in table["path"])
    if odd:
        table.attrs["notes"] = [f"{odd} file(s) are not named WBC-...-NNN: their folder alone says the class"]
    return table
