"""Cross-validated search for the settings of a frozen network's head, on embeddings that are computed once.

Rows of the test split and of external sources have no part in it: they are left out before anything is read. Each fold of
the manifest (whole groups) is predicted by a head trained on the others; the score of a setting is that of these
out-of-fold predictions taken together. A setting that stops early, or whose learning rate waits for a plateau, watches
the fold after the one that is predicted, which then has no part in training: never the predicted one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.data.labels import rows_of_task
from leukstudy.models.backend import policy_of, precision
from leukstudy.search.heads import UNTRACED, Heads
from leukstudy.statistics import predictions
from leukstudy.statistics.metrics import weighted_scores
from leukstudy.statistics.resampling import draw_groups
from leukstudy.study.experiments import NetworkSettings
from leukstudy.study.files import write_atomically
from leukstudy.study.tune import SCALES, Tune, at_point, grid_points, is_range

METRICS = ("auroc", "log_loss", "accuracy")
RESAMPLES = 1000


@dataclass
class Search:
    """What a search found."""

    table: pd.DataFrame
    """One row a setting, the best first: the settings searched; auroc, log_loss, accuracy of all out-of-fold predictions;
    fold_<n>, the metric in each fold (NaN where it lacks a class); difference of the metric to the experiment's own
    setting, with low and high, its 95% interval by whole groups; current, whether it is that setting."""
    keys: list[str]
    """The settings searched: the first columns of `table`."""
    cost: dict[str, float]
    """embed_s, fit_s (all of it): wall time."""

    @property
    def best(self) -> dict[str, Any]:
        """The settings of the first row."""
        return self.table[self.keys].astype(object).iloc[0].to_dict()

    @property
    def told_apart(self) -> bool:
        """Whether the best is another than the experiment's own setting, by an interval that does not hold 0."""
        low, high = self.table[["low", "high"]].iloc[0]
        return bool(low > 0 or high < 0) and not self.table["current"].iloc[0]


