"""AML-Cytomorphology of LMU Munich: <TYPE>/<TYPE>_NNNN.tiff (RGBA), with an optional annotations.dat."""

from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import disagree, label_above, listing, refuse_twice, rows_of_images, stem

TYPES = {
    "BAS": "basophil", "EBO": "erythroblast", "EOS": "eosinophil", "KSC": "smudge cell",
    "LYA": "atypical lymphocyte", "LYT": "typical lymphocyte", "MMZ": "metamyelocyte", "MOB": "monoblast",
    "MON": "monocyte", "MYB": "myelocyte", "MYO": "myeloblast", "NGB": "band neutrophil",
    "NGS": "segmented neutrophil", "PMB": "bilobed promyelocyte", "PMO": "promyelocyte",
}  # fmt: skip
"""The publisher's abbreviations, which are the labels, and what they mean."""
_EXPECTED = "AML-Cytomorphology/<TYPE>/<TYPE>_NNNN.tiff, <TYPE> being one of " + ", ".join(TYPES)


def rows(root: Path) -> pd.DataFrame:
    """One row a cell, label by its folder (a cell type, not a diagnosis), which the name must agree with.

    Raises DataProblem: name and folder disagree, a cell stands twice, or none is found.
    """
    labels = {name.casefold(): name for name in TYPES}

    def describe(path: str) -> dict[str, str] | str:
        label = label_above(path, labels)
        if label is None:
            return "in no folder of a cell type"
        named = stem(path).split("_")[0].upper()
        if named in TYPES and named != label:
            raise disagree(root, path, named, label)
        return {"label": label}

    table = rows_of_images(root, describe, expected=_EXPECTED)
    refuse_twice(root, table["path"])
    table.attrs["notes"] += _compare(Path(root), table)
    return table


def annotations(root: Path) -> pd.DataFrame:
    """What annotations.dat says: path (its last two parts), label, first and second re-annotation ('' for none).

    Raises DataProblem where there is no such file, or where a line has no two fields.
    """
    root = Path(root)
    files = [path for path in listing(root)[1] if PurePosixPath(path).name.lower() == "annotations.dat"]
    if not files:
        raise DataProblem(f"{root}: no annotations.dat found")
    lines = (root / files[0]).read_text(encoding="utf-8", errors="replace").splitlines()
    split = [line.split() for line in lines if line.strip()]
    short = [number for number, fields in enumerate(split, start=1) if not 2 <= len(fields) <= 4]
    if short:
        raise DataProblem(
            f"{root / files[0]}: line {short[0]} has not 2 to 4 fields: path, label, re-annotations"
        )
    rows_ = [[*fields, "", ""][:4] for fields in split]
    table = pd.DataFrame(rows_, columns=["path", "label", "first", "second"], dtype="str")
    table["path"] = ["/".join(PurePosixPath(path).parts[-2:]) for path in table["path"]]
    return table.mask(table.apply(lambda cells: cells.str.lower()).isin(["nan", "none", "-"]), "")


def _compare(root: Path, table: pd.DataFrame) -> list[str]:
    """Notes on where annotations.dat and the folders part; the folders' labels are used."""
    try:
        notes = annotations(root)
    except DataProblem:
        return ["no readable annotations.dat: re-annotations are not known"]
    names = notes["path"].map(stem).str.casefold()
    labels = notes["label"].set_axis(names)[~names.duplicated().to_numpy()]
    annotated = labels.reindex(table["path"].map(stem).str.casefold()).to_numpy()
    unnamed = int(pd.isna(annotated).sum())
    differ = int((annotated != table["label"].to_numpy()).sum()) - unnamed
    notes = [f"annotations.dat gives {differ} cell(s) another type than their folder; the folder counts"]
    return notes * bool(differ) + [f"annotations.dat does not name {unnamed} cell(s)"] * bool(unnamed)
