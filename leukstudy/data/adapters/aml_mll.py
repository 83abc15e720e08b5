"""AML-Cytomorphology of MLL and Helmholtz Munich: <genetic subtype>/<patient>/image_N.tif, at any depth.

Assumed from public code that reads the set; nobody here has seen the delivery.
"""

from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data.adapters.layout import rows_of_images

_DEPTH = 3  # subtype, patient, file


def rows(root: Path) -> pd.DataFrame:
    """One row a cell: the folder that holds it is the patient, the folder above that the label.

    Images that lie less deep are left out and counted. Raises DataProblem where nothing is left.
    """

    def describe(path: str) -> dict[str, str] | str:
        parts = PurePosixPath(path).parts
        if len(parts) < _DEPTH:
            return "not in a patient's folder within a subtype's"
        return {"label": parts[-3], "patient_id": parts[-2]}

    table = rows_of_images(root, describe, expected="<subtype>/<patient>/image_N.tif")
    labels = table.groupby("patient_id")["label"].nunique()
    twice = labels.index[labels > 1]
    if len(twice):
        table.attrs["notes"] = [f"{len(twice)} patient(s) stand under two labels, e.g. {twice[0]}"]
    return table
