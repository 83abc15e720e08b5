"""The manifest: one row an image with its identity, label, group, hashes and fate; the spine of the study.

`catalogue` reads every file once and says of each whether it is kept, and if not, why; `group` (a module
beside this one) says which images belong together; `split.assign` fills in split and fold.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.group import LEVELS, add_groups, beyond_limit, check_groups
from leukstudy.data.identify import MEASURES, identify_all
from leukstudy.data.sources import Source, check_label_map, find_source, source_rows
from leukstudy.data.split import EXTERNAL, SPLITS

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

WORKING = ("original_id", "official_split", *MEASURES)
"""Further columns of a catalogue, which splitting and the audit read; they are not written into the manifest."""

# The words that reasons in `excluded` begin with, in the order in which they are decided.
_REASONS = ("unmapped", "known", "limited", "unreadable", "tiny", "conflict", "duplicate")
_IDS = ("patient_id", "slide_id", "original_id", "official_split")
DRAWN = "phantom.json"  # stands in every folder that the phantom wrote


def catalogue(
    root: Path,
    sources: str | Source | Mapping[str, Any],
    *,
    group_by: str = "auto",
    block_size: int = 40,
    min_side: int = 32,
    max_groups_per_class: int | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Index a data root: one row an image file, sorted by image_id, with the columns of `COLUMNS` and `WORKING`.

    `sources` is one source, which then holds all of `root`, or maps the names of several to objects with `folder`
    (below `root`) and `labels` ({theirs: ours}, or None to keep their names), as `params.Data.sources` does. Each file
    is decoded once, by `workers` processes (default: one a core); the result does not depend on their number.
    `excluded` is '' or one reason:
    - `unmapped: ...`: the label map of its source does not name its label;
    - `known: ...`: the registry of sources lists it as defective;
    - `limited`: its group lies beyond the first `max_groups_per_class` of its class (the file is not read);
    - `unreadable: ...`: what BadImage said;
    - `tiny: W x H`: a side below `min_side` pixels;
    - `conflict: ...`: the same pixels stand under another label, so neither label can be trusted;
    - `duplicate: ...`: the same pixels as an image that is kept (the first by image_id).
    `image_id` is the path without its suffix (with it where two files differ in nothing else); `phash` is a
    64-bit perceptual hash as 16 hex digits; split is '', fold and split_seed -1 until `split.assign`.

    Raises DataProblem with a way out: no images, one class only, a class without two groups of sound images, drawings
    under the name of a source that is none or the reverse, and whatever a source's adapter finds wrong.
    """
    root = Path(root)
    table = pd.concat(
        [_of_source(root, *use, group_by, block_size) for use in _uses(sources)], ignore_index=True
    )
    table["image_id"] = _image_ids(table["path"])
    table = table.sort_values("image_id", ignore_index=True)
    labels = sorted(table.loc[table["excluded"] == "", "label"].unique())
    if len(labels) < 2:
        found = f"one class only ({labels[0]!r})" if labels else "no class"
        raise DataProblem(f"{root}: {found} among {len(table)} images; two class folders are needed")
    waiting = table["excluded"] == ""
    beyond = beyond_limit(table[waiting], max_groups_per_class)
    table.loc[beyond.index[beyond], "excluded"] = "limited"

    read = table.index[table["excluded"] == ""]
    facts = identify_all([root / path for path in table.loc[read, "path"]], workers=workers)
    table = table.join(facts.set_index(read))
    table = table.fillna(dict.fromkeys(facts.select_dtypes("str").columns, "") | {"width": 0, "height": 0})
    table["excluded"] = _exclude(table, min_side)
    table = table.assign(split="", fold=-1, split_seed=-1, split_hash="")
    table = table[[*COLUMNS, *WORKING]].astype(COLUMNS)
    check_groups(table, root=root, block_size=block_size)
    return table


