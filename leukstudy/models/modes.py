"""The three ways to train a network: from scratch, a head on frozen embeddings, and fine-tuning after that head.

Fine-tuning starts where `frozen` ends: the head is first trained alone on the backbone's embeddings, so that its random
weights do not tear the backbone's apart; then the backbone's layers from `unfreeze` on learn too, on augmented images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukstudy.imaging.resize import resize_all
from leukstudy.models import classical, loop, network
from leukstudy.models.augment import AugmentedImages
from leukstudy.models.backend import has_gpu, policy_of, precision, reseed, seed_everything, several_devices
from leukstudy.models.batches import class_weights, image_batches, steps_an_epoch
from leukstudy.models.checkpoint import Checkpoint
from leukstudy.models.embed import embed, images_digest
from leukstudy.models.head import train_head
from leukstudy.models.store import digest
from leukstudy.models.weights import weights_identity
from leukstudy.study.experiments import NetworkSettings
from leukstudy.study.zoo import model_spec

FORMAT = "2"
"""Part of every checkpoint's key: raise it when training changes what it computes."""


@dataclass
class Rows:
    """The truth, and which rows are learned from and watched."""

    y: np.ndarray
    train: np.ndarray
    """Row numbers, repeated where they are oversampled."""
    validation: np.ndarray
    groups: np.ndarray | None
    """(N,) group ids of all rows, where they are known."""
    classes: list[str]


@dataclass
class Setting:
    """Where a training keeps things, and whom it tells."""

    cache: Path | None = None
    state: Path | None = None
    say: Callable[[str], None] = print
    watch: Callable[[dict[str, float]], None] | None = None
    whole: bool = True
    """Whether the network around a head on embeddings is built: it is kept; what only predicts needs none."""


class Outcome(NamedTuple):
    """What a training leaves."""

    probabilities: np.ndarray
    """(N, K) float32."""
    history: pd.DataFrame
    cost: dict[str, float]
    model: Any
    """A Keras model; None for a head without `Setting.whole`."""


def run(settings: NetworkSettings, images: np.ndarray, rows: Rows, where: Setting) -> Outcome:
    """Train by `settings.mode`; raises ValueError for a mode that the model cannot do."""
    if settings.mode != "scratch" and model_spec(settings.model).pool != "gap":
        raise ValueError(
            f"mode: {settings.mode} needs a pretrained backbone; {settings.model} has none. Use mode: scratch."
        )
    if settings.xla and not has_gpu():
        where.say("xla: there is no GPU here; the training is not compiled")
    train = {"scratch": _scratch, "frozen": _frozen, "fine_tune": _fine_tune}[settings.mode]
    with precision(policy_of(settings.mixed_precision, where.say)):
        return train(settings, images, rows, where)


def _scratch(settings: NetworkSettings, images: np.ndarray, rows: Rows, where: Setting) -> Outcome:
    seed_everything(settings.seed)
    strategy = several_devices()
    with _scope(strategy):
        backbone = network.backbone_of(settings)
        model = network.classifier(backbone, **_head(settings, rows), normalise=False)
    network.follow_statistics(model)
    return _on_images(
        settings, images, rows, where, backbone=backbone, model=model, cost={}, strategy=strategy
    )


def _frozen(settings: NetworkSettings, images: np.ndarray, rows: Rows, where: Setting) -> Outcome:
    head, steps, trace, embed_s = _head_on_embeddings(settings, images, rows, where, watch=where.watch)
    embeddings = _embeddings(settings, images, where.cache)
    logits = loop.predict_logits(steps, lambda part: embeddings[part], np.arange(len(rows.y)), 256)
    if not where.whole:
        return Outcome(loop.probabilities(logits), trace.table(), {"embed_s": embed_s}, None)
    # The whole network, for Grad-CAM and export.
    model = network.classifier(_pretrained(settings), **_head(settings, rows), normalise=True)
    network.copy_head(head, model)
    cost = {"embed_s": embed_s, **_cost(trace, model)}
    return Outcome(loop.probabilities(logits), trace.table(), cost, model)


def _fine_tune(settings: NetworkSettings, images: np.ndarray, rows: Rows, where: Setting) -> Outcome:
    strategy = several_devices()
    with _scope(strategy):
        backbone = _pretrained(settings)
    network.check_unfreeze(backbone, settings.unfreeze)
    plain = {"optimiser": "adam", "weight_decay": 0.0, "learning_rate": 1e-3, "schedule": "constant"}
    alone = settings.model_copy(update=plain | {"epochs": settings.head_epochs, "early_stopping": 0})
    head, _, _, embed_s = _head_on_embeddings(alone, images, rows, where, watch=None)
    reseed(settings.seed)
    with _scope(strategy):
        model = network.classifier(backbone, **_head(settings, rows), normalise=True)
    network.copy_head(head, model)
    learning = network.unfreeze(model, settings.unfreeze)
    where.say(f"the head is trained; now {learning:,} weights learn, from {settings.unfreeze} on")
    cost = {"embed_s": embed_s}
    return _on_images(
        settings, images, rows, where, backbone=backbone, model=model, cost=cost, strategy=strategy
    )


