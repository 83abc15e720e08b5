"""The data dictionary: what every feature is, read from data-dictionary.csv beside this module.

A new feature is one row there and its value in the module that measures it; a test holds the two together.
docs/data-dictionary.csv is a link to the file.
"""

import csv
from pathlib import Path
from typing import NamedTuple


class Feature(NamedTuple):
    """A feature's unit, what it means in words, and where its method comes from (paper, year; library)."""

    unit: str
    meaning: str
    method: str


def _read(file: Path) -> dict[str, Feature]:
    with file.open(encoding="utf-8", newline="") as text:
        return {
            row["name"]: Feature(row["unit"], row["meaning"], row["method"]) for row in csv.DictReader(text)
        }


FEATURES: dict[str, Feature] = _read(Path(__file__).with_name("data-dictionary.csv"))
"""Every feature by its name, in the order of the columns of build/prepared/features.csv; the name begins with its family."""

QUALITY = tuple(name for name in FEATURES if name.startswith("quality_"))
"""Names of the flags that say whether a segmentation can be trusted."""
