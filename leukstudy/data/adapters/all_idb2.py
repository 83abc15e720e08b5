"""ALL-IDB2: single cells img/ImNNN_Y.tif, cropped from ALL-IDB1 (Y=1: lymphoblast of a patient with ALL)."""

from pathlib import Path

import pandas as pd

from leukstudy.data.adapters import all_idb1


def rows(root: Path) -> pd.DataFrame:
    """One row a cell: label ALL or healthy. Which field of ALL-IDB1 a cell comes from is not known."""
    return all_idb1.numbered(root, "img/ImNNN_1.tif (ALL) and img/ImNNN_0.tif (healthy)", keep_number=False)
