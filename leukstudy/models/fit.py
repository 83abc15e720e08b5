"""Fit one experiment's model: the same call for hand-crafted features, networks from scratch, frozen and fine-tuned ones.

Training sees training rows only, early stopping watches validation rows, and test and external rows are read once, at
the end, to be predicted. Resampling happens inside, after the split.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.models import classical, loop, modes
from leukstudy.models.embed import check_images, embed
from leukstudy.models.modes import Rows, Setting
from leukstudy.models.resample import oversample
from leukstudy.models.saved import save
from leukstudy.study.experiments import ClassicalSettings, Experiment
from leukstudy.study.files import write_atomically
from leukstudy.study.zoo import model_spec

Say = Callable[[str], None]


@dataclass
class Fit:
    """A trained experiment: its model, what it says of every row, how it got there and what it cost."""

    settings: Experiment
    classes: list[str]
    probabilities: np.ndarray
    """(N, K) float32 for all rows given, in their order; column k belongs to classes[k]; rows sum to 1."""
    history: pd.DataFrame
    """epoch, loss, accuracy, val_loss, val_accuracy, lr; no rows for a classical model."""
    cost: dict[str, float]
    """fit_s (all of it, wall), embed_s, first_step_s (tracing and first batch), images_per_s (training steps
    after the first; embeddings a second when frozen), epochs, parameters, peak_memory_mb (of the process so far)."""
    model: Any
    """A Keras model or a scikit-learn pipeline; None where `fit` was told not to build it."""
    columns: list[str]
    """The features a classical model reads; empty for a network."""

    def save(self, folder: Path | str) -> None:
        """Write the model under `folder`, and `history.csv` where it has epochs; equal fits give equal bytes.

        Read the model back with `load`.
        """
        save(self.model, folder, settings=self.settings, classes=self.classes, columns=self.columns)
        if len(self.history):
            text = self.history.to_csv(index=False, lineterminator="\n")
            write_atomically(Path(folder) / "history.csv", lambda temporary: temporary.write_text(text))


def fit_seeds(settings: Experiment, *, say: Say = print, **arguments: Any) -> dict[int, Fit]:
    """One `fit` for each of `settings.seeds`, in their order; `arguments` go to each, `watch` to the first alone.

    The first seed's model is the one to keep: a frozen network of a later seed is not built around its head.
    """
    watch = arguments.pop("watch", None)
    fits = {}
    for seed in settings.seeds:
        if len(settings.seeds) > 1:
            say(f"seed {seed}")
        first = {"watch": watch, "whole": True} if not fits else {"whole": False}
        fits[seed] = fit(settings.at(seed), say=say, **first, **arguments)
    return fits


def cost_of(fits: dict[int, Fit]) -> dict[str, float]:
    """What `fit_seeds` cost: the first seed's figures, with the seconds of all of them."""
    first = next(iter(fits.values())).cost
    summed = {
        key: sum(result.cost[key] for result in fits.values()) for key in ("fit_s", "embed_s") if key in first
    }
    return first | summed | {"seeds": len(fits)}


