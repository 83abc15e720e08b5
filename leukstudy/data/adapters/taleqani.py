"""Taleqani Hospital: Original/{Benign,Early,Pre,Pro}/WBC-*.jpg, or the class folders alone.

The publisher's `Segmented/` holds the same fields after an algorithm: it is passed over.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.layout import as_rows, disagree, folders_of, listing, refuse_twice, stem

CLASSES = ("Benign", "Early", "Pre", "Pro")
_NAME = re.compile(r"WBC-(?:Malignant-)?(Benign|Early|Pre|Pro)-\d+", re.IGNORECASE)


def rows(root: Path) -> pd.DataFrame:
    """One row a field, label by its class folder, which the file's name must agree with.

    Raises DataProblem: name and folder disagree, a field stands twice, or none is found.
    """
    images, _ = listing(root)
    known = {name.casefold(): name for name in CLASSES}
    records, left_out, odd = [], Counter(), 0
    for path in images:
        above = folders_of(path)
        label = next((known[name] for name in above if name in known), None)
        if "segmented" in above:
            left_out["segmented by an algorithm"] += 1
        elif label is None:
            left_out["in no folder of a class"] += 1
        else:
            found = _NAME.fullmatch(stem(path))
            odd += found is None
            if found and known[found[1].casefold()] != label:
                raise disagree(root, path, known[found[1].casefold()], label)
            records.append({"path": path, "label": label})
    refuse_twice(root, [record["path"] for record in records])
    notes = [f"{odd} file(s) are not named WBC-...-NNN: their folder alone says the class"] if odd else []
    return as_rows(
        root, records, left_out=left_out, notes=notes,
        expected="Original/{Benign,Early,Pre,Pro}/WBC-*.jpg, or these four folders alone",
    )  # fmt: skip
