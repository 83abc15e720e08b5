"""What each step of preprocessing does to held-out AUROC and calibration, one at a time, as Markdown.

python benchmarks/ablation.py                                           (the embedded drawings: 10 minutes)
python benchmarks/ablation.py path/to/taleqani --source taleqani (real smears: half an hour)

A linear probe (logistic regression) on the frozen EfficientNet-Lite0's embeddings of the prepared images; predictions
are out of fold, on the grouped folds of the training and validation rows. The test split is never read, so that what
is chosen here can still be tested. Intervals are those of the difference to the baseline, whole groups resampled.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.audit.near_duplicates import find_near_duplicates
from leukstudy.data.catalogue import catalogue
from leukstudy.data.group import join_near_duplicates
from leukstudy.data.provenance import is_synthetic, level_of
from leukstudy.data.split import assign
from leukstudy.imaging.batch import prepare_all
from leukstudy.imaging.variants import VARIANTS
from leukstudy.models.embed import embed
from leukstudy.statistics import predictions
from leukstudy.statistics.calibration import brier, expected_calibration_error
from leukstudy.statistics.metrics import weighted_scores
from leukstudy.statistics.resampling import draw_groups
from leukstudy.study import paths, presets

PRESETS = {"phantom": "demo", "taleqani": "real-smears"}
RESAMPLES = 1000


def main() -> None:
    """Prepare, embed, probe and print a table a task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=paths.ROOT / "assets" / "phantom")
    parser.add_argument("--source", default="phantom", choices=list(PRESETS))
    options = parser.parse_args()
    study = presets.study_of(PRESETS[options.source])
    table = catalogue(options.folder, options.source, block_size=study.split.block_size)
    near = find_near_duplicates(table[table["excluded"] == ""], options.folder)
    split = assign(join_near_duplicates(table, near), folds=study.split.folds, seed=study.split.seed)
    developing = split[(split["excluded"] == "") & split["split"].isin(["train", "val"])].reset_index(
        drop=True
    )
    kept = (
        f"{len(developing):,} images of {developing['group_id'].nunique()} {level_of(split)}s (train and val)"
    )
    print(f"`{options.folder.name}`{' (SYNTHETIC DATA)' if is_synthetic(split) else ''}: {kept}")
    predictions: dict[str, dict[str, pd.DataFrame]] = {name: {} for name in study.tasks}
    with tempfile.TemporaryDirectory() as scratch:
        for variant, changes in VARIANTS.items():
            vectors = embedded(options.folder, developing, study.prepare, changes, Path(scratch))
            for name, task in study.tasks.items():
                predictions[name][variant] = probed(vectors, developing, task)
    for name, task in study.tasks.items():
        print(f"\n{name}\n\n{laid_out(predictions[name], task.model_dump())}", flush=True)


def embedded(folder: Path, rows: pd.DataFrame, settings, changes: dict, scratch: Path) -> np.ndarray:
    """Embeddings (N, 1280) of the rows, prepared as the study does but for `how`; `scratch` keeps the backbone."""
    out = scratch / "prepared"
    prepare_all(folder, rows, out, **{"size": settings.size, "mask_corner": settings.mask_corner} | changes)
    images = np.load(out / "images.npy", mmap_mode="r")
    return embed(images, model="efficientnet_lite0", image_size=224, cache=scratch)


def probed(vectors: np.ndarray, rows: pd.DataFrame, task) -> pd.DataFrame:
    """Out-of-fold predictions of a linear probe, a table as the study's experiments write."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    classes = list(task.classes)
    index = {label: k for k, labels in enumerate(task.classes.values()) for label in labels}
    y, fold = rows["label"].map(index).to_numpy(), rows["fold"].to_numpy()
    chances = np.zeros((len(rows), len(classes)))
    for held in np.unique(fold):
        probe = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
        )
        probe.fit(vectors[fold != held], y[fold != held])
        chances[fold == held] = probe.predict_proba(vectors[fold == held])
    return predictions.table(rows, y, chances, classes)


def laid_out(predictions: dict[str, pd.DataFrame], task: dict) -> str:
    """One row a variant: AUROC, ECE and Brier score, and the differences to the baseline with 95% intervals."""
    names = ("AUROC", "ECE", "Brier")
    first = next(iter(predictions.values()))
    counts, group = draw_groups(first, resamples=RESAMPLES, seed=7)
    weights = np.vstack([np.ones(len(first)), counts[:, group]])
    base = scored(first, task, weights)
    heads = [f"{name} | difference" for name in names]
    lines = [f"| step | {' | '.join(heads)} |", "| --- |" + " ---: |" * (2 * len(names))]
    for variant, table in predictions.items():
        scores = scored(table, task, weights)
        cells = []
        for name in names:
            gap = scores[name] - base[name]
            low, high = np.quantile(gap[1:], [0.025, 0.975])
            same = variant == next(iter(predictions))
            cells += [f"{scores[name][0]:.3f}", "" if same else f"{gap[0]:+.3f} [{low:+.3f}, {high:+.3f}]"]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scored(table: pd.DataFrame, task: dict, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The three scores, (R,) each, the first row of weights being the plain estimate."""
    checked = predictions.Predictions.of(table, task["classes"], task["positive"])
    return {
        "AUROC": weighted_scores(checked, weights)["auroc"],
        "ECE": expected_calibration_error(checked.truth, checked.probabilities, weights),
        "Brier": brier(checked.truth, checked.probabilities, weights),
    }


if __name__ == "__main__":
    main()
