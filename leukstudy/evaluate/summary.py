"""One record an experiment: point estimates with intervals and everything needed to trace them, as JSON."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.statistics.intervals import bootstrap, cautions
from leukstudy.statistics.metrics import check_predictions, confusion, per_class, score, task_classes
from leukstudy.statistics.predictions import aligned
from leukstudy.study.files import write_atomically

KINDS = ("model", "ensemble", "baseline")
REQUIRED = ("seed", "data_hash", "params_hash")
OPTIONAL = {
    "resamples": 1000,
    "confidence": 0.95,
    "kind": "model",
    "split": "test",
    "synthetic": False,
    "source": "",
    "members": [],
}
DIGITS = 6  # significant digits in JSON: more than any of these numbers deserves, few enough to be stable


def evaluate_experiment(  # noqa: PLR0917
    name: str,
    predictions: pd.DataFrame | Mapping[int, pd.DataFrame],
    task: Mapping,
    task_name: str,
    model: str,
    group_level: str,
    settings: Mapping,
) -> dict:
    """Evaluate one experiment on one split and give its JSON-able record.

    `predictions` is a table, or training seed -> table (of the same images, `models.predictions.read_seeds`). They may
    hold every split: the rows of `settings["split"]` (test) are scored. `settings` holds
    `seed` (of the bootstrap), `data_hash`, `params_hash`, and may hold `resamples` (1000), `confidence`
    (0.95), `kind` ("model", "ensemble", or "baseline" for a shortcut baseline), `members` (of an ensemble) and `split`.
    `group_level` is what `group_id` names: patient, slide, block or image.

    A metric's `value` is its mean over the seeds, `low` and `high` the bootstrap interval of that mean. With several
    seeds it also has `by_seed`, in the order of the record's `seeds`, and `range`, the lowest and highest of them.
    `per_class` and `confusion` are those of the first seed. Raises ValueError for other settings, `PredictionError`
    for tables it cannot score, `BadPredictions` for seeds of other images.
    """
    settings = _settings(settings)
    given = {None: predictions} if isinstance(predictions, pd.DataFrame) else dict(predictions)
    named = {f"seed {seed}": table[table["split"] == settings["split"]] for seed, table in given.items()}
    tables = list(aligned(named).values())
    for table in tables:
        check_predictions(table, task)
    classes, first = task_classes(task), tables[0]
    each = per_class(first, task)
    intervals = bootstrap(
        tables,
        task,
        resamples=settings["resamples"],
        confidence=settings["confidence"],
        seed=settings["seed"],
    )
    groups_per_class = {row["class"]: row["groups"] for row in each.to_dict("records")}
    record = {
        "experiment": name,
        "task": task_name,
        "model": model,
        "classes": classes,
        "positive": task.get("positive"),
        "group_level": group_level,
        "seeds": [seed for seed in given if seed is not None],
        "images": len(first),
        "groups": int(first["group_id"].nunique()),
        "groups_per_class": groups_per_class,
        "metrics": _estimates([score(table, task) for table in tables], intervals),
        "per_class": each.to_dict("records"),
        "confusion": {"classes": classes, "counts": confusion(first, classes).to_numpy().tolist()},
        "cautions": cautions(groups_per_class, group_level),
        **settings,
    }
    return plain(record)


def _estimates(
    scores: list[dict[str, float]], intervals: Mapping[str, tuple[float, float]]
) -> dict[str, dict]:
    """Join the scores of each seed and the intervals: metric -> value, low, high and, of several, by_seed and range."""
    estimates = {}
    for metric, (low, high) in intervals.items():
        by_seed = [given[metric] for given in scores]
        estimates[metric] = {"value": float(np.mean(by_seed)), "low": low, "high": high}
        if len(by_seed) > 1:
            estimates[metric] |= {"by_seed": by_seed, "range": [min(by_seed), max(by_seed)]}
    return estimates


def _settings(given: Mapping) -> dict:
    missing = [key for key in REQUIRED if key not in given]
    unknown = sorted(set(given) - {*REQUIRED, *OPTIONAL})
    if missing or unknown:
        raise ValueError(
            f"settings of an evaluation: missing {missing}, unknown {unknown}; "
            f"expected {list(REQUIRED)} and at will {list(OPTIONAL)}."
        )
    settings = OPTIONAL | dict(given)
    if settings["kind"] not in KINDS:
        raise ValueError(f"kind of experiment '{settings['kind']}'; expected one of {list(KINDS)}.")
    return settings


def summary(records: Iterable[Mapping]) -> dict[str, dict]:
    """Flatten records for `dvc metrics show`: experiment -> seeds, auroc, auroc_low, auroc_high, accuracy, ...

    Bounds that could not be estimated are left out. `seeds` is text, `7, 8, 9`, since DVC shows no lists; of several
    seeds, `by_seed` holds each one's metrics. An ensemble has none. The entry `data` says what was measured on.
    """
    records = sorted(records, key=lambda record: record["experiment"])
    said = ("source", "synthetic", "group_level", "split", "seed", "data_hash")
    flat: dict[str, dict] = {"data": {key: records[0][key] for key in said}} if records else {}
    for record in records:
        values = {"images": record["images"], "groups": record["groups"]}
        if record["seeds"]:
            values["seeds"] = ", ".join(map(str, record["seeds"]))
        for metric, estimate in record["metrics"].items():
            values[metric] = estimate["value"]
            values |= {
                f"{metric}_{end}": estimate[end] for end in ("low", "high") if estimate[end] is not None
            }
        if len(record["seeds"]) > 1:
            values["by_seed"] = {
                str(seed): {
                    metric: estimate["by_seed"][place] for metric, estimate in record["metrics"].items()
                }
                for place, seed in enumerate(record["seeds"])
            }
        flat[record["experiment"]] = values
    return flat


def plain(value):
    """Turn numpy scalars, arrays and tuples into what JSON holds: 6 significant digits, NaN as null."""
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def write_json(path: Path, record: Mapping | list) -> Path:
    """Write sorted, indented JSON in one step, so that a killed run leaves no half of one.

    The same record always gives the same bytes. Raises TypeError for what JSON cannot hold.
    """
    path = Path(path)
    text = json.dumps(plain(record), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path