def _on_images(
    settings: NetworkSettings,
    images: np.ndarray,
    rows: Rows,
    where: Setting,
    *,
    backbone: Any,
    model: Any,
    cost: dict[str, float],
    strategy: Any,
) -> Outcome:
    """Train `model` on images, from the checkpoint of a stopped training where there is one, and predict all rows."""
    size, y = settings.image_size, rows.y
    weight = class_weights(y[rows.train], len(rows.classes), settings.class_weight)
    with _scope(strategy):
        steps = loop.Steps(model, settings, (size, size, 3), len(rows.classes), strategy)
    checkpoint = None
    if where.state is not None:
        checkpoint = Checkpoint(where.state / f"seed-{settings.seed}.npz", _identity(settings, images, rows))

    def take(part: np.ndarray) -> np.ndarray:
        return resize_all(images[part], size)

    try:
        trace = loop.run_epochs(
            steps,
            settings,
            training=lambda epoch: image_batches(
                settings, epoch, images=images, y=y, rows=rows.train, weight=weight
            ),
            batches=steps_an_epoch(len(rows.train), settings.batch_size),
            take=take,
            y=y,
            validation=rows.validation,
            say=where.say,
            watch=where.watch,
            checkpoint=checkpoint,
        )
    except loop.TrainingDiverged as error:
        if checkpoint is None or not checkpoint.path.is_file():
            raise
        # beside the folder of the state, which goes when a later training ends well
        kept = where.state.with_name(f"{where.state.name}-last-good.weights.h5")
        backbone.save_weights(kept)
        checkpoint.remove()
        raise loop.TrainingDiverged(
            f"{error} The backbone of the last good epoch is kept: `weights: {_said(kept)}` goes on from it."
        ) from None
    logits = loop.predict_logits(steps, take, np.arange(len(y)), settings.batch_size)
    return Outcome(loop.probabilities(logits), trace.table(), cost | _cost(trace, model), model)


def _head_on_embeddings(
    settings: NetworkSettings, images: np.ndarray, rows: Rows, where: Setting, watch: Any
) -> tuple[Any, loop.Steps, loop.Trace, float]:
    """Train a head on the backbone's embeddings of the images and of `augment.views` augmented copies of each."""
    start = time.perf_counter()
    embeddings = _embeddings(settings, images, where.cache)
    inputs, labels = [embeddings[rows.train]], [rows.y[rows.train]]
    if settings.augment.views:
        own = np.unique(rows.train)
        copies = AugmentedImages(
            images, settings.augment, seed=settings.seed, views=settings.augment.views, size=settings.image_size, rows=own
        )  # fmt: skip
        inputs.append(_embeddings(settings, copies, where.cache))
        labels.append(np.tile(rows.y[own], settings.augment.views))
    embed_s = time.perf_counter() - start
    inputs, labels = np.concatenate(inputs), np.concatenate(labels)
    where.say(
        f"embedded {len(embeddings) + len(inputs) - len(rows.train)} images: {inputs.shape[1]} numbers each"
    )
    seed_everything(settings.seed)
    head = network.head(inputs.shape[1], **_head(settings, rows), normalise=True)
    network.set_normalisation(head, inputs)
    if settings.resample == "smote":
        inputs, labels = classical.smote(labels, settings.seed).fit_resample(inputs, labels)
    steps = loop.Steps(head, settings, inputs.shape[1:], len(rows.classes))
    trace = train_head(
        steps,
        settings,
        inputs=inputs,
        labels=labels,
        embeddings=embeddings,
        y=rows.y,
        validation=rows.validation,
        classes=len(rows.classes),
        say=where.say,
        watch=watch,
    )
    return head, steps, trace, embed_s


def _embeddings(settings: NetworkSettings, images: Any, cache: Path | None) -> np.ndarray:
    return embed(images, **settings.backbone, cache=cache)


def _pretrained(settings: NetworkSettings) -> Any:
    """The backbone that was embedded with, frozen; a random one (`weights: none`) is that of seed 0."""
    seed_everything(0)
    backbone = network.backbone_of(settings)
    backbone.trainable = False
    return backbone


def _head(settings: NetworkSettings, rows: Rows) -> dict[str, Any]:
    return {"classes": len(rows.classes), "head_units": settings.head_units, "dropout": settings.dropout}


def _cost(trace: loop.Trace, model: Any) -> dict[str, float]:
    return {
        "epochs": len(trace.history),
        "first_step_s": trace.first_step_s,
        "images_per_s": trace.steady_images / trace.steady_s if trace.steady_images else float("nan"),
        "parameters": int(model.count_params()),
    }


def _said(path: Path) -> Path:
    """The path as `weights:` takes it: below the study's folder where it lies there."""
    from leukstudy.study import paths

    return path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path


def _scope(strategy: Any) -> Any:
    """Where variables are made: a copy on each device of the strategy, or just here."""
    return nullcontext() if strategy is None else strategy.scope()


def _identity(settings: NetworkSettings, images: np.ndarray, rows: Rows) -> str:
    """A digest of everything that decides a training's numbers: a checkpoint of another one is not gone on from."""
    weights = weights_identity(settings.weights, model_spec(settings.model).imagenet)
    plain = repr(sorted(settings.model_dump(mode="json").items()))
    numbers = [rows.y.tobytes(), rows.train.tobytes(), rows.validation.tobytes()]
    return digest([FORMAT, weights, plain, *numbers, images_digest(images)])
