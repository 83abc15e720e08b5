"""Heads on a frozen backbone, compared by grouped cross-validation on the training and validation rows, as Markdown.

python benchmarks/head_choice.py stage-efficientnet_lite0     (after `dvc repro` of the study: it reads build/)

Each fold of the manifest is predicted by a head that was trained on the others, one of which stops it early where the
variant stops early. The test split is never read, so that what is chosen here can still be tested.
"""

import argparse

import numpy as np
import pandas as pd

from leukstudy import paths
from leukstudy.data.labels import rows_of_task
from leukstudy.data.manifest import read_manifest
from leukstudy.evaluate.metrics import score
from leukstudy.models import predictions, train
from leukstudy.params import load

PATIENT = {"epochs": 100, "early_stopping": 0, "plateau_patience": 0}
VARIANTS = {
    "as in params.yaml": {},
    "512 units, dropout 0.5, early stopping 7": {"head_units": 512, "dropout": 0.5, "epochs": 50, "early_stopping": 7},
    "512 units, dropout 0.5, 50 epochs": {
        "head_units": 512, "dropout": 0.5, "epochs": 50, "early_stopping": 0, "plateau_patience": 0,
    },
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
    rows, y = rows_of_task(manifest, task.classes, task=settings.task)
    kept = manifest[manifest["excluded"] == ""].reset_index(drop=True).iloc[rows]
    images = np.load(paths.PREPARED / "images.npy", mmap_mode="r")[rows]
    print(f"{settings.task}: {(kept['fold'] >= 0).sum():,} images of train and val\n")
    print("| head | accuracy | AUROC | accuracy by fold |\n| --- | ---: | ---: | --- |")
    for name, changes in VARIANTS.items():
        table = held_out(settings.model_copy(update=changes), images, kept, y, list(task.classes))
        scores = score(table, task.model_dump())
        right = (table["y_true"] == table["y_pred"]).groupby(table["fold"]).mean()
        print(
            f"| {name} | {scores['accuracy']:.4f} | {scores['auroc']:.4f} | {', '.join(f'{v:.3f}' for v in right)} |",
            flush=True,
        )


def held_out(
    settings, images: np.ndarray, kept: pd.DataFrame, y: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """Predictions of every fold by a head that has not seen it."""
    fold = kept["fold"].to_numpy()
    folds, parts = sorted(set(fold.tolist()) - {-1}), []
    for place, held in enumerate(folds):
        stops = folds[(place + 1) % len(folds)]
        split = np.select([fold < 0, fold == held, fold == stops], ["external", "test", "val"], "train")
        how = {"classes": classes, "groups": kept["group_id"].to_numpy(), "cache": paths.CACHE}
        fit = train.fit(settings, images=images, y=y, split=split, say=lambda _: None, **how)
        mine = split == "test"
        parts.append(
            predictions.table(kept[mine], y[mine], fit.probabilities[mine], classes).assign(fold=held)
        )
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
