"""What is there, beside what the registry says: counts, sizes, checksums, and what does not belong."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import listing
from leukstudy.data.registry import Source
from leukstudy.data.sources import adapter_of, source_rows
from leukstudy.imaging.io import BadImage, image_header
from leukstudy.imaging.workers import in_order

COLUMNS = ["what", "published", "found", "verdict"]
AGREES, DIFFERS, NOTED = "as published", "DIFFERS", "noted"
"""Verdicts: it agrees, it contradicts the registry, or the registry says nothing of it."""


def verify(source: Source, path: Path) -> pd.DataFrame:
    """Compare a folder (or one file with a published checksum) with the registry; columns COLUMNS, all text.

    A row a fact: images in all and of each label, image sizes, checksums of files that have one, boxes and masks
    where the source has them, and what was left out or is unexpected. `contradicts` says whether any row DIFFERS.

    Raises DataProblem where the files are not as the adapter expects at all.
    """
    path = Path(path)
    if path.is_file():
        return _table([_checksum(source, path)])
    table = source_rows(source, path)
    facts = [*_counts(source, table), _sizes(source, path, table["path"])]
    with_checksum = [file for file in listing(path)[1] if Path(file).name in source.checksums]
    facts += [_checksum(source, path / file) for file in with_checksum]
    facts += _annotated(source, path, table)
    reasons = Counter(table.loc[table["excluded_by_source"] != "", "excluded_by_source"])
    facts += [_noted(f"excluded: {reason}", f"{count:,}") for reason, count in sorted(reasons.items())]
    facts += [
        _noted(f"left out: {reason}", f"{count:,}") for reason, count in table.attrs["left_out"].items()
    ]
    facts += [_noted("note", note) for note in table.attrs["notes"]]
    splits = Counter(table["official_split"])
    facts += [
        _noted(f"official split {name}", f"{splits[name]:,}")
        for name in ("train", "val", "test")
        if splits[name]
    ]
    for level in ("patient", "slide", "original"):
        ids = table.loc[table[f"{level}_id"] != "", f"{level}_id"]
        if len(ids):
            facts.append(_noted(f"{level}s", f"{ids.nunique():,}, known of {len(ids):,} images"))
    return _table(facts)


def contradicts(table: pd.DataFrame) -> bool:
    """Whether anything found contradicts the registry."""
    return bool((table["verdict"] == DIFFERS).any())


Fact = tuple[str, str, str, str]
"""A row of the table, as COLUMNS."""


def _table(facts: list[Fact]) -> pd.DataFrame:
    return pd.DataFrame(facts, columns=COLUMNS, dtype="str")


def _noted(name: str, text: str) -> Fact:
    return name, "", text, NOTED


def _counts(source: Source, table: pd.DataFrame) -> list[Fact]:
    counts = table["label"].value_counts().to_dict()
    facts = [_compared("images", source.images, len(table))]
    facts += [
        _compared(f"label {label}", published, counts.get(label, 0))
        for label, published in source.classes.items()
    ]
    # Only where the labels are known can one be unexpected.
    published, verdict = ("unknown label", DIFFERS) if source.classes else ("?", NOTED)
    unexpected = sorted(set(counts) - set(source.classes))
    return facts + [(f"label {label}", published, f"{counts[label]:,}", verdict) for label in unexpected]


def _compared(name: str, published: int | None, counted: int) -> Fact:
    if published is None:
        return name, "?", f"{counted:,}", NOTED
    if counted == published:
        return name, f"{published:,}", f"{counted:,}", AGREES
    missing = published - counted
    difference = f"{abs(missing):,} {'missing' if missing > 0 else 'too many'}"
    return name, f"{published:,}", f"{counted:,} ({difference})", DIFFERS


def _sizes(source: Source, root: Path, paths: pd.Series) -> Fact:
    def size(path: str) -> str:
        try:
            header = image_header(root / path)
        except BadImage as error:
            return f"unreadable ({error.reason})"
        return f"{header.width}x{header.height}"

    sizes = Counter(in_order(size, paths, threads=True))
    published = set(re.findall(r"\d+x\d+", source.image_size))
    exact = bool(published) and not re.search(r"\?|about", source.image_size)
    most = [f"{name} {count:,}" for name, count in sizes.most_common(4)] + ["..."] * (len(sizes) > 4)
    verdict = (AGREES if set(sizes) <= published else DIFFERS) if exact else NOTED
    return "image size", source.image_size, ", ".join(most), verdict


def _checksum(source: Source, path: Path) -> Fact:
    if path.name not in source.checksums:
        files = ", ".join(source.checksums) or "none"
        raise DataProblem(
            f"{path} is a file without a published checksum (files of {source.name} that have one: {files}); "
            "unpack it and give the folder"
        )
    algorithm, expected = source.checksums[path.name].split(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    verdict = AGREES if digest == expected else DIFFERS
    return f"checksum of {path.name}", source.checksums[path.name], f"{algorithm}:{digest}", verdict


def _annotated(source: Source, root: Path, table: pd.DataFrame) -> list[Fact]:
    """Boxes, centres and masks, and how many of them cannot be used."""
    adapter, facts = adapter_of(source), []
    for name in ("boxes", "centres"):
        if not hasattr(adapter, name):
            continue
        try:
            marks = getattr(adapter, name)(root)
        except DataProblem as error:
            facts.append(_noted(name, f"none ({error})"))
            continue
        facts.append(_noted(name, f"{len(marks):,} on {marks['path'].nunique():,} images"))
        if bad := marks.attrs["bad"]:
            more = "; ..." if len(bad) > 3 else ""
            facts.append(_noted(f"{name} not used", f"{len(bad):,}: {'; '.join(bad[:3])}{more}"))
    if hasattr(adapter, "masks"):
        facts.append(_noted("masks", f"for {len(adapter.masks(root)):,} of {len(table):,} images"))
    return facts
