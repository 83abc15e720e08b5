"""Where the numbers come from: said at the head of every notebook, and hashed into every record."""

import hashlib

import pandas as pd

from leukstudy.data.group import LEVELS
from leukstudy.data.sources import find_source


def sources_of(manifest: pd.DataFrame) -> list[str]:
    """Give the names of the sources in a manifest, sorted."""
    return sorted(manifest["source"].unique())


def is_synthetic(manifest: pd.DataFrame) -> bool:
    """Say whether any image of the manifest was drawn rather than photographed."""
    return any(find_source(name).synthetic for name in sources_of(manifest))


def describe(manifest: pd.DataFrame) -> str:
    """Say in a line or two which data these are, that drawings are drawings, and what is known to be wrong."""
    lines = []
    for name in sources_of(manifest):
        source = find_source(name)
        mark = "SYNTHETIC DATA (drawings, not photographs): " if source.synthetic else ""
        lines.append(f"{mark}{source.title}; licence: {source.licence}; groups: {source.groups}.")
        lines += [f"Caution: {caution}" for caution in source.cautions]
    return "\n".join(lines)


def level_of(manifest: pd.DataFrame) -> str:
    """Give the level at which the images were split: the weakest among the kept ones, where sources differ."""
    present = set(manifest.loc[manifest["excluded"] == "", "group_level"])
    return next(level for level in reversed(LEVELS) if level in present)


def data_hash(manifest: pd.DataFrame) -> str:
    """Hash what the models are given: the kept images, their labels, groups and splits (16 hex digits).

    The order of the rows does not matter, nor what was excluded.
    """
    kept = manifest[manifest["excluded"] == ""].sort_values("image_id")
    facts = kept[["image_id", "sha256", "label", "group_id", "split"]].to_csv(
        index=False, lineterminator="\n"
    )
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