def fit(
    settings: Experiment,
    *,
    images: np.ndarray | None = None,
    features: pd.DataFrame | None = None,
    y: np.ndarray,
    split: np.ndarray,
    classes: list[str],
    groups: np.ndarray | None = None,
    cache: Path | None = None,
    state: Path | None = None,
    say: Say = print,
    watch: Callable[[dict[str, float]], None] | None = None,
    whole: bool = True,
) -> Fit:
    """Train the model that `settings` names on the rows of `split` 'train', and predict all rows.

    settings: ClassicalSettings or NetworkSettings, of which the first seed counts. images: (N, H, W, 3) uint8 RGB
    (networks, and classical models on an embedding). features: N rows with the families' columns (classical). y: (N,)
    class index into `classes`. split: (N,) of 'train', 'val', 'test', 'external' (predicted only). groups: (N,) group
    ids; a group in two parts is refused. cache: a folder for embeddings. state: a folder where a training on images is
    kept after each epoch, to go on from when it was killed; clear it when the results are safe. watch: called with
    each epoch's row of the history. whole: False leaves `model` None where it would have to be built around a head on
    embeddings.

    The same arguments give the same weights, byte for byte, on the same machine. Raises ValueError for inputs that do
    not fit together, UnknownModel, MissingWeights, BadWeights, TrainingDiverged and OutOfMemory.
    """
    start = time.perf_counter()
    spec = model_spec(settings.model)
    y, split = np.asarray(y), np.asarray(split).astype(str)
    _check_rows(y, split, classes, groups)
    on_features = spec.kind == "classical" and settings.embedding is None
    table, kind = (features, "features") if on_features else (images, "images")
    if table is None or len(table) != len(y):
        found = "none" if table is None else f"{len(table)} rows"
        raise ValueError(f"{settings.model} is trained on {kind}: found {found}, expected {len(y)} rows.")
    if not on_features:
        check_images(images)
    rows = Rows(y, np.flatnonzero(split == "train"), np.flatnonzero(split == "val"), groups, classes)
    if settings.resample == "oversample":
        chosen = oversample(
            y[rows.train], None if groups is None else np.asarray(groups)[rows.train], settings.seed
        )
        rows.train = rows.train[chosen]
    if spec.kind == "classical":
        result = _fit_classical(settings, images, features, rows, cache)
    else:
        where = Setting(cache, state, say, watch, whole)
        result = Fit(settings, classes, *modes.run(settings, images, rows, where), [])
    result.cost |= {"fit_s": time.perf_counter() - start, "peak_memory_mb": _peak_memory_mb()}
    return result


def _fit_classical(
    settings: ClassicalSettings,
    images: np.ndarray | None,
    features: pd.DataFrame | None,
    rows: Rows,
    cache: Path | None,
) -> Fit:
    start = time.perf_counter()
    if settings.embedding is None:
        table = classical.select(features, list(settings.features))
    else:
        table = classical.embedding_columns(embed(images, **settings.embedding.model_dump(), cache=cache))
    cost = {"embed_s": time.perf_counter() - start} if settings.embedding is not None else {}
    groups = None if rows.groups is None else np.asarray(rows.groups)[rows.train]
    model = classical.pipeline(settings, rows.y[rows.train], groups)
    model.fit(table.to_numpy()[rows.train], rows.y[rows.train])
    chances = model.predict_proba(table.to_numpy()).astype(np.float32)
    cost |= {"epochs": 0, "parameters": classical.parameters(model)}
    return Fit(settings, rows.classes, chances, loop.Trace().table(), cost, model, list(table.columns))


def _check_rows(y: np.ndarray, split: np.ndarray, classes: list[str], groups: np.ndarray | None) -> None:
    if len(classes) < 2:
        raise ValueError(f"classes: found {classes}, expected at least two.")
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) or len(split) != len(y):
        raise ValueError(
            f"y has shape {y.shape} and dtype {y.dtype}, split {len(split)} rows; expected one integer a row."
        )
    if len(y) and not 0 <= y.min() <= y.max() < len(classes):
        raise ValueError(
            f"y runs from {y.min()} to {y.max()}, expected 0 to {len(classes) - 1} for {classes}."
        )
    if odd := sorted(set(split.tolist()) - {"train", "val", "test", "external"}):
        raise ValueError(f"split has {odd}, expected only 'train', 'val', 'test' and 'external'.")
    counts = np.bincount(y[split == "train"], minlength=len(classes))
    if empty := [name for name, count in zip(classes, counts, strict=True) if not count]:
        raise ValueError(
            f"no training image of {empty}: every class needs some. Add images or patients of it, or leave the "
            "class out of the task."
        )
    if groups is not None:
        parts = (
            pd.DataFrame({"group": np.asarray(groups), "split": split}).groupby("group")["split"].nunique()
        )
        if torn := sorted(map(str, parts.index[parts > 1])):
            raise ValueError(
                f"{len(torn)} groups are in more than one part of the split (first: {torn[0]}): the same patient would "
                "be trained on and tested. Make the split again (acquire stage)."
            )


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
