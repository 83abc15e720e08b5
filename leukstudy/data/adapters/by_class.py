"""Sources whose class is the name of a folder, at any depth, whatever the letter case: PBC, Raabin."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.layout import label_above, rows_of_images


def rows_by_class(
    root: Path, classes: Mapping[str, str], *, expected: str, splits: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row an image below a folder named as a key of `classes` (in lower case), which gives its label.

    `splits` gives the official split by the name of a folder, likewise. Images in no such folder are left out and
    counted. Raises DataProblem where nothing is left.
    """

    def describe(path: str) -> dict[str, str] | str:
        label = label_above(path, classes)
        split = label_above(path, splits) if splits else ""
        if label is None:
            return "in no folder of a class"
        if split is None:
            return "in no folder of an official split"
        return {"label": label, "official_split": split}

    return rows_of_images(root, describe, expected=expected)
