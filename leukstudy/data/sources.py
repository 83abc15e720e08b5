"""The registry of sources: what each dataset is, who may use it, and which adapter reads it.

Adding a source is one entry here and, where its files have a form of their own, one module in `adapters/`
whose `rows(root)` gives the columns path, label, patient_id and slide_id (see `adapters.folder`).
"""

import difflib
import importlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.folder import COLUMNS


@dataclass(frozen=True)
class Source:
    """One dataset as its publisher delivers it.

    name: how parameters and group ids call it.
    title: how the report calls it.
    adapter: the module of `leukstudy.data.adapters` that reads it.
    licence: the terms, '?' where nobody has verified them.
    home: where its publisher describes it, '' for data that live here.
    group_level: the finest level known to be independent: patient, slide, block, or auto (by what is found).
    groups: what a reader must know of the groups.
    synthetic: drawn rather than photographed; every report on it says so.
    cautions: known traps, one sentence each.
    """

    name: str
    title: str
    adapter: str
    licence: str
    home: str
    group_level: str
    groups: str
    synthetic: bool = False
    cautions: tuple[str, ...] = ()


_ENTRIES = (
    Source(
        name="phantom",
        title="Phantom: drawn blood smears",
        adapter="folder",
        licence="Apache-2.0",
        home="",
        group_level="patient",
        groups="every drawn patient has an id; no patient holds two classes",
        synthetic=True,
        cautions=("Drawings from a seed: results on them say nothing about people.",),
    ),
    Source(
        name="folder",
        title="Own smears in class folders",
        adapter="folder",
        licence="?",
        home="",
        group_level="auto",
        groups="patient_id, else slide_id, of metadata.csv; else blocks of consecutive file numbers",
    ),
    Source(
        name="taleqani",
        title="Taleqani Hospital ALL",
        adapter="folder",
        licence="?",
        home="Kaggle: mehradaria/leukemia",
        group_level="block",
        groups="89 patients, but no id in the names: blocks of consecutive file numbers stand in for them",
        cautions=(
            "A scale bar burnt into the bottom-right corner differs by class: mask the corner.",
            "Exact duplicates within Pro.",
            "'Benign' means suspected of ALL and found not to be, not healthy.",
        ),
    ),
)

SOURCES: dict[str, Source] = {entry.name: entry for entry in _ENTRIES}
"""Every known source by its name."""


def find_source(name: str) -> Source:
    """The entry of that name. Raises DataProblem, which names the nearest one and all of them."""
    if name in SOURCES:
        return SOURCES[name]
    near = difflib.get_close_matches(name, SOURCES, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise DataProblem(f"unknown source {name!r}{hint}; known are: {', '.join(sorted(SOURCES))}")


def source_rows(source: Source, root: Path) -> pd.DataFrame:
    """One row an image file, as the source's adapter finds them: path, label, patient_id, slide_id.

    Raises DataProblem where the files are not as the adapter expects, ValueError where the adapter itself
    gives other columns.
    """
    adapter = importlib.import_module(f"leukstudy.data.adapters.{source.adapter}")
    table = adapter.rows(Path(root))
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"adapter {source.adapter!r} gives no column {missing}; expected {COLUMNS}")
    return table
