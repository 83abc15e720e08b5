"""External validation: the sources that no model has learned from, each scored by itself."""

from collections.abc import Mapping

import pandas as pd

from leukstudy.evaluate.summary import evaluate_experiment
from leukstudy.statistics.metrics import task_classes


def external_records(  # noqa: PLR0917
    name: str,
    predictions: pd.DataFrame | Mapping[int, pd.DataFrame],
    task: Mapping,
    task_name: str,
    model: str,
    settings: Mapping,
    images: pd.DataFrame,
) -> dict[str, dict]:
    """Evaluate one experiment on each external source: source -> record, as `evaluate_experiment` gives it.

    `images` are manifest rows (image_id, source, group_level); the other arguments are those of `evaluate_experiment`. A
    source that lacks a class of the task cannot be scored: its record is `{"unscored": why}`. Without external rows the
    mapping is empty.
    """
    seeds = {None: predictions} if isinstance(predictions, pd.DataFrame) else dict(predictions)
    first = next(iter(seeds.values()))
    outside = first[first["split"] == "external"]
    facts = images.set_index("image_id").loc[outside["image_id"], ["source", "group_level"]]
    records: dict[str, dict] = {}
    for source in sorted(facts["source"].unique()):
        own = outside["image_id"][(facts["source"] == source).to_numpy()]
        mine = outside[outside["image_id"].isin(own)]
        lacking = [label for label in task_classes(task) if label not in set(mine["y_true"])]
        if lacking:
            why = f"no image of class {', '.join(lacking)} among its {len(mine):,}: recall and AUROC have no answer"
            records[source] = {"unscored": why}
            continue
        level = facts.loc[facts["source"] == source, "group_level"].iloc[0]
        asked = {**settings, "split": "external", "source": source}
        told = {seed: table[table["image_id"].isin(own)] for seed, table in seeds.items()}
        records[source] = evaluate_experiment(name, told, task, task_name, model, level, asked)
    return records
