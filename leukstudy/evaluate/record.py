"""The record of one experiment on one split, as `reports/metrics/<experiment>.json` holds it: numbers and their origin.

Numbers are rounded to 6 significant digits when a record is made, more than any of them deserves and few enough to be
the same on every machine; what has no value (NaN) is None. So a record and what is read back from its file are equal.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from leukstudy.study.experiments import Ensemble, Experiment
from leukstudy.study.files import write_atomically
from leukstudy.study.params import fingerprint
from leukstudy.study.schema import Task

DIGITS = 6  # significant digits


def significant(value: float | None) -> float | None:
    """Round to 6 significant digits; None for None, NaN and infinity."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


Rounded = Annotated[float, BeforeValidator(significant)]
MaybeRounded = Annotated[float | None, BeforeValidator(significant)]


class Part(BaseModel):
    """A part of a record: its keys are fixed, and those that were not set are left out of the JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Part):
    """A metric: its mean over the training seeds, with the bootstrap interval of that mean."""

    value: Rounded
    low: MaybeRounded
    """None, as `high`, where a class has a single group: then there is no interval."""
    high: MaybeRounded
    by_seed: list[Rounded] = []
    """Of several seeds, the value of each, in the order of the record's `seeds`."""
    range: list[Rounded] = []
    """Of several seeds, the lowest and the highest."""


class ClassScores(Part):
    """The scores of one class against the rest, and what they rest on."""

    label: str = Field(alias="class")
    precision: Rounded
    recall: Rounded
    specificity: Rounded
    f1: Rounded
    auroc: Rounded
    images: int
    groups: int


class Confusion(Part):
    """Counts of images: rows are the true classes, columns the predicted ones."""

    classes: list[str]
    counts: list[list[int]]


class Identity(Part):
    """Which experiment this is, and the question that it answers."""

    experiment: str
    task: str
    classes: list[str]
    positive: str | None
    model: str
    """The model's name; of an ensemble, what it is made of."""
    kind: Literal["model", "ensemble", "baseline"]
    members: list[str] = []
    """Of an ensemble, the experiments that it combines."""
    params_hash: str

    @classmethod
    def of(cls, name: str, settings: Experiment | Ensemble, task: Task, model: str) -> "Identity":
        """Give the identity of an entry of `train` or `ensembles`; `task` is the one that its `settings` name."""
        combined = isinstance(settings, Ensemble)
        kind, members = ("ensemble", settings.members) if combined else (settings.kind, [])
        question = {"task": settings.task, "classes": list(task.classes), "positive": task.positive}
        origin = {"model": model, "kind": kind, "members": members, "params_hash": fingerprint(settings)}
        return cls(experiment=name, **question, **origin)


class Provenance(Part):
    """Which images were scored, and how the intervals are made."""

    source: str
    synthetic: bool
    data_hash: str
    group_level: str
    """What `group_id` names: patient, slide, block or image."""
    split: str = "test"
    seed: int
    """Of the bootstrap."""
    resamples: int = 1000
    confidence: float = 0.95


class Unscored(Part):
    """Stands for the record of an external source that cannot be scored."""

    unscored: str
    """Why."""


class Record(Identity, Provenance):
    """One experiment on one split."""

    seeds: list[int]
    """The training seeds; none for an ensemble."""
    images: int
    groups: int
    groups_per_class: dict[str, int]
    metrics: dict[str, Estimate]
    per_class: list[ClassScores]
    """Of the first seed, as `confusion`."""
    confusion: Confusion
    cautions: list[str]
    external: dict[str, "Record | Unscored"] = {}
    """Source -> record of the same experiment on a source that no model has learned from."""

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        write_json(path, self.model_dump(mode="json", by_alias=True, exclude_unset=True))

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a record that `write` wrote. Raises ValueError for a file that holds none."""
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON in one step: the same content gives the same bytes, a killed run leaves no half of one."""
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(Path(path), lambda part: part.write_text(text, encoding="utf-8"))
