"""Sources whose class is the name of a folder, at any depth, whatever the letter case: PBC, Raabin."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.layout import as_rows, folders_of, listing


def rows_by_class(
    root: Path, classes: Mapping[str, str], *, expected: str, splits: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row an image below a folder named as a key of `classes` (in lower case), which gives its label.

    `splits` gives the official split by the name of a folder, likewise. Images in no such folder are left out and counted.
    Raises DataProblem where nothing is left.
    """
    images, _ = listing(root)
    records, left_out = [], Counter()
    for path in images:
        above = folders_of(path)
        label = next((classes[name] for name in above if name in classes), None)
        split = next((splits[name] for name in above if name in splits), None) if splits else ""
        if label is None:
            left_out["in no folder of a class"] += 1
        elif split is None:
            left_out["in no folder of an official split"] += 1
        else:
            records.append({"path": path, "label": label, "official_split": split})
    return as_rows(root, records, expected=expected, left_out=left_out)
