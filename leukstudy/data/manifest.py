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
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DataProblem(f"{path}: the columns are {list(table.columns)}; expected {list(COLUMNS)}")
    table = table[list(COLUMNS)]
    try:
        table = table.astype(COLUMNS)
        sound = all(rule(table[name]).all() for name, rules in _RULES.items() for rule in rules.values())
        sound = (
            sound and table["image_id"].is_unique and all(rule(table).all() for rule in _TABLE_RULES.values())
        )
    except ValueError as error:
        raise DataProblem(f"{path}: not a manifest of this study: {error}") from None
    return table if sound else _complain(table, path)


def _complain(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    import pandera.pandas as pa  # noqa: PLC0415 - a third of a second in every stage, for a table that is sound

    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                None, checks=[pa.Check(rule, name=say) for say, rule in _RULES.get(name, {}).items()]
            )
            for name in COLUMNS
        },
        checks=[pa.Check(rule, name=say) for say, rule in _TABLE_RULES.items()],
        unique=["image_id"],
        strict=True,
        ordered=True,
    )
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataProblem(f"{path}: not a manifest of this study: {_first_failure(error)}") from None


def _matches(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column.str.fullmatch(pattern)


_GIVEN = {"not_empty": lambda column: column != ""}
_NOT_NEGATIVE = {"0 or more": lambda column: column >= 0}
_SHORT_HASH = {"16 hex digits or nothing": _matches("([0-9a-f]{16})?")}
_RULES = {
    **dict.fromkeys(("image_id", "path", "label", "group_id"), _GIVEN),
    "group_level": {f"one of {LEVELS}": lambda column: column.isin(LEVELS)},
    **dict.fromkeys(("width", "height"), _NOT_NEGATIVE),
    "sha256": {"64 hex digits or nothing": _matches("([0-9a-f]{64})?")},
    **dict.fromkeys(("phash", "split_hash"), _SHORT_HASH),
    "split": {"a split or nothing": lambda column: column.isin(["", *SPLITS, EXTERNAL])},
    "fold": {"-1 or more": lambda column: column >= -1},
}
"""What must hold in each value of a column: name of the rule -> the rule."""
_TABLE_RULES = {
    "excluded_unsplit": lambda t: (t["excluded"] == "") | ((t["split"] == "") & (t["fold"] == -1)),
    "group_in_one_split": lambda t: t.groupby("group_id")["split"].transform(_count_words) <= 1,
}


def _count_words(splits: pd.Series) -> int:
    return splits[splits != ""].nunique()


def _first_failure(error: Exception) -> str:
    cases = getattr(error, "failure_cases", None)
    if cases is None:
        return str(error)
    case = cases.iloc[0]
    where = f"column {case['column']!r}" if isinstance(case["column"], str) else "the table"
    return f"{where} fails {case['check']!r} with {case['failure_case']!r} ({len(cases)} failure(s) in all)"
