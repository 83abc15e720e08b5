"""The catalogue of a data root: every file read once, and of each whether it is kept, and if not, why.

`group` (a module beside this one) says which images belong together, `split.assign` fills in split and fold, and what
comes of it is the manifest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.group import add_groups, beyond_limit, check_groups
from leukstudy.data.identify import MEASURES, identify_all
from leukstudy.data.manifest import COLUMNS
from leukstudy.data.sources import Source, check_label_map, find_source, source_rows

WORKING = ("original_id", "official_split", *MEASURES)
"""Further columns of a catalogue, which splitting and the audit read; they are not written into the manifest."""

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
        classes = f"one class only ({labels[0]!r})" if labels else "no class"
        raise DataProblem(f"{root}: {classes} among {len(table)} images; two class folders are needed")
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
    reason = table["excluded_by_source"]
    table["excluded"] = np.where(reason != "", "known: " + reason, "")
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
    # A block is what remains where nothing better is found.
    if group_by == "auto" and source.group_level != "block":
        group_by = source.group_level
    return add_groups(table, group_by=group_by, block_size=block_size)


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
