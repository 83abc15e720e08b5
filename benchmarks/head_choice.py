"""Heads on a frozen backbone, compared by grouped cross-validation on the training and validation rows, as Markdown.

python benchmarks/head_choice.py stage-efficientnet_lite0     (after `dvc repro` of the study: it reads build/)

Variants that differ in several settings at once, which a grid (the stage `tune`) would cross with each other. The heads
are those of the search: each fold is predicted by heads trained on the others, of which the next one stops a variant that
stops early. The test split is never read, so that what is chosen here can still be tested.
"""

import argparse

import numpy as np

from leukstudy.data.manifest import read_manifest
from leukstudy.search.heads import Heads
from leukstudy.search.search import developing_rows
from leukstudy.statistics import predictions
from leukstudy.statistics.metrics import score
from leukstudy.study import paths
from leukstudy.study.params import load
from leukstudy.study.tune import at_point

PATIENT = {"epochs": 100, "early_stopping": 0, "schedule": "constant"}
VARIANTS = {
    "as in params.yaml": {},
    "512 units, dropout 0.5, early stopping 7": {"head_units": 512, "dropout": 0.5, "epochs": 50, "early_stopping": 7},
    "512 units, dropout 0.5, 50 epochs": {"head_units": 512, "dropout": 0.5, **PATIENT, "epochs": 50},
    "linear, early stopping 7": {"head_units": 0, "dropout": 0.0, "epochs": 50, "early_stopping": 7},
    "linear, 100 epochs": {"head_units": 0, "dropout": 0.0, **PATIENT},
    "linear, dropout 0.5, 100 epochs": {"head_units": 0, "dropout": 0.5, **PATIENT},
}  # fmt: skip


def main() -> None:
    """Print a row a variant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", help="an experiment of params.yaml with mode: frozen")
    study, manifest = load(), read_manifest(paths.MANIFEST)
    settings = study.train[parser.parse_args().experiment]
    task = study.tasks[settings.task]
    classes = list(task.classes)
    rows, kept, y = developing_rows(manifest, task.classes, task=settings.task)
    images = np.load(paths.PREPARED / "images.npy", mmap_mode="r")[rows]
    heads = Heads(settings, images, kept, y=y, classes=classes, cache=paths.CACHE)
    print(f"{settings.task}: {len(kept):,} images of train and val\n")
    print("| head | accuracy | AUROC | accuracy by fold |\n| --- | ---: | ---: | --- |")
    for name, changes in VARIANTS.items():
        chances = heads.out_of_fold(at_point(settings, changes))
        table = predictions.table(kept, y, chances, classes)
        scores = score(predictions.Predictions.of(table, task.classes, task.positive))
        right = (table["y_true"] == table["y_pred"]).groupby(kept["fold"]).mean()
        print(
            f"| {name} | {scores['accuracy']:.4f} | {scores['auroc']:.4f} | {', '.join(f'{v:.3f}' for v in right)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
