"""AML-Cytomorphology of LMU Munich: <TYPE>/<TYPE>_NNNN.tiff (RGBA), with an optional annotations.dat."""

from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import as_rows, disagree, folders_of, listing, refuse_twice, stem

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
    images, _ = listing(root)
    records, left_out = [], Counter()
    for path in images:
        label = next((name.upper() for name in folders_of(path) if name.upper() in TYPES), None)
        if label is None:
            left_out["in no folder of a cell type"] += 1
            continue
        named = stem(path).split("_")[0].upper()
        if named in TYPES and named != label:
            raise disagree(root, path, named, label)
        records.append({"path": path, "label": label})
    refuse_twice(root, [record["path"] for record in records])
    table = as_rows(root, records, expected=_EXPECTED, left_out=left_out)
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
    none = {"nan": "", "none": "", "-": ""}
    table = pd.DataFrame(
        [
            ["/".join(PurePosixPath(path).parts[-2:]), *[none.get(f.lower(), f) for f in (*said, "", "")][:3]]
            for path, *said in split
        ],
        columns=["path", "label", "first", "second"], dtype="str",
    )  # fmt: skip
    return table


def _compare(root: Path, table: pd.DataFrame) -> list[str]:
    """Notes on where annotations.dat and the folders part; the folders' labels are used."""
    try:
        said = annotations(root)
    except DataProblem:
        return ["no readable annotations.dat: re-annotations are not known"]
    key = said["path"].str.rsplit("/", n=1).str[-1].map(stem).str.casefold()
    said = said.assign(key=key).drop_duplicates("key").set_index("key")["label"]
    found = said.reindex(table["path"].map(stem).str.casefold())
    differ = (found.notna() & (found.to_numpy() != table["label"].to_numpy())).sum()
    notes = [f"annotations.dat gives {differ} cell(s) another type than their folder; the folder counts"]
    unnamed = int(found.isna().sum())
    return notes * bool(differ) + [f"annotations.dat does not name {unnamed} cell(s)"] * bool(unnamed)
