"""Fit one experiment's model: the same call for hand-crafted features, networks from scratch and frozen ones.

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

from leukstudy.models import classical, loop, network
from leukstudy.models.backend import seed_everything
from leukstudy.models.batches import array_batches, class_weights, image_batches
from leukstudy.models.embed import check_images, embed, resize
from leukstudy.models.saved import Trained, load, save
from leukstudy.models.store import write_atomically
from leukstudy.models.zoo import model_spec

Say = Callable[[str], None]


@dataclass
class Fit:
    """A trained experiment: its model, what it says of every row, how it got there and what it cost."""

    settings: Any
    classes: list[str]
    probabilities: np.ndarray
    """(N, K) float32 for all rows given, in their order; column k belongs to classes[k]; rows sum to 1."""
    history: pd.DataFrame
    """epoch, loss, accuracy, val_loss, val_accuracy, lr; no rows for a classical model."""
    cost: dict[str, float]
    """fit_s (all of it, wall), embed_s, first_step_s (tracing and first batch), images_per_s (training steps
    after the first; embeddings a second when frozen), epochs, parameters, peak_memory_mb (of the process so far)."""
    model: Any
    """A Keras model or a scikit-learn pipeline."""
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


def fit(
    settings: Any,
    *,
    images: np.ndarray | None = None,
    features: pd.DataFrame | None = None,
    y: np.ndarray,
    split: np.ndarray,
    classes: list[str],
    groups: np.ndarray | None = None,
    cache: Path | None = None,
    say: Say = print,
) -> Fit:
    """Train the model that `settings` names on the rows of `split` 'train', and predict all rows.

    settings: ClassicalSettings or NetworkSettings. images: (N, H, W, 3) uint8 RGB (networks). features: N
    rows with the families' columns (classical). y: (N,) class index into `classes`. split: (N,) of 'train',
    'val', 'test', 'external' (predicted only). groups: (N,) group ids; a group in two parts is refused. cache: a folder for embeddings.

    The same arguments give the same weights, byte for byte, on the same machine. Raises ValueError for
    inputs that do not fit together, UnknownModel, MissingWeights, BadWeights and TrainingDiverged.
    """
    start = time.perf_counter()
    spec = model_spec(settings.model)
    y, split = np.asarray(y), np.asarray(split).astype(str)
    _check_rows(y, split, classes, groups)
    given, what = (features, "features") if spec.kind == "classical" else (images, "images")
    if given is None or len(given) != len(y):
        found = "none" if given is None else f"{len(given)} rows"
        raise ValueError(f"{settings.model} is trained on {what}: found {found}, expected {len(y)} rows.")
    if spec.kind == "classical":
        result = _fit_classical(settings, features, y, split, classes)
    else:
        check_images(images)
        run = {"scratch": _fit_scratch, "frozen": _fit_frozen}.get(settings.mode)
        if run is None:
            raise ValueError(f"mode: found '{settings.mode}', expected 'scratch' or 'frozen'.")
        result = run(settings, images=images, y=y, split=split, classes=classes, cache=cache, say=say)
    result.cost |= {"fit_s": time.perf_counter() - start, "peak_memory_mb": _peak_memory_mb()}
    return result


def _fit_classical(
    settings: Any, features: pd.DataFrame, y: np.ndarray, split: np.ndarray, classes: list[str]
) -> Fit:
    table = classical.select(features, list(settings.features))
    train = split == "train"
    model = classical.pipeline(settings, y[train])
    model.fit(table.to_numpy()[train], y[train])
    chances = model.predict_proba(table.to_numpy()).astype(np.float32)
    cost = {"epochs": 0, "parameters": classical.parameters(model)}
    return Fit(settings, classes, chances, loop.Trace().table(), cost, model, list(table.columns))


def _fit_scratch(
    settings: Any,
    *,
    images: np.ndarray,
    y: np.ndarray,
    split: np.ndarray,
    classes: list[str],
    cache: Path | None,
    say: Say,
) -> Fit:
    if settings.resample != "none":
        raise ValueError(
            f"resample: '{settings.resample}' works on features or embeddings, not on images (mode: scratch). "
            "Set `resample: none`; class_weight balances the classes."
        )
    seed_everything(settings.seed)
    size = settings.image_size
    backbone = network.embedder(
        settings.model, weights=settings.weights, scaling=settings.scaling, image_size=size, filters=settings.filters
    )  # fmt: skip
    model = network.classifier(
        backbone, classes=len(classes), head_units=settings.head_units, dropout=settings.dropout, normalise=False
    )  # fmt: skip
    network.follow_statistics(model)
    train = np.flatnonzero(split == "train")
    weight = class_weights(y[train], len(classes), settings.class_weight)
    steps = loop.Steps(model, settings.learning_rate, (size, size, 3))

    def take(rows: np.ndarray) -> np.ndarray:
        return resize(images[rows], size).astype(np.float32)

    trace = loop.run_epochs(
        steps,
        settings,
        training=lambda epoch: image_batches(settings, epoch, images=images, y=y, rows=train, weight=weight),
        take=take,
        y=y,
        validation=np.flatnonzero(split == "val"),
        say=say,
    )
    logits = loop.predict_logits(steps, take, np.arange(len(y)), settings.batch_size)
    return _network_fit(settings, classes=classes, logits=logits, trace=trace, model=model, embed_s=0.0)


def _fit_frozen(
    settings: Any,
    *,
    images: np.ndarray,
    y: np.ndarray,
    split: np.ndarray,
    classes: list[str],
    cache: Path | None,
    say: Say,
) -> Fit:
    if model_spec(settings.model).pool != "gap":
        raise ValueError(
            f"mode: frozen needs a pretrained backbone; {settings.model} has none. Use mode: scratch."
        )
    start = time.perf_counter()
    source = {"weights": settings.weights, "scaling": settings.scaling, "image_size": settings.image_size}
    embeddings = embed(images, model=settings.model, cache=cache, **source)
    embed_s = time.perf_counter() - start
    say(f"embedded {len(embeddings)} images: {embeddings.shape[1]} numbers each")

    train = np.flatnonzero(split == "train")
    inputs, labels = embeddings[train], y[train]
    shape = {"classes": len(classes), "head_units": settings.head_units, "dropout": settings.dropout}
    seed_everything(settings.seed)
    head = network.head(embeddings.shape[1], normalise=True, **shape)
    network.set_normalisation(head, inputs)
    if settings.resample == "smote":
        inputs, labels = classical.smote(labels, settings.seed).fit_resample(inputs, labels)
    weight = class_weights(labels, len(classes), settings.class_weight)
    steps = loop.Steps(head, settings.learning_rate, embeddings.shape[1:])
    trace = loop.run_epochs(
        steps,
        settings,
        training=lambda epoch: array_batches(settings, epoch, inputs=inputs, labels=labels, weight=weight),
        take=lambda rows: embeddings[rows],
        y=y,
        validation=np.flatnonzero(split == "val"),
        say=say,
    )
    logits = loop.predict_logits(steps, lambda rows: embeddings[rows], np.arange(len(y)), 256)

    # The whole network, for Grad-CAM and export. A random backbone (`weights: none`) is that of seed 0.
    seed_everything(0)
    backbone = network.embedder(settings.model, **source)
    backbone.trainable = False
    model = network.classifier(backbone, normalise=True, **shape)
    network.copy_head(head, model)
    return _network_fit(settings, classes=classes, logits=logits, trace=trace, model=model, embed_s=embed_s)


def _network_fit(
    settings: Any, *, classes: list[str], logits: np.ndarray, trace: loop.Trace, model: Any, embed_s: float
) -> Fit:
    cost = {
        "epochs": len(trace.history),
        "embed_s": embed_s,
        "first_step_s": trace.first_step_s,
        "images_per_s": trace.steady_images / trace.steady_s if trace.steady_images else float("nan"),
        "parameters": int(model.count_params()),
    }
    return Fit(settings, classes, loop.probabilities(logits), trace.table(), cost, model, [])


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


__all__ = ["Fit", "Trained", "fit", "load"]
