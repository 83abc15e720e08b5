"""Class folders of images with an optional metadata.csv: the form in which anyone brings their own smears.

    data/
      healthy/a_001.png        the first folder is the class; deeper folders are allowed
      ALL/P07/cell_3.jpg
      metadata.csv             path (relative to data/) and any of patient_id, slide_id, original_id (the picture
                               that a copy or a crop comes from), official_split (train, val or test)

Further columns of metadata.csv are allowed and not read.
Folders whose name begins with `_` or `.` hold something else (the phantom's truth masks) and are passed over.
"""

import unicodedata
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import COLUMNS, METADATA, OFFICIAL_SPLITS, listing, read_text_table
from leukstudy.imaging.io import SUFFIXES

# What metadata.csv may say of an image.
_GIVEN = COLUMNS[2:]
# What Windows, a shell or a column name of ours would trip over in a class name.
_UNFIT = set('\\/:*?"<>|')


def rows(root: Path) -> pd.DataFrame:
    """One row an image file under `root`, sorted by path, with the columns of `layout.COLUMNS` (all text).

    `path` is relative to `root`, with forward slashes, as the file system spells it; `label` is the first
    folder's name in Unicode NFC (macOS spells it decomposed); ids are '' where metadata.csv gives none.
    Class names keep spaces inside, accents and any script. Refused are names that begin or end in a blank or
    a dot, that hold control characters or one of \\ / : * ? " < > |, or that differ in case only.

    Raises DataProblem: no such folder, nothing in it, images outside class folders, an unfit name, or a
    metadata.csv that names unknown files, names one twice, has no `path` column, or an unknown official_split.
    """
    images, others = listing(root)
    loose = [path for path in images if "/" not in path]
    if loose:
        raise DataProblem(
            f"{root}: {len(loose)} image(s) lie outside any class folder, e.g. {loose[0]!r}; "
            "put each into a folder named after its class, e.g. healthy/ or ALL/"
        )
    if not images:
        raise DataProblem(
            f"{root}: no image found; expected one folder a class holding {', '.join(SUFFIXES)} files. "
            "`leukstudy data use PATH` points the study at other data"
        )
    labels = [unicodedata.normalize("NFC", path.split("/", 1)[0]) for path in images]
    _check_labels(root, labels)
    table = pd.DataFrame({"path": images, "label": labels}, dtype="str")
    metadata = _metadata(root, table["path"])
    for column in _GIVEN:
        table[column] = metadata[column].reindex(table["path"], fill_value="").astype("str").to_numpy()
    table = table[COLUMNS]
    table.attrs["left_out"] = {"no image file": len(others)} if others else {}
    table.attrs["notes"] = []
    return table


def _check_labels(root: Path, labels: list[str]) -> None:
    spelling: dict[str, str] = {}
    for label in sorted(set(labels)):
        if label != label.strip() or label.strip(".") != label or _UNFIT & set(label):
            raise DataProblem(
                f"{root}: the class folder {label!r} begins or ends with a blank or a dot, or holds one of "
                f"{' '.join(sorted(_UNFIT))}; rename it"
            )
        other = spelling.setdefault(label.casefold(), label)
        if other != label:
            raise DataProblem(
                f"{root}: the class folders {other!r} and {label!r} differ in case only; merge or rename one"
            )


def _metadata(root: Path, paths: pd.Series) -> pd.DataFrame:
    """What metadata.csv says of each path, indexed by path; empty where there is no metadata.csv."""
    file = Path(root) / METADATA
    if not file.is_file():
        return pd.DataFrame(columns=_GIVEN, dtype="str")
    table = read_text_table(file)
    if "path" not in table.columns:
        raise DataProblem(f"{file}: the columns are {list(table.columns)}; a column `path` is needed")
    # Written on Windows, or by hand: ALL\a.png and ./ALL/a.png both mean ALL/a.png.
    named = table["path"].str.strip().str.replace("\\", "/").str.removeprefix("./")
    on_disk = {unicodedata.normalize("NFC", path): path for path in paths}
    table.index = pd.Index(
        [on_disk.get(unicodedata.normalize("NFC", name)) for name in named], dtype="object"
    )
    unknown = named[table.index.isna()].tolist()
    if unknown:
        raise DataProblem(
            f"{file}: {len(unknown)} row(s) name a path that is no image under {root}, e.g. {unknown[0]!r}; "
            "paths are relative to the data root, e.g. ALL/a_001.png"
        )
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise DataProblem(f"{file}: {twice!r} stands in more than one row; keep one row an image")
    for column in _GIVEN:
        table[column] = table[column].str.strip() if column in table.columns else ""
    unknown = table.loc[~table["official_split"].isin(OFFICIAL_SPLITS), "official_split"]
    if len(unknown):
        raise DataProblem(
            f"{file}: official_split is {unknown.iloc[0]!r} for {unknown.index[0]!r} ({len(unknown)} such row(s)); "
            "expected train, val, test, or nothing"
        )
    return table[_GIVEN]
