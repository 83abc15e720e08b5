"""segmentation_WBC (Zheng 2018): NNN.bmp with its mask NNN.png, types in a CSV beside the folder or in it.

    Dataset 1/001.bmp, 001.png ...          Class Labels of Dataset 1.csv
    Dataset 2/001.bmp, 001.png ...          Class Labels of Dataset 2.csv

or one dataset alone, flat, with labels.csv. Masks hold 0 background, 128 cytoplasm, 255 nucleus: above 64 is
cell, above 192 nucleus.
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import listing, pair_masks, read_text_table, rows_of_images, stem

_EXPECTED = "NNN.bmp with masks NNN.png, and a CSV 'image ID,class label' (labels.csv or Class Labels of Dataset N.csv)"


def rows(root: Path) -> pd.DataFrame:
    """One row an image; the label is 'type N', N as in the CSV: which cell it means is not said anywhere.

    Images that the CSV does not name are left out and counted. Raises DataProblem where there is no CSV, where it
    names an image twice, or where no image is left.
    """
    images, others = listing(root)
    smears = [
        path for path in images if path.lower().endswith(".bmp")
    ]  # not masks, nor the README's pictures
    types = _types(Path(root), [path for path in others if path.lower().endswith(".csv")])
    listed = {dataset for dataset, _ in types}
    there = {_dataset(path) for path in smears}
    # One dataset alone, whose folder or CSV does not say which it is.
    (alone,) = listed if len(listed) == len(there) == 1 and "" in listed | there else (None,)
    used = set()

    def describe(path: str) -> dict[str, str] | str:
        key = (_dataset(path) if alone is None else alone, stem(path).lstrip("0"))
        if key not in types:
            return "image that no CSV names"
        used.add(key)
        return {"label": f"type {types[key]}"}

    table = rows_of_images(root, describe, expected=_EXPECTED, images=smears)
    absent = len(types) - len(used)
    if absent:
        table.attrs["notes"] = [f"the CSV names {absent} image(s) that are not there"]
    return table


def masks(root: Path) -> pd.DataFrame:
    """The mask of each image that has one: path, mask_path. The mask's pixels are 0, 128 or 255."""

    def key(path: str) -> str:
        return str(PurePosixPath(path).with_suffix("")).casefold()

    by_image = {key(path): path for path in listing(root)[0] if path.lower().endswith(".png")}
    return pair_masks(rows(root)["path"], by_image, key)


def _dataset(text: str) -> str:
    """The number of the dataset that a file's path names; '' where it names none."""
    number = re.search(r"dataset\s*_?([12])", text, re.IGNORECASE)
    return number[1] if number else ""


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
