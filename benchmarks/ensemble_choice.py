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
    own = table[table["split"] == "val"]
    chances = own[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    y = pd.Index(classes).get_indexer(own["y_true"])
    weight = 1 / own["group_id"].map(own["group_id"].value_counts()).to_numpy(np.float64)
    loss = -np.log(np.maximum(chances[np.arange(len(y)), y], ensemble.FLOOR))
    return float((weight * loss).sum() / weight.sum()), float((chances.argmax(axis=1) == y).mean())


def main(task: str) -> None:
    """Print a row a candidate, the best first."""
    study = params.load()
    classes = list(study.tasks[task].classes)
    models = {
        name: ensemble.average(predictions.read_seeds(name, given.seeds, paths.BUILD))
        for name, given in study.train.items()
        if given.task == task
    }
    rows = [(name, *scores(table, classes)) for name, table in models.items()]
    for name, given in study.ensembles.items():
        if given.task == task:
            members = {member: models[member] for member in given.members}
            rows.append((name, *scores(ensemble.combine(members, given.combine, classes), classes)))
    print("| experiment | validation log loss | validation accuracy |\n| --- | ---: | ---: |")
    for name, loss, accuracy in sorted(rows, key=lambda row: row[1]):
        print(f"| {name} | {loss:.4f} | {accuracy:.4f} |")


if __name__ == "__main__":
    main(sys.argv[1])
