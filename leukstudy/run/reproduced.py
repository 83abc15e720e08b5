"""Are the results of this workspace those of a commit? Output hashes first, then metrics, probabilities and labels.

Equal hashes in `dvc.lock` and equal bytes in `reports/metrics` and `reports/predictions` are a reproduction byte for byte.
Another kind of processor may change last digits. Then the numbers of each experiment are compared:

- AUROC, its estimate and the ends of its interval, may differ by the tolerance.
- The other metrics count labels, and one label moves them by more than a small tolerance. They are judged by the same
  tolerance while no label changed. Where labels changed, or where several seeds were trained (git holds the labels of
  the first), they are shown and not judged.
- At most 2% of the labels of an experiment may change, but always one label.

Other parameters or other data make another study, which is not compared.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from leukstudy.run.results import Results

TOLERANCE = 0.002  # of AUROC
LABEL_SHARE = 0.02
DIGITS = 9  # metrics have 6 digits; a subtraction adds noise in the last bits


class Gap(NamedTuple):
    """The largest difference of a group of numbers, and the name of the number; infinite where a side lacks it."""

    size: float
    name: str


NO_GAP = Gap(0.0, "")


@dataclass(frozen=True)
class Difference:
    """How far the results of one experiment lie from the committed ones."""

    experiment: str
    auroc: Gap = NO_GAP
    others: Gap = NO_GAP
    probability: float | None = None
    """Of an image, the largest difference; None, as `labels`, where predictions cannot be compared."""
    labels: int | None = None
    """How many of the `images` have another label."""
    images: int = 0
    failure: str = ""
    """Why the experiment is not reproduced; empty where it is."""


@dataclass(frozen=True)
class Comparison:
    """All differences, one an experiment, in the order of their names."""

    identical: bool
    other_study: list[str]
    """Parameters and data that differ."""
    first_stage: str | None
    """The first stage with other outputs."""
    differences: list[Difference]

    @property
    def reproduced(self) -> bool:
        """Whether the results are the committed ones, to the byte or within the tolerance."""
        return not self.other_study and not any(difference.failure for difference in self.differences)


def compare(here: Results, committed: Results, tolerance: float = TOLERANCE) -> Comparison:
    """Compare two runs. `tolerance` is the largest difference of AUROC that still counts as reproduced."""
    stages = dict.fromkeys([*committed.stages, *here.stages])
    changed = [stage for stage in stages if here.hashes(stage) != committed.hashes(stage)]
    experiments = sorted({*committed.records, *here.records})
    return Comparison(
        identical=not changed and here.files == committed.files,
        other_study=_other_study(here, committed),
        first_stage=changed[0] if changed else None,
        differences=[_difference(experiment, here, committed, tolerance) for experiment in experiments],
    )


def verdict(comparison: Comparison, commit: str, tolerance: float = TOLERANCE) -> str:
    """Say in one line whether the results are those of `commit`, and where the largest differences are."""
    if reasons := comparison.other_study:
        more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return f"not reproduced: another study was run than that of {commit}: {', '.join(reasons[:3])}{more}"
    if comparison.identical:
        return "reproduced: byte for byte"
    differences = comparison.differences
    if failures := [difference for difference in differences if difference.failure]:
        worst = max(failures, key=lambda d: (d.auroc.size, d.others.size, d.labels or 0))
        more = f" ({len(failures)} of {len(differences)} experiments differ)" if failures[1:] else ""
        return f"not reproduced: {worst.experiment}: {worst.failure}{more}"
    judged = max(differences, key=lambda d: d.auroc.size)
    counted = max(differences, key=lambda d: d.others.size)
    parts = [f"largest difference of a metric {_located(judged.auroc.size, judged, judged.auroc.name)}"]
    if counted.others.size > judged.auroc.size:
        place = _located(counted.others.size, counted, counted.others.name)
        parts.append(f"of a metric that counts labels {place}")
    if predicted := [difference for difference in differences if difference.labels is not None]:
        widest = max(predicted, key=lambda d: d.probability)
        labels, images = sum(d.labels for d in predicted), sum(d.images for d in predicted)
        parts.append(f"of a probability {_located(widest.probability, widest)}")
        parts.append(f"{labels:,} label{'' if labels == 1 else 's'} of {images:,} changed")
    else:
        parts.append(f"no predictions in {commit} to compare")
    return f"reproduced within {tolerance:g} AUROC: {', '.join(parts)}"


def _located(size: float, difference: Difference, *name: str) -> str:
    return f"{size:.2g} ({', '.join([difference.experiment, *name])})" if size else "0"


def _other_study(here: Results, committed: Results) -> list[str]:
    """Parameters and data that differ, in words."""
    changed = _changed_values(here.params, committed.params)
    if not changed:  # params.yaml may have been put back after the run: dvc.lock holds what was run
        run, before = _params_of_stages(here), _params_of_stages(committed)
        shared = sorted(run.keys() & before.keys())
        changed = [text for key in shared for text in _changed_values(run[key], before[key], key)]
    if _data_hash(here) != _data_hash(committed):
        changed.append("data/ holds other files")
    return changed


def _data_hash(results: Results) -> str | None:
    inputs = (entry for stage in results.stages.values() for entry in stage.get("deps", []))
    return next((entry["md5"] for entry in inputs if entry["path"] == "data"), None)


def _params_of_stages(results: Results) -> dict[str, Any]:
    entries = (stage.get("params", {}).get("params.yaml", {}) for stage in results.stages.values())
    return {key: value for entry in entries for key, value in entry.items()}


def _changed_values(here: Any, committed: Any, key: str = "") -> list[str]:
    if isinstance(here, dict) and isinstance(committed, dict):
        names = dict.fromkeys([*committed, *here])
        pairs = ((f"{key}.{name}".lstrip("."), here.get(name), committed.get(name)) for name in names)
        return [text for name, value, before in pairs for text in _changed_values(value, before, name)]
    if here == committed:
        return []
    value, before = ("a block" if isinstance(side, dict) else side for side in (here, committed))
    return [f"{key} is {value} here and {before} there"]


def _difference(experiment: str, here: Results, committed: Results, tolerance: float) -> Difference:
    record, before = here.records.get(experiment), committed.records.get(experiment)
    if record is None or before is None:
        side = "the commit" if record is None else "this workspace"
        return Difference(experiment, failure=f"only {side} has results of it")
    values, values_before = _estimates(record), _estimates(before)
    names = dict.fromkeys([*values_before, *values])
    gaps = [Gap(_gap(values.get(name), values_before.get(name)), name) for name in names]
    gaps.sort(key=lambda gap: gap.size, reverse=True)
    auroc = next((gap for gap in gaps if gap.name.startswith("auroc")), NO_GAP)
    others = next((gap for gap in gaps if not gap.name.startswith("auroc")), NO_GAP)
    rows, rows_before = here.predictions.get(experiment), committed.predictions.get(experiment)
    probability = labels = None
    failure = ""
    if rows and rows_before and rows.keys() == rows_before.keys():
        probability = max(_probability_gap(rows[image], rows_before[image]) for image in rows)
        labels = sum(rows[image]["y_pred"] != rows_before[image]["y_pred"] for image in rows)
        if labels > max(1, LABEL_SHARE * len(rows)):
            failure = f"{labels:,} labels of {len(rows):,} changed, more than {LABEL_SHARE:.0%}"
    elif rows and rows_before:
        failure = f"{len(rows.keys() ^ rows_before.keys()):,} test images have a prediction on one side only"
    judged = [auroc] if labels or len(record.get("seeds", [])) > 1 else [auroc, others]
    if too_far := next((gap.name for gap in judged if gap.size > tolerance), None):
        value, value_before = (
            "absent" if side.get(too_far) is None else f"{side[too_far]:.6g}"
            for side in (values, values_before)
        )
        failure = f"{too_far} is {value} here and {value_before} there, more than {tolerance:g} apart"
    return Difference(experiment, auroc, others, probability, labels, len(rows or ()), failure)


def _estimates(record: Mapping) -> dict[str, float | None]:
    """Estimates and ends of intervals by name: `auroc`, `auroc low`, and `auroc on bccd` of an external source."""
    external = {f" on {source}": scored for source, scored in record.get("external", {}).items()}
    return {
        f"{metric}{end}{place}": estimate[key]
        for place, scored in {"": record, **external}.items()
        for metric, estimate in scored.get("metrics", {}).items()
        for key, end in (("value", ""), ("low", " low"), ("high", " high"))
    }


def _gap(number: float | None, other: float | None) -> float:
    if number == other:
        return 0.0
    return math.inf if number is None or other is None else round(abs(number - other), DIGITS)


def _probability_gap(row: Mapping[str, str], before: Mapping[str, str]) -> float:
    """The largest difference of an image's probabilities, rows of CSV; a class on one side only counts whole."""
    columns = [name for name in {**row, **before} if name.startswith("p_")]
    return max(_gap(float(row.get(name, 0)), float(before.get(name, 0))) for name in columns)
