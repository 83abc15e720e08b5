"""AML-Cytomorphology of MLL and Helmholtz Munich: <genetic subtype>/<patient>/image_N.tif, at any depth.

Assumed from public code that reads the set; nobody here has seen the delivery.
"""

from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data.adapters.layout import as_rows, listing

_DEPTH = 3  # subtype, patient, file


def rows(root: Path) -> pd.DataFrame:
    """One row a cell: the folder that holds it is the patient, the folder above that the label.

    Images that lie less deep are left out and counted. Raises DataProblem where nothing is left.
    """
    images, _ = listing(root)
    records, left_out, labels = [], Counter(), {}
    for path in images:
        parts = PurePosixPath(path).parts
        if len(parts) < _DEPTH:
            left_out["not in a patient's folder within a subtype's"] += 1
            continue
        label, patient = parts[-3:-1]
        labels.setdefault(patient, set()).add(label)
        records.append({"path": path, "label": label, "patient_id": patient})
    twice = sorted(patient for patient, found in labels.items() if len(found) > 1)
    notes = [f"{len(twice)} patient(s) stand under two labels, e.g. {twice[0]}"] if twice else []
    return as_rows(root, records, left_out=left_out, notes=notes, expected="<subtype>/<patient>/image_N.tif")
