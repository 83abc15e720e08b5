"""From predictions to records: each experiment on the test split, and on every source that no model has learned from."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.evaluate.record import ClassScores, Confusion, Estimate, Identity, Provenance, Record, Unscored
from leukstudy.statistics.intervals import bootstrap
from leukstudy.statistics.metrics import confusion, per_class, score
from leukstudy.statistics.predictions import Predictions, aligned
from leukstudy.statistics.resampling import cautions


def evaluate_experiment(
    identity: Identity, tables: Mapping[int | None, pd.DataFrame], provenance: Provenance
) -> Record:
    """Evaluate one experiment on the split that `provenance` names, and give its record.

    `tables` maps a training seed to its table of predictions, all of the same images (`predictions.read_seeds`); an
    ensemble has one table, of seed None. They may hold every split.

    A metric's `value` is its mean over the seeds, `low` and `high` the bootstrap interval of that mean. Scores by class and
    the confusion matrix are those of the first seed. Raises BadPredictions for tables that cannot be scored, and for
    seeds of other images.
    """
    split = {f"seed {seed}": table[table["split"] == provenance.split] for seed, table in tables.items()}
    seeds = [Predictions.of(table, identity.classes, identity.positive) for table in aligned(split).values()]
    intervals = bootstrap(
        seeds, resamples=provenance.resamples, confidence=provenance.confidence, seed=provenance.seed
    )
    first, scores = seeds[0], [score(seed) for seed in seeds]
    by_class = [ClassScores(**row) for row in per_class(first).to_dict("records")]
    groups_per_class = {scores.label: scores.groups for scores in by_class}
    return Record(
        **dict(identity),
        **dict(provenance),
        seeds=[seed for seed in tables if seed is not None],
        images=len(first.table),
        groups=first.table["group_id"].nunique(),
        groups_per_class=groups_per_class,
        metrics={name: _estimate([seed[name] for seed in scores], *ends) for name, ends in intervals.items()},
        per_class=by_class,
        confusion=Confusion(classes=first.classes, counts=confusion(first).tolist()),
        cautions=cautions(groups_per_class, provenance.group_level),
    )


def _estimate(by_seed: list[float], low: float, high: float) -> Estimate:
    spread = {"by_seed": by_seed, "range": [min(by_seed), max(by_seed)]} if len(by_seed) > 1 else {}
    return Estimate(value=np.mean(by_seed), low=low, high=high, **spread)


def evaluate_external(
    identity: Identity,
    tables: Mapping[int | None, pd.DataFrame],
    provenance: Provenance,
    images: pd.DataFrame,
) -> dict[str, Record | Unscored]:
    """Evaluate one experiment on each external source by itself: source -> record; {} without external rows.

    `images` are manifest rows (image_id, source, group_level); the other arguments are those of `evaluate_experiment`. A
    source that lacks a class of the task cannot be scored, and its record says why.
    """
    first = next(iter(tables.values()))
    external = first.loc[first["split"] == "external", ["image_id", "y_true"]]
    external = external.merge(images[["image_id", "source", "group_level"]], on="image_id")
    records: dict[str, Record | Unscored] = {}
    for source, rows in external.groupby("source"):
        absent = [label for label in identity.classes if label not in set(rows["y_true"])]
        if absent:
            why = f"no image of class {', '.join(absent)} among its {len(rows):,}: recall and AUROC have no answer"
            records[source] = Unscored(unscored=why)
            continue
        here = {"split": "external", "source": source, "group_level": rows["group_level"].iloc[0]}
        of_source = {seed: table[table["image_id"].isin(rows["image_id"])] for seed, table in tables.items()}
        records[source] = evaluate_experiment(identity, of_source, provenance.model_copy(update=here))
    return records


def summary(records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """Flatten records for `dvc metrics show`: experiment -> seeds, auroc, auroc_low, auroc_high, accuracy, ...

    Bounds that could not be estimated are left out. `seeds` is text, `7, 8, 9`, since DVC shows no lists; of several
    seeds, `by_seed` holds the metrics of each. An ensemble has none. The entry `data` says which images were measured.
    """
    records = sorted(records, key=lambda record: record.experiment)
    described = {"source", "synthetic", "group_level", "split", "seed", "data_hash"}
    flat = {"data": records[0].model_dump(include=described)} if records else {}
    for record in records:
        values: dict[str, Any] = {"images": record.images, "groups": record.groups}
        if record.seeds:
            values["seeds"] = ", ".join(map(str, record.seeds))
        for metric, estimate in record.metrics.items():
            values[metric] = estimate.value
            if estimate.low is not None:
                values |= {f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        if len(record.seeds) > 1:
            values["by_seed"] = {
                str(seed): {metric: estimate.by_seed[place] for metric, estimate in record.metrics.items()}
                for place, seed in enumerate(record.seeds)
            }
        flat[record.experiment] = values
    return flat
