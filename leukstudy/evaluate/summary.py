"""One record an experiment: point estimates with intervals and everything needed to trace them, as JSON."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.evaluate.intervals import bootstrap, cautions
from leukstudy.evaluate.metrics import check_predictions, confusion, per_class, score, task_classes

KINDS = ("model", "baseline")
REQUIRED = ("seed", "data_hash", "params_hash")
OPTIONAL = {
    "resamples": 1000,
    "confidence": 0.95,
    "kind": "model",
    "split": "test",
    "synthetic": False,
    "source": "",
}
DIGITS = 6  # significant digits in JSON: more than any of these numbers deserves, few enough to be stable


def evaluate_experiment(  # noqa: PLR0917
    name: str,
    predictions: pd.DataFrame,
    task: Mapping,
    task_name: str,
    model: str,
    group_level: str,
    settings: Mapping,
) -> dict:
    """Evaluate one experiment on one split and give its JSON-able record.

    `predictions` may hold every split: the rows of `settings["split"]` (test) are scored. `settings` holds
    `seed` (of the bootstrap), `data_hash`, `params_hash`, and may hold `resamples` (1000), `confidence`
    (0.95), `kind` ("model", or "baseline" for a shortcut baseline) and `split`. `group_level` is what
    `group_id` names: patient, slide, block or image. Raises ValueError for other settings, `PredictionError`
    for tables it cannot score.
    """
    settings = _settings(settings)
    split = predictions[predictions["split"] == settings["split"]]
    check_predictions(split, task)
    classes = task_classes(task)
    table = per_class(split, task)
    intervals = bootstrap(
        split,
        task,
        resamples=settings["resamples"],
        confidence=settings["confidence"],
        seed=settings["seed"],
    )
    metrics = {
        metric: {"value": value, "low": intervals[metric][0], "high": intervals[metric][1]}
        for metric, value in score(split, task).items()
    }
    groups_per_class = {row["class"]: row["groups"] for row in table.to_dict("records")}
    record = {
        "experiment": name,
        "task": task_name,
        "model": model,
        "classes": classes,
        "positive": task.get("positive"),
        "group_level": group_level,
        "images": len(split),
        "groups": int(split["group_id"].nunique()),
        "groups_per_class": groups_per_class,
        "metrics": metrics,
        "per_class": table.to_dict("records"),
        "confusion": {"classes": classes, "counts": confusion(split, classes).to_numpy().tolist()},
        "cautions": cautions(groups_per_class, group_level),
        **settings,
    }
    return plain(record)


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
    """Flatten records for `dvc metrics show`: experiment -> auroc, auroc_low, auroc_high, accuracy, ...

    Bounds that could not be estimated are left out. The entry `data` says what the numbers were measured on.
    """
    records = sorted(records, key=lambda record: record["experiment"])
    said = ("source", "synthetic", "group_level", "split", "seed", "data_hash")
    flat: dict[str, dict] = {"data": {key: records[0][key] for key in said}} if records else {}
    for record in records:
        values = {"images": record["images"], "groups": record["groups"]}
        for metric, estimate in record["metrics"].items():
            values[metric] = estimate["value"]
            values |= {
                f"{metric}_{end}": estimate[end] for end in ("low", "high") if estimate[end] is not None
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
    """Write sorted, indented JSON by way of a temporary file, so that a killed run leaves no half of one.

    The same record always gives the same bytes. Raises TypeError for what JSON cannot hold.
    """
    path = Path(path)
    text = json.dumps(plain(record), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path
