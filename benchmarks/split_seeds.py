"""How much of a result is the luck of the split: an experiment trained and tested on the splits of several seeds.

python benchmarks/split_seeds.py stage-efficientnet_lite0-frozen detection-efficientnet_lite0-frozen     (after `dvc repro`: it reads build/)

Seeds whose test split holds a single group of some class are passed over, as the study's own seed is chosen.
"""

import sys

import numpy as np
import pandas as pd

from leukstudy.data.labels import rows_of_task
from leukstudy.data.manifest import read_manifest
from leukstudy.data.split import assign
from leukstudy.models import train
from leukstudy.statistics import predictions
from leukstudy.statistics.metrics import score
from leukstudy.study import paths
from leukstudy.study.params import load

SEEDS = range(10)


def main() -> None:
    """Print a table an experiment."""
    study, manifest = load(), read_manifest(paths.MANIFEST)
    images = np.load(paths.PREPARED / "images.npy", mmap_mode="r")
    for name in sys.argv[1:]:
        settings = study.train[name]
        task = study.tasks[settings.task]
        rows, y = rows_of_task(manifest, task.classes, task=settings.task)
        scores = {}
        print(f"{name}\n\n| split.seed | test images | accuracy | AUROC |\n| --- | ---: | ---: | ---: |")
        for seed in SEEDS:
            kept = assign(manifest, seed=seed)[manifest["excluded"] == ""].reset_index(drop=True).iloc[rows]
            test = kept["split"] == "test"
            if kept[test].groupby("label")["group_id"].nunique().min() < 2:
                continue
            fit = train.fit(
                settings,
                images=images[rows],
                y=y,
                split=kept["split"].to_numpy(),
                groups=kept["group_id"].to_numpy(),
                classes=list(task.classes),
                cache=paths.CACHE,
                say=lambda _: None,
            )
            held_out = test.to_numpy()
            table = predictions.table(
                kept[test], y[held_out], fit.probabilities[held_out], list(task.classes)
            )
            scores[seed] = score(predictions.Predictions.of(table, task.classes, task.positive))
            accuracy, auroc = scores[seed]["accuracy"], scores[seed]["auroc"]
            print(f"| {seed} | {held_out.sum()} | {accuracy:.3f} | {auroc:.4f} |", flush=True)
        summary = pd.DataFrame(scores).T[["accuracy", "auroc"]].agg(["mean", "min", "max"])
        cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in summary.T.to_numpy()]
        print(f"| mean (range) | | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
