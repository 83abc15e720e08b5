"""The manifest: one row an image with its identity, label, group, hashes and fate; the spine of the study.

The stage `acquire` makes it (`catalogue`, `group` and `split` beside this module); all later stages read it.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.group import LEVELS
from leukstudy.data.split import EXTERNAL, SPLITS
from leukstudy.study.files import write_atomically

COLUMNS = {
    "image_id": "str",
    "path": "str",
    "source": "str",
    "label": "str",
    "patient_id": "str",
    "group_id": "str",
    "group_level": "str",
    "width": "int64",
    "height": "int64",
    "sha256": "str",
    "phash": "str",
    "excluded": "str",
    "split": "str",
    "fold": "int64",
    "split_seed": "int64",
    "split_hash": "str",
}
"""The manifest's columns and their types, in order; the last two say of every row which split it is."""

# The words that reasons in `excluded` begin with, in the order in which they are decided.
_REASONS = ("unmapped", "known", "limited", "unreadable", "tiny", "conflict", "duplicate")


def flow(manifest: pd.DataFrame) -> pd.DataFrame:
    """What became of the files, for the flow figure: columns step, split, label, images, groups.

    Steps `found`, one for each reason of exclusion, `kept` (label and split '' mean all of them), then
    `kept` by label, by split, and by split and label. `groups` counts groups with at least one such image.
    Every step stands there, with 0 where nothing happened, except that splits appear once assigned.
    """
    reason = manifest["excluded"].str.extract(r"^(\w+)", expand=False).fillna("")
    kept = manifest[reason == ""]
    labels = sorted(manifest["label"].unique())
    splits = [name for name in (*SPLITS, EXTERNAL) if (kept["split"] == name).any()]
    parts = [("found", "", "", manifest)]
    parts += [(name, "", "", manifest[reason == name]) for name in _REASONS]
    parts += [("kept", "", "", kept)]
    parts += [("kept", "", label, kept[kept["label"] == label]) for label in labels]
    for split in splits:
        rows = kept[kept["split"] == split]
        parts += [("kept", split, "", rows)]
        parts += [("kept", split, label, rows[rows["label"] == label]) for label in labels]
    return pd.DataFrame(
        [(step, split, label, len(rows), rows["group_id"].nunique()) for step, split, label, rows in parts],
        columns=["step", "split", "label", "images", "groups"],
    )


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Check the manifest and write it as CSV in one step: a killed run leaves the old file or the new one.

    Raises DataProblem where a column, a value or a split is not as it must be.
    """
    write_table(_check(manifest, Path(path)), Path(path))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in one step: a killed run leaves the old file or the new one."""
    form = {"index": False, "lineterminator": "\n", "float_format": "%.6g", "encoding": "utf-8"}
    write_atomically(path, lambda part: table.to_csv(part, **form))


def read_manifest(path: Path) -> pd.DataFrame:
    """The manifest that `write_manifest` wrote. Raises DataProblem where it is missing or was altered."""
    path = Path(path)
    if not path.is_file():
        raise DataProblem(f"{path}: no manifest; run the stage `acquire` first (dvc repro acquire)")
    try:
        table = pd.read_csv(path, dtype=COLUMNS, keep_default_na=False, encoding="utf-8")
    except (ValueError, pd.errors.ParserError) as error:
        raise DataProblem(f"{path}: no readable manifest ({error}); run `dvc repro -f acquire`") from error
    return _check(table, path)


def _check(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The manifest's columns in their types, when they keep every promise; otherwise DataProblem."""
    if any(name not in table for name in COLUMNS):
        raise DataProblem(f"{path}: the columns are {list(table.columns)}; expected {list(COLUMNS)}")
    try:
        table = table[list(COLUMNS)].astype(COLUMNS)
    except ValueError as error:
        raise DataProblem(f"{path}: not a manifest of this study: {error}") from None
    for names, promise, kept in _PROMISES:
        for name in names:
            broken = table.loc[~kept(table[name]).astype(bool), name]
            if len(broken):
                raise DataProblem(
                    f"{path}: not a manifest of this study: column {name!r} fails {promise!r} with {broken.iloc[0]!r} "
                    f"({len(broken)} such row(s))"
                )
    if ((table["excluded"] != "") & ((table["split"] != "") | (table["fold"] != -1))).any():
        raise DataProblem(f"{path}: not a manifest of this study: an excluded image has a split or a fold")
    splits = table[table["split"] != ""].groupby("group_id")["split"].nunique()
    if (splits > 1).any():
        raise DataProblem(
            f"{path}: not a manifest of this study: the table fails 'group_in_one_split' with {splits.idxmax()!r} "
            f"({(splits > 1).sum()} such group(s))"
        )
    return table


_PROMISES: list[tuple[tuple[str, ...], str, Callable[[pd.Series], pd.Series]]] = [
    (("image_id", "path", "label", "group_id"), "not_empty", lambda values: values != ""),
    (("image_id",), "unique", lambda values: ~values.duplicated()),
    (("group_level",), f"one of {LEVELS}", lambda values: values.isin(LEVELS)),
    (("width", "height"), "0 or more", lambda values: values >= 0),
    (("sha256",), "64 hex digits or nothing", lambda values: values.str.fullmatch("([0-9a-f]{64})?")),
    (
        ("phash", "split_hash"),
        "16 hex digits or nothing",
        lambda values: values.str.fullmatch("([0-9a-f]{16})?"),
    ),
    (("split",), "a split or nothing", lambda values: values.isin(["", *SPLITS, EXTERNAL])),
    (("fold",), "-1 or more", lambda values: values >= -1),
]
"""What each value of a column keeps: the columns, the promise in words, and which values keep it."""
