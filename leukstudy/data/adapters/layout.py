"""What all adapters share: the files under a folder, and the table of rows they give."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.imaging.io import is_image_file

METADATA = "metadata.csv"
COLUMNS = ["path", "label", "patient_id", "slide_id", "original_id", "official_split"]
"""What `rows(root)` gives, all text: '' where unknown; `official_split` is the publisher's, one of OFFICIAL_SPLITS.

`original_id` names the picture that an image is a copy of or was cut from.
"""
OFFICIAL_SPLITS = ("", "train", "val", "test")


def listing(root: Path) -> tuple[list[str], list[str]]:
    """Image files and the other files under `root` (its metadata.csv apart), each relative to it and sorted.

    Folders whose name begins with `_` or `.` and files whose name begins with `.` are passed over.
    Raises DataProblem where `root` is no folder, or where a name cannot be written into a CSV file.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataProblem(f"{root}: no such folder; expected the data root with one folder of images a class")
    images, others = [], []
    for folder, folders, files in os.walk(root, followlinks=True):
        here = Path(folder).resolve()
        folders[:] = sorted(
            name
            for name in folders
            # A link to a folder above itself would be walked for ever.
            if not name.startswith(("_", ".")) and not here.is_relative_to((here / name).resolve())
        )
        for name in files:
            path = (Path(folder) / name).relative_to(root).as_posix()
            if name.startswith(".") or path == METADATA:
                continue
            if is_image_file(name):
                _check_path(root, path)
                images.append(path)
            else:
                others.append(path)
    return sorted(images), sorted(others)


def folders_of(path: str) -> list[str]:
    """The folders above a file, nearest first, without regard to case."""
    return [part.casefold() for part in reversed(PurePosixPath(path).parts[:-1])]


def stem(path: str) -> str:
    """A file's name without its suffix, also where the suffix stands twice (a.tiff.tiff)."""
    name = PurePosixPath(path).name
    while is_image_file(name):
        name = name[: name.rindex(".")]
    return name


def as_rows(
    root: Path,
    records: Iterable[dict[str, str]],
    *,
    expected: str,
    left_out: Mapping[str, int] | None = None,
    notes: Iterable[str] = (),
) -> pd.DataFrame:
    """The table of `records` (path, label and any other of COLUMNS), sorted by path, with its attrs.

    Raises DataProblem, which says what was expected, where there is no record.
    """
    left_out = {reason: int(count) for reason, count in (left_out or {}).items() if count}
    records = list(records)
    if not records:
        passed = "".join(f"; {count} passed over: {reason}" for reason, count in left_out.items())
        raise DataProblem(f"{root}: no image of this source found{passed}. Expected: {expected}")
    empty = dict.fromkeys(COLUMNS, "")
    table = pd.DataFrame([empty | record for record in records], columns=COLUMNS, dtype="str")
    table = table.sort_values("path", ignore_index=True)
    table.attrs["left_out"] = left_out
    table.attrs["notes"] = list(notes)
    return table


def disagree(root: Path, path: str, found: str, expected: str) -> DataProblem:
    """The problem of a file whose name and folder say two things: neither can be trusted."""
    return DataProblem(
        f"{root}: {path!r} says {found} in its name, but its folder says {expected}; the delivery was mixed up. "
        "Unpack it anew, or move the file aside"
    )


def refuse_twice(root: Path, paths: Iterable[str], what: str = "file name") -> None:
    """Raise DataProblem where two of `paths` have one file name, which this source gives to one image only."""
    names = Counter(PurePosixPath(path).name.casefold() for path in paths)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataProblem(
            f"{root}: the {what} {twice[0]!r} stands in {names[twice[0]]} folders ({len(twice)} such name(s)); "
            "the delivery was unpacked more than once. Keep one copy"
        )


def read_text_table(file: Path) -> pd.DataFrame:
    """A publisher's or user's CSV, every cell as text and '' where empty. Raises DataProblem where it cannot be read."""
    try:
        table = pd.read_csv(file, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataProblem(f"{file}: cannot be read as a UTF-8 CSV file ({error})") from error
    table.columns = table.columns.str.strip()
    return table


def _check_path(root: Path, path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise DataProblem(f"{root}: the name {path!a} is no valid UTF-8; rename the file or folder") from None
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        raise DataProblem(f"{root}: the name {path!r} holds a control character; rename the file or folder")