def _uses(sources: str | Source | Mapping[str, Any]) -> list[tuple[Source, str, Mapping[str, str] | None]]:
    """(source, folder below the root, label map) of each source asked for."""
    if isinstance(sources, Mapping):
        return [(find_source(name), use.folder, use.labels) for name, use in sources.items()]
    return [(find_source(sources) if isinstance(sources, str) else sources, ".", None)]


def _of_source(  # noqa: PLR0917
    root: Path, source: Source, folder: str, labels: Mapping[str, str] | None, group_by: str, block_size: int
) -> pd.DataFrame:
    """The rows of one source, labelled as the study labels and grouped; nothing is read yet."""
    place = root / folder
    drawn = (place / DRAWN).is_file()
    if drawn != source.synthetic and place.is_dir():
        raise DataProblem(
            f"{place}: {DRAWN} says that these are drawings, but data.sources calls them {source.name!r}; use the source phantom"
            if drawn
            else f"{place}: data.sources says {source.name!r}, but these are no drawings of it ({DRAWN} is missing); name the "
            "source that lies there, or put the drawings back: leukstudy data use phantom"
        )
    check_label_map(source, labels)
    table = source_rows(source, place).assign(source=source.name)
    for column in _IDS:
        table[column] = table.get(column, "")
    table["path"] = table["path"] if folder == "." else folder.rstrip("/") + "/" + table["path"]
    table["image_id"] = _image_ids(table["path"])
    known = table["excluded_by_source"] if "excluded_by_source" in table else pd.Series("", index=table.index)
    table["excluded"] = np.where(known != "", "known: " + known, "")
    if labels is not None:
        missing = sorted(set(labels) - set(table["label"]))
        if missing:
            raise DataProblem(
                f"data.sources.{source.name}.labels names {missing[0]!r}, which no image there has; found: "
                f"{', '.join(sorted(table['label'].unique()))}"
            )
        unmapped = ~table["label"].isin(list(labels))
        table.loc[unmapped, "excluded"] = "unmapped: " + table.loc[unmapped, "label"]
        table["label"] = table["label"].map(labels).fillna(table["label"]).astype("str")
    if (
        group_by == "auto" and source.group_level != "block"
    ):  # a block is what remains where nothing better is found
        group_by = source.group_level
    return add_groups(table, group_by=group_by, block_size=block_size)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", newline=""
    ) as file:
        try:
            table.to_csv(file, index=False, lineterminator="\n", float_format="%.6g")
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


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


def _image_ids(paths: pd.Series) -> pd.Series:
    stems = paths.str.replace(r"\.[^./]*$", "", regex=True)
    ids = stems.where(~stems.duplicated(keep=False), paths)
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].iloc[0]
        raise DataProblem(f"two files share the image_id {twice!r}; rename one of them")
    return ids


def _exclude(table: pd.DataFrame, min_side: int) -> pd.Series:
    """The reason of each row, '' where the image is kept; the table is sorted by image_id."""
    excluded = table["excluded"].copy()
    error = (excluded == "") & (table["error"] != "")
    excluded[error] = "unreadable: " + table.loc[error, "error"]
    small = (excluded == "") & (table[["width", "height"]].min(axis=1) < min_side)
    sizes = table["width"].astype("str") + " x " + table["height"].astype("str")
    excluded[small] = "tiny: " + sizes[small] + f", less than {min_side} pixels a side"
    for _, same in table[excluded == ""].groupby("pixels", sort=False):
        first, rest = same.index[0], same.index[1:]
        if same["label"].nunique() > 1:
            for row in same.index:
                other = same.loc[same["label"] != same.loc[row, "label"], ["image_id", "label"]].iloc[0]
                excluded[row] = f"conflict: same pixels as {other['image_id']}, labelled {other['label']}"
        elif len(rest):
            excluded[rest] = f"duplicate: same pixels as {same.loc[first, 'image_id']}"
    return excluded


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
