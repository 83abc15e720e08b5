"""What all adapters share: the files under a folder, and the table of rows they give."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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


def rows_of_images(
    root: Path,
    describe: Callable[[str], dict[str, str] | str],
    *,
    expected: str,
    images: Iterable[str] | None = None,
) -> pd.DataFrame:
    """The table of `images` (paths below `root`; by default all), with the columns COLUMNS, sorted by path.

    `describe(path)` gives the label and any other of COLUMNS, or, as a text, why the image is left out.
    `attrs["left_out"]` counts these reasons, `attrs["notes"]` is empty.

    Raises DataProblem, which says what was expected, where no image is described.
    """
    records, left_out = [], Counter()
    for path in listing(root)[0] if images is None else images:
        record = describe(path)
        if isinstance(record, str):
            left_out[record] += 1
        else:
            records.append({"path": path, **record})
    if not records:
        passed = "".join(f"; {count} passed over: {reason}" for reason, count in left_out.items())
        raise DataProblem(f"{root}: no image of this source found{passed}. Expected: {expected}")
    table = pd.DataFrame(records, columns=COLUMNS, dtype="str").fillna("")
    table.attrs = {"left_out": dict(left_out), "notes": []}
    return table


def label_above(path: str, labels: Mapping[str, str]) -> str | None:
    """The label of the nearest folder above a file that `labels` (folder in lower case -> label) names."""
    return next((labels[name] for name in folders_of(path) if name in labels), None)


def pair_masks(images: Iterable[str], masks: Mapping[str, str], key: Callable[[str], str]) -> pd.DataFrame:
    """The mask of each image that has one (path, mask_path); `masks` are paths by the `key` of their image."""
    pairs = [(path, masks[key(path)]) for path in images if key(path) in masks]
    return pd.DataFrame(pairs, columns=["path", "mask_path"], dtype="str")


def disagree(root: Path, path: str, name_label: str, folder_label: str) -> DataProblem:
    """The problem of a file whose name and folder say two things: neither can be trusted."""
    return DataProblem(
        f"{root}: {path!r} says {name_label} in its name, but its folder says {folder_label}; the delivery was mixed up. "
        "Unpack it anew, or move the file aside"
    )


def refuse_twice(root: Path, paths: Iterable[str], noun: str = "file name") -> None:
    """Raise DataProblem where two of `paths` have one file name, which this source gives to one image only."""
    names = Counter(PurePosixPath(path).name.casefold() for path in paths)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataProblem(
            f"{root}: the {noun} {twice[0]!r} stands in {names[twice[0]]} folders ({len(twice)} such name(s)); "
            "the delivery was unpacked more than once. Keep one copy"
        )


def read_text_table(file: Path) -> pd.DataFrame:
    """A publisher's or user's CSV, every cell as text and '' where empty. Raises DataProblem where it cannot be read."""
    try:
        table = pd.read_csv(file, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # pandas' own errors are ValueErrors too
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