def developing_rows(
    manifest: pd.DataFrame, classes: Mapping[str, list[str]], *, task: str
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """The images of a task that have a fold, which are those of train and val.

    Gives their positions (n,) among the kept rows, as `prepare` stores them; their manifest rows; their class (n,) int64.
    Raises ValueError as `rows_of_task` does.
    """
    kept = manifest[manifest["excluded"] == ""]
    rows, y = rows_of_task(manifest, dict(classes), task=task)
    mine = kept["fold"].to_numpy()[rows] >= 0
    return rows[mine], kept.iloc[rows[mine]].reset_index(drop=True), y[mine]


def search(
    settings: NetworkSettings,
    tune: Tune,
    *,
    images: np.ndarray,
    rows: pd.DataFrame,
    y: np.ndarray,
    task: Mapping[str, Any],
    cache: Path | None = None,
    say: Callable[[str], None] = print,
) -> Search:
    """Score every point of `tune.grid`, or `tune.trials` of `tune.ranges`, beside the experiment's own setting.

    settings: NetworkSettings of a frozen network; its first seed counts. images (N, H, W, 3) uint8, rows (N, manifest
    columns with fold) and y (N,) are those of `developing_rows`; task: classes and positive. cache: a folder for embeddings.

    The same arguments give the same table, in whatever order the points stand. A setting that diverges has NaN scores and
    comes last. Raises ValueError for rows of the test split (they have no fold) or fewer than two folds.
    """
    start = time.perf_counter()
    heads = Heads(settings, images, rows, y=y, classes=list(task["classes"]), cache=cache)
    embed_s = time.perf_counter() - start
    say(f"embedded {heads.embedded:,} images of train and val in {len(heads.folds)} folds")
    found: dict[tuple, np.ndarray] = {}
    weights = _weights(rows, y, heads.folds)
    sign = -1.0 if tune.metric == "log_loss" else 1.0

    def score(point: dict[str, Any]) -> float:
        changed = at_point(settings, point)
        key = tuple(getattr(changed, name) for name in tune.keys)
        if key not in found:
            found[key] = _scores(heads.out_of_fold(changed), rows, y, task, weights)
            value = found[key][METRICS.index(tune.metric), 0]
            said = ", ".join(f"{name} {part}" for name, part in zip(tune.keys, key, strict=True))
            say(f"{said}: {tune.metric} {value:.4f}" if np.isfinite(value) else f"{said}: diverged")
        return float(found[key][METRICS.index(tune.metric), 0])

    with precision(policy_of(settings.mixed_precision, say)):
        score({})
        if tune.method == "grid":
            for point in sorted(grid_points(tune.grid), key=_graph_first):
                score(point)
        elif tune.method == "optuna":
            _draw(tune, score, "minimize" if sign < 0 else "maximize")
    own = tuple(getattr(settings, name) for name in tune.keys)
    table = _table(found, own, tune, heads.folds, sign)
    return Search(table, tune.keys, {"embed_s": embed_s, "fit_s": time.perf_counter() - start})


def _graph_first(point: Mapping[str, Any]) -> list[tuple[bool, str, str]]:
    """A key that puts points which share a traced step beside each other, in one order whatever the file's."""
    return sorted((name in UNTRACED, name, str(value)) for name, value in point.items())


def _draw(tune: Tune, score: Callable[[dict[str, Any]], float], direction: str) -> None:
    """Let Optuna's tree of Parzen estimators (Bergstra et al. 2011) choose `tune.trials` points, from `tune.seed`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=tune.seed))
    study.optimize(
        lambda trial: score({key: _drawn(trial, key, tune.ranges[key]) for key in tune.keys}),
        n_trials=tune.trials,
    )


def _drawn(trial: Any, key: str, values: list[Any]) -> Any:
    """A value of a choice or of a range; three significant digits, so that it can be written down as it was tried."""
    if not is_range(values):
        return trial.suggest_categorical(key, values)
    if all(isinstance(value, int) for value in values):
        return trial.suggest_int(key, *values, log=key in SCALES)
    return float(f"{trial.suggest_float(key, *values, log=key in SCALES):.3g}")


def _weights(rows: pd.DataFrame, y: np.ndarray, folds: list[int]) -> np.ndarray:
    """(1 + folds + RESAMPLES, N): how often a row counts in all together, in each fold, in each draw of whole groups."""
    fold = rows["fold"].to_numpy()
    counts, group_of_row = draw_groups(rows.assign(y_true=y), resamples=RESAMPLES, seed=0)
    drawn = counts[:, group_of_row]
    if pd.Series(rows["group_id"].to_numpy()).groupby(y).nunique().min() < 2:
        drawn = np.full(drawn.shape, np.nan)  # one group of a class cannot be resampled: there is no interval
    return np.vstack([np.ones(len(rows)), [fold == number for number in folds], drawn]).astype(np.float64)


def _scores(
    chances: np.ndarray, rows: pd.DataFrame, y: np.ndarray, task: Mapping[str, Any], weights: np.ndarray
) -> np.ndarray:
    """The METRICS of out-of-fold probabilities (N, K) under each row of `weights` (R, N): (3, R), NaN where undefined."""
    if not np.isfinite(chances).all():
        return np.full((len(METRICS), len(weights)), np.nan)
    table = predictions.table(rows, y, chances, list(task["classes"]))
    checked = predictions.Predictions.of(table, task["classes"], task["positive"])
    with np.errstate(divide="ignore", invalid="ignore"):  # a fold that lacks a class has no AUROC
        scores = weighted_scores(checked, weights)
        losses = -np.log(np.maximum(chances[np.arange(len(y)), y].astype(np.float64), 1e-7))
        scores["log_loss"] = (weights @ losses) / weights.sum(axis=1)
    return np.stack([scores[name] for name in METRICS])


def _table(
    found: Mapping[tuple, np.ndarray], own: tuple, tune: Tune, folds: list[int], sign: float
) -> pd.DataFrame:
    """Lay out the scores of all points, the best first; of equals the one whose values come first."""
    which, rows = METRICS.index(tune.metric), []
    for key in sorted(found, key=lambda key: [(str(type(part)), part) for part in key]):
        scores = found[key]
        gap = scores[which] - found[own][which]
        low, high = np.quantile(gap[1 + len(folds) :], [0.025, 0.975])
        row = dict(zip(tune.keys, key, strict=True)) | dict(zip(METRICS, scores[:, 0], strict=True))
        row |= {f"fold_{fold}": scores[which, 1 + place] for place, fold in enumerate(folds)}
        rows.append(row | {"difference": gap[0], "low": low, "high": high, "current": key == own})
    table = pd.DataFrame(rows)
    order = (-sign * table[tune.metric]).argsort(kind="stable")  # NaN last
    return table.iloc[order].reset_index(drop=True)


def write(folder: Path, tune: Tune, found: Search | None) -> None:
    """Write `trials.csv`, the table, and `best.json`: what was searched, the best setting, the experiment's own, their scores.

    Without a search (`tune.method` none) both say so: a table without rows, and no best.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = found.table if found else pd.DataFrame(columns=[*tune.keys, *METRICS])
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    write_atomically(folder / "trials.csv", lambda temporary: temporary.write_text(text))
    summary: dict[str, Any] = tune.model_dump(include={"experiment", "method", "metric"}) | {
        "settings": len(table)
    }
    if found:
        own = table.index[table["current"]][0]
        for name, row in (("best", 0), ("current", own)):
            scores = {key: _rounded(table.loc[row, key]) for key in (*METRICS, "difference", "low", "high")}
            summary[name] = {"set": table[found.keys].astype(object).loc[row].to_dict(), **scores}
        summary["told_apart"] = found.told_apart
    text = json.dumps(summary, indent=1) + "\n"
    write_atomically(folder / "best.json", lambda temporary: temporary.write_text(text))


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
