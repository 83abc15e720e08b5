"""segmentation_WBC (Zheng 2018): NNN.bmp with its mask NNN.png, types in a CSV beside the folder or in it.

    Dataset 1/001.bmp, 001.png ...          Class Labels of Dataset 1.csv
    Dataset 2/001.bmp, 001.png ...          Class Labels of Dataset 2.csv

or one dataset alone, flat, with labels.csv. Masks hold 0 background, 128 cytoplasm, 255 nucleus: above 64 is
cell, above 192 nucleus.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import as_rows, listing, read_text_table, stem

_EXPECTED = "NNN.bmp with masks NNN.png, and a CSV 'image ID,class label' (labels.csv or Class Labels of Dataset N.csv)"


def rows(root: Path) -> pd.DataFrame:
    """One row an image; the label is 'type N', N as in the CSV: which cell it means is not said anywhere.

    Images that the CSV does not name are left out and counted. Raises DataProblem where there is no CSV, where it
    names an image twice, or where no image is left.
    """
    images, others = listing(root)
    types = _types(Path(root), [path for path in others if path.lower().endswith(".csv")])
    smears = [
        path for path in images if path.lower().endswith(".bmp")
    ]  # not masks, nor the README's pictures
    listed = {dataset for dataset, _ in types}
    there = {_dataset(str(PurePosixPath(path).parent)) for path in smears}
    records, left_out, used = [], Counter(), set()
    for path in smears:
        dataset = _dataset(str(PurePosixPath(path).parent))
        if len(listed) == len(there) == 1 and "" in listed | there:
            (dataset,) = listed  # one dataset alone, whose folder or CSV does not say which it is
        key = (dataset, stem(path).lstrip("0"))
        if key not in types:
            left_out["image that no CSV names"] += 1
            continue
        used.add(key)
        records.append({"path": path, "label": f"type {types[key]}"})
    absent = len(types) - len(used)
    notes = [f"the CSV names {absent} image(s) that are not there"] if absent else []
    return as_rows(root, records, expected=_EXPECTED, left_out=left_out, notes=notes)


def masks(root: Path) -> pd.DataFrame:
    """The mask of each image that has one: path, mask_path. The mask's pixels are 0, 128 or 255."""
    images, _ = listing(root)
    known = {
        str(PurePosixPath(path).with_suffix("")).casefold(): path
        for path in images
        if path.lower().endswith(".png")
    }
    found = [
        (path, known.get(str(PurePosixPath(path).with_suffix("")).casefold())) for path in rows(root)["path"]
    ]
    return pd.DataFrame([pair for pair in found if pair[1]], columns=["path", "mask_path"], dtype="str")


def _dataset(text: str) -> str:
    """The number of the dataset that a folder or a CSV belongs to; '' where it is not said."""
    found = re.search(r"dataset\s*_?([12])", text, re.IGNORECASE)
    return found[1] if found else ""


def _types(root: Path, files: list[str]) -> dict[tuple[str, str], str]:
    types: dict[tuple[str, str], str] = {}
    for file in files:
        table = read_text_table(root / file)
        table.columns = table.columns.str.casefold()
        kind = next((name for name in ("class label", "class") if name in table.columns), None)
        if "image id" not in table.columns or kind is None:
            continue
        for number, label in zip(table["image id"].str.strip(), table[kind].str.strip(), strict=True):
            key = (_dataset(file), number.lstrip("0"))
            if types.setdefault(key, label) != label:
                raise DataProblem(f"{root / file}: image {number} stands twice, with two types; mend it")
    if not types:
        raise DataProblem(f"{root}: no CSV of cell types found. Expected: {_EXPECTED}")
    return types
