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
        return _table(_checksum(source, path, path.name))
    table = source_rows(source, path)
    facts = _counts(source, table) + _sizes(source, path, table["path"])
    _, others = listing(path)
    for other in others:
        facts += _checksum(source, path / other, other.rsplit("/", 1)[-1], must=False)
    facts += _annotated(source, path, table)
    reasons = Counter(table.loc[table["excluded_by_source"] != "", "excluded_by_source"])
    facts += [(f"excluded: {reason}", "", f"{count:,}", NOTED) for reason, count in sorted(reasons.items())]
    facts += [(f"left out: {why}", "", f"{count:,}", NOTED) for why, count in table.attrs["left_out"].items()]
    facts += [("note", "", note, NOTED) for note in table.attrs["notes"]]
    splits = Counter(table.loc[table["official_split"] != "", "official_split"])
    facts += [
        (f"official split {name}", "", f"{splits[name]:,}", NOTED)
        for name in ("train", "val", "test")
        if splits[name]
    ]
    facts += _groups(table)
    return _table(facts)


def contradicts(table: pd.DataFrame) -> bool:
    """Whether anything found contradicts the registry."""
    return bool((table["verdict"] == DIFFERS).any())


def _table(facts: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(facts, columns=COLUMNS, dtype="str")


def _counts(source: Source, table: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    found = table["label"].value_counts().to_dict()
    facts = [_compared("images", source.images, len(table))]
    facts += [
        _compared(f"label {label}", count, found.get(label, 0)) for label, count in source.classes.items()
    ]
    for label in sorted(set(found) - set(source.classes)):
        # only where the labels are known can one be unexpected
        verdict = DIFFERS if source.classes else NOTED
        facts.append(
            (f"label {label}", "unknown label" if source.classes else "?", f"{found[label]:,}", verdict)
        )
    return facts


def _compared(what: str, published: int | None, found: int) -> tuple[str, str, str, str]:
    if published is None:
        return what, "?", f"{found:,}", NOTED
    verdict = AGREES if found == published else DIFFERS
    missing = published - found
    more = f" ({abs(missing):,} {'missing' if missing > 0 else 'too many'})" if missing else ""
    return what, f"{published:,}", f"{found:,}{more}", verdict


def _sizes(source: Source, root: Path, paths: pd.Series) -> list[tuple[str, str, str, str]]:
    def size(path: str) -> str:
        try:
            header = image_header(root / path)
        except BadImage as error:
            return f"unreadable ({error.reason})"
        return f"{header.width}x{header.height}"

    found = Counter(in_order(size, paths, threads=True))
    published = set(re.findall(r"\d+x\d+", source.image_size))
    exact = bool(published) and not re.search(r"\?|about", source.image_size)
    most = ", ".join(f"{name} {count:,}" for name, count in found.most_common(4)) + (
        ", ..." if len(found) > 4 else ""
    )
    verdict = (AGREES if set(found) <= published else DIFFERS) if exact else NOTED
    return [("image size", source.image_size, most, verdict)]


def _checksum(source: Source, path: Path, name: str, *, must: bool = True) -> list[tuple[str, str, str, str]]:
    known = source.checksums.get(name)
    if known is None:
        if must:
            files = ", ".join(source.checksums) or "none"
            raise DataProblem(
                f"{path} is a file without a published checksum (files of {source.name} that have one: {files}); "
                "unpack it and give the folder"
            )
        return []
    algorithm, expected = known.split(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    return [
        (f"checksum of {name}", known, f"{algorithm}:{digest}", AGREES if digest == expected else DIFFERS)
    ]


def _annotated(source: Source, root: Path, table: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Boxes, centres and masks, and how many of them cannot be used."""
    adapter, facts = adapter_of(source), []
    for name in ("boxes", "centres"):
        if not hasattr(adapter, name):
            continue
        try:
            found = getattr(adapter, name)(root)
        except DataProblem as error:
            facts.append((name, "", f"none ({error})", NOTED))
            continue
        bad = found.attrs["bad"]
        facts.append((name, "", f"{len(found):,} on {found['path'].nunique():,} images", NOTED))
        if bad:
            facts.append(
                (
                    f"{name} not used",
                    "",
                    f"{len(bad):,}: {'; '.join(bad[:3])}{'; ...' if len(bad) > 3 else ''}",
                    NOTED,
                )
            )
    if hasattr(adapter, "masks"):
        facts.append(("masks", "", f"for {len(adapter.masks(root)):,} of {len(table):,} images", NOTED))
    return facts


def _groups(table: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    facts = []
    for level in ("patient", "slide", "original"):
        known = table.loc[table[f"{level}_id"] != "", f"{level}_id"]
        if len(known):
            facts.append((f"{level}s", "", f"{known.nunique():,}, known of {len(known):,} images", NOTED))
    return facts
