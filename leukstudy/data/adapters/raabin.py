"""Raabin-WBC, double-labelled crops: {Train,TestA,TestB}/<type>/."""

from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.by_class import rows_by_class

CLASSES = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
SPLITS = {
    "train": "train", "traindata": "train", "testa": "test", "testb": "test",
    "test-a": "test", "test-b": "test", "test_a": "test", "test_b": "test",
}  # fmt: skip
"""Folder, in lower case -> official split; the spellings with a hyphen or underscore are a precaution."""


def rows(root: Path) -> pd.DataFrame:
    """One row a cell, label by its folder (a cell type), official split train or test."""
    return rows_by_class(
        root, {name.casefold(): name for name in CLASSES}, splits=SPLITS,
        expected="{Train,TestA,TestB}/<type>/, <type> being one of " + ", ".join(CLASSES),
    )  # fmt: skip
