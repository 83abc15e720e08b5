"""Which model or ensemble does the validation split choose? The test split is not read.

    python benchmarks/ensemble_choice.py TASK     (after `dvc repro`: reads build/predictions)

The log loss is that of the mean probability over the seeds; each group counts once, as in stacking.
"""

import sys

import numpy as np
import pandas as pd

from leukstudy.evaluate import ensemble
from leukstudy.statistics import predictions
from leukstudy.study import params, paths


def scores(table: pd.DataFrame, classes: list[str]) -> tuple[float, float]:
    """Log loss, groups weighing alike, and accuracy of the validation rows."""
    val = table[table["split"] == "val"]
    chances = val[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    y = pd.Index(classes).get_indexer(val["y_true"])
    weight = ensemble.group_shares(val["group_id"])
    loss = -np.log(np.maximum(chances[np.arange(len(y)), y], ensemble.FLOOR))
    return float(np.average(loss, weights=weight)), float((chances.argmax(axis=1) == y).mean())


def main(task: str) -> None:
    """Print a row a candidate, the best first."""
    study = params.load()
    classes = list(study.tasks[task].classes)
    models = {
        name: ensemble.average(predictions.read_seeds(name, settings.seeds, paths.BUILD))
        for name, settings in study.train.items()
        if settings.task == task
    }
    rows = [(name, *scores(table, classes)) for name, table in models.items()]
    for name, settings in study.ensembles.items():
        if settings.task == task:
            members = {member: models[member] for member in settings.members}
            rows.append((name, *scores(ensemble.combine(members, settings.combine, classes), classes)))
    print("| experiment | validation log loss | validation accuracy |\n| --- | ---: | ---: |")
    for name, loss, accuracy in sorted(rows, key=lambda row: row[1]):
        print(f"| {name} | {loss:.4f} | {accuracy:.4f} |")


if __name__ == "__main__":
    main(sys.argv[1])
