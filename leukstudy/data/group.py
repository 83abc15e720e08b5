"""Which images belong together: the unit that must never stand on both sides of a split.

The level is the strongest that a source has: patient, else slide, else the original that copies were made of, else
a block of consecutive file numbers. It is recorded in every row, so that no result can be called patient-level
where no patient id exists. Groups that share a near-duplicate image become one (`join_near_duplicates`).
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem

LEVELS = ("patient", "slide", "original", "cluster", "block")
"""What a group can be, the strongest first: how much of what images share is sure to stay on one side."""

_IDENTIFIED = ("patient", "slide", "original")  # levels whose ids a source gives


def add_groups(table: pd.DataFrame, *, group_by: str = "auto", block_size: int = 40) -> pd.DataFrame:
    """The table with the columns group_level and group_id.

    Needs path, label, source, patient_id, slide_id, original_id, official_split; all rows of one source. `group_by` is a level or
    `auto`: the first of patient, slide and original that every image has an id of, else block. Ids are
    `source:level:id`, so that patient 1 of one source is never taken for patient 1 of another. A block holds the file
    numbers of one class (and official split) that agree in `number // block_size`; a cluster is, to begin with, a single image. Where the
    originals of some images only are known, the groups that hold copies of one original are joined.

    Raises DataProblem where the level asked for is not known of every image, or is known of some only.
    """
    level = _level(table, group_by)
    if level == "block":
        if block_size < 1:
            raise DataProblem(f"block_size is {block_size}; expected at least 1 file number a block")
        blocks = pd.Series("", index=table.index, dtype="str")
        for _, rows in table.groupby("label"):
            blocks[rows.index] = (file_numbers(rows["path"]) // block_size).map("{:04d}".format)
        # where the publisher split the images, no block reaches across the line
        official = table["official_split"].where(table["official_split"] == "", table["official_split"] + "/")
        ids = table["label"] + "/" + official + blocks
    elif level == "cluster":
        ids = table["image_id"]
    else:
        ids = table[f"{level}_id"]
    table = table.assign(group_level=level, group_id=table["source"] + f":{level}:" + ids)
    if level in ("cluster", "block"):
        copies = table[table["original_id"] != ""].groupby("original_id")["group_id"]
        links = [(groups.iloc[0], group) for _, groups in copies for group in groups]
        table["group_id"] = _joined(table["group_id"], links)
    return table


def file_numbers(paths: pd.Series) -> pd.Series:
    """The number of each file among those of its class, int64.

    It is the last run of digits in the name where every name has one and no two share it; otherwise the
    place, from 0 on, in natural order (`cell9` before `cell10`).
    """
    stems = paths.str.replace(r"^.*/|\.[^./]*$", "", regex=True)
    digits = stems.str.extract(r"([0-9]+)[^0-9]*$", expand=False)
    if digits.notna().all() and not digits.str.len().gt(18).any():
        numbers = digits.astype("int64")
        if numbers.is_unique:
            return numbers
    order = sorted(paths.index, key=lambda row: natural(paths[row]))
    return pd.Series(range(len(order)), index=order, dtype="int64").reindex(paths.index)


def join_near_duplicates(manifest: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """The manifest in which groups that share a near-duplicate are one, named after the first in natural order.

    `near` holds a pair of image_ids a row in the columns `a` and `b`. Only kept images join groups: an excluded copy
    takes no part in anything. A first group keeps its name whatever joins it later.
    """
    kept = manifest[manifest["excluded"] == ""].set_index("image_id")["group_id"]
    pairs = near[near["a"].isin(kept.index) & near["b"].isin(kept.index)]
    links = zip(pairs["a"].map(kept), pairs["b"].map(kept), strict=True)
    return manifest.assign(group_id=_joined(manifest["group_id"], links))


def _joined(groups: pd.Series, links: Iterable[tuple[str, str]]) -> pd.Series:
    """Group ids in which linked groups are one, named after the first of them in natural order (union-find)."""
    leader: dict[str, str] = {}

    def find(group: str) -> str:
        while leader.get(group, group) != group:
            group = leader[group]
        return group

    for a, b in links:
        first, second = sorted((find(a), find(b)), key=natural)
        leader[second] = first
    names = {group: find(group) for group in leader}
    return groups.map(lambda group: names.get(group, group)).astype("str")


def beyond_limit(table: pd.DataFrame, limit: int | None) -> pd.Series:
    """Whether each row's group lies beyond the first `limit` groups (by natural order) of all its classes."""
    if limit is None:
        return pd.Series(False, index=table.index)
    if limit < 1:
        raise DataProblem(f"max_groups_per_class is {limit}; expected at least 1, or null for all")
    chosen: set[str] = set()
    for _, groups in table.groupby("label")["group_id"]:
        chosen.update(sorted(groups.unique(), key=natural)[:limit])
    return ~table["group_id"].isin(chosen)


def check_groups(manifest: pd.DataFrame, *, root: Path, block_size: int) -> None:
    """Raise DataProblem where a class has fewer than two groups of kept images."""
    kept = manifest[manifest["excluded"] == ""]
    meant = manifest[~manifest["excluded"].str.startswith(("unmapped", "known"))]
    for label, rows in meant.groupby("label"):
        usable = kept[kept["label"] == label]
        groups = usable["group_id"].nunique()
        level = rows["group_level"].iloc[0]
        if usable.empty:
            reason = rows["excluded"].iloc[0]
            raise DataProblem(
                f"{root}: no usable image in class {label!r}: all {len(rows)} are excluded, "
                f"{rows['path'].iloc[0]!r} as {reason!r}; replace them or remove the folder"
            )
        if groups < 2:
            way_out = (
                f"make block_size smaller than {block_size}, or give patients in metadata.csv"
                if level == "block"
                else f"add images of another {level}, or remove the class folder"
            )
            raise DataProblem(
                f"{root}: class {label!r} has one {level} only ({usable['group_id'].iloc[0]}, "
                f"{len(usable)} images), which cannot be in both training and test; {way_out}"
            )


def group_counts(kept: pd.DataFrame) -> pd.DataFrame:
    """Images by group (in natural order) and label (sorted): int64, index group_id, a column a label."""
    counts = kept.groupby(["group_id", "label"]).size().unstack(fill_value=0).sort_index(axis=1)
    return counts.loc[sorted(counts.index, key=natural)]


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that orders runs of digits by their value: `P9` before `P10`."""
    parts = re.split(r"([0-9]+)", text)
    return [(1, int(part), part) if part[:1] in "0123456789" and part else (0, 0, part) for part in parts]


def _level(table: pd.DataFrame, group_by: str) -> str:
    if group_by not in ("auto", *LEVELS):
        raise DataProblem(f"group_by is {group_by!r}; expected one of auto, {', '.join(LEVELS)}")
    for level in _IDENTIFIED:
        if group_by not in ("auto", level):
            continue
        identified = table[f"{level}_id"] != ""
        if identified.all():
            return level
        if group_by == level or (identified.any() and level != "original"):
            raise DataProblem(
                f"{table['source'].iloc[0]}: a {level}_id is known of {identified.sum()} of {len(table)} images (not of "
                f"{table.loc[~identified, 'path'].iloc[0]!r}); give it for all in metadata.csv, or set group_by to another level"
            )
    return "block" if group_by == "auto" else group_by
