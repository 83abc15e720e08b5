"""PBC (Barcelona): PBC_dataset_normal_DIB/<class>/<PREFIX>_<n>.jpg, normal cells of eight types."""

from pathlib import Path

import pandas as pd

from leukstudy.data.adapters.by_class import rows_by_class

CLASSES = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")


def rows(root: Path) -> pd.DataFrame:
    """One row a cell, label by its folder (a cell type). The prefix in the name (SNE, MMY, ...) is not used."""
    return rows_by_class(
        root,
        {name: name for name in CLASSES},
        expected="<class>/<PREFIX>_<n>.jpg, <class> being one of " + ", ".join(CLASSES),
    )
