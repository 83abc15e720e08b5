"""Training a network's head on arrays in memory: embeddings, or features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leukstudy.models import loop
from leukstudy.models.batches import array_batches, class_weights, steps_an_epoch
from leukstudy.study.experiments import NetworkSettings


def train_head(
    steps: loop.Steps,
    settings: NetworkSettings,
    *,
    inputs: np.ndarray,
    labels: np.ndarray,
    embeddings: np.ndarray,
    y: np.ndarray,
    validation: np.ndarray,
    classes: int,
    say: Callable[[str], None],
    watch: Callable[[dict[str, float]], None] | None = None,
) -> loop.Trace:
    """Train a head on arrays in memory: inputs (n, D) with their class indices labels (n,) learn.

    embeddings: (N, D) and y (N,), of all rows; the row numbers `validation` are watched.
    """
    weight = class_weights(labels, classes, settings.class_weight)
    return loop.run_epochs(
        steps,
        settings,
        training=lambda epoch: array_batches(settings, epoch, inputs=inputs, labels=labels, weight=weight),
        batches=steps_an_epoch(len(inputs), settings.batch_size),
        take=lambda part: embeddings[part],
        y=y,
        validation=validation,
        say=say,
        watch=watch,
    )
