"""Looking up sources, and reading one: the registry's facts applied to what its adapter finds.

The facts are in `registry`. Adding a source is one entry there and, where its files have a form of their own,
one module in `adapters` whose `rows(root)` gives the columns of `adapters.layout.COLUMNS`.
"""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import COLUMNS, OFFICIAL_SPLITS
from leukstudy.data.registry import ENTRIES, Source
from leukstudy.study.schema import unknown

__all__ = [
    "SOURCES",
    "Source",
    "adapter_of",
    "check_label_map",
    "external_conflicts",
    "find_source",
    "source_rows",
]

SOURCES: dict[str, Source] = {entry.name: entry for entry in ENTRIES}
"""Every known source by its name."""


def find_source(name: str) -> Source:
    """The entry of that name; `folder-<anything>` is one of several own folders, told apart by what stands behind.

    Raises DataProblem, which names the nearest one and all of them.
    """
    if name in SOURCES:
        return SOURCES[name]
    if name.startswith("folder-"):
        own = SOURCES["folder"]
        return replace(own, name=name, title=f"{own.title}: {name.removeprefix('folder-')}")
    raise DataProblem(unknown(name, sorted(SOURCES), "source"))


def adapter_of(source: Source):
    """The module that reads the source's files; see `leukstudy.data.adapters` for what it may give."""
    return importlib.import_module(f"leukstudy.data.adapters.{source.adapter}")


def source_rows(source: Source, root: Path) -> pd.DataFrame:
    """One row an image file, as the source's adapter finds them, with what the registry knows of them.

    Columns: path, label, patient_id, slide_id, original_id, official_split, excluded_by_source (all text);
    the last is '' or why the registry leaves the file out (a known duplicate). Members of one of the registry's
    `same_group` sets get one joint original_id. `attrs` holds the adapter's `left_out` and `notes`.

    Raises DataProblem where the files are not as the adapter expects, ValueError where the adapter itself
    gives other columns or splits.
    """
    table = adapter_of(source).rows(Path(root))
    if list(table.columns) != COLUMNS:
        raise ValueError(
            f"adapter {source.adapter!r} gives the columns {list(table.columns)}; expected {COLUMNS}"
        )
    unknown = set(table["official_split"]) - set(OFFICIAL_SPLITS)
    if unknown:
        raise ValueError(
            f"adapter {source.adapter!r} gives the official split {unknown}; expected {OFFICIAL_SPLITS}"
        )
    joint = {member: "+".join(members) for members in source.same_group for member in members}
    table["original_id"] = table["original_id"].map(lambda name: joint.get(name, name)).astype("str")
    table["excluded_by_source"] = [_exclusion(source, path) for path in table["path"]]
    table["excluded_by_source"] = table["excluded_by_source"].astype("str")
    return table


def check_label_map(source: Source, labels: Mapping[str, str] | None) -> None:
    """Raise DataProblem where `labels` (the source's label -> the study's) does not fit the source.

    Labels of cells never become diagnoses by themselves: a source of cell types needs a map that somebody wrote.
    A map may leave labels of the source out (the join decides what that means), but not name unknown ones.
    """
    if labels is None:
        if source.label_kind == "cell type":
            known = ", ".join(source.classes) or "its adapter's labels (`leukstudy data verify` shows them)"
            raise DataProblem(
                f"source {source.name!r} labels cells, not patients ({known}), and cell types are not diagnoses. Say "
                f"what each is to mean in params.yaml, data.sources.{source.name}.labels, e.g. "
                f"{{{next(iter(source.classes), 'type 1')}: <a class folder's label of yours>, ...}}"
            )
        return
    if not labels:
        raise DataProblem(
            f"data.sources.{source.name}.labels is empty: no image would be used. Use null for the labels as they are"
        )
    unknown = [label for label in labels if source.classes and label not in source.classes]
    if unknown:
        near = difflib.get_close_matches(unknown[0], source.classes, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise DataProblem(
            f"data.sources.{source.name}.labels names {unknown[0]!r}{hint}; the labels of {source.name} are "
            f"{', '.join(source.classes)}"
        )


def external_conflicts(external: str, others: list[str]) -> list[str]:
    """Which of `others` hold the same images or patients as `external`, which is then no external validation."""
    return [
        name
        for name in others
        if name in find_source(external).overlaps or external in find_source(name).overlaps
    ]


def _exclusion(source: Source, path: str) -> str:
    name = PurePosixPath(path).name
    for pattern, reason in source.exclusions.items():
        if fnmatchcase(path, pattern) or fnmatchcase(name, pattern):
            return reason
    return ""
