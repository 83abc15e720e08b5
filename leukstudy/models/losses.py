"""What a training step minimises and how it moves the weights: losses, Keras' optimisers, learning-rate schedules."""

from __future__ import annotations

import math
from typing import Any

from leukstudy.models.backend import tensorflow
from leukstudy.study.experiments import NetworkSettings

WARM_UP = 0.3
"""Share of the steps in which one_cycle rises."""


def losses_of(logits: Any, targets: Any, settings: NetworkSettings) -> Any:
    """Loss (n,) float32 of each image, from logits (n, K) and targets (n, K), shares that sum to 1.

    Cross-entropy, or the focal loss of Lin et al. 2017, sum of t (1 - p)^gamma (-log p) over the classes;
    `label_smoothing` s first moves a share s of the target to all classes evenly (Szegedy et al. 2016).
    """
    tf = tensorflow()
    log_p = tf.nn.log_softmax(logits)
    targets = targets * (1 - settings.label_smoothing) + settings.label_smoothing / targets.shape[1]
    if settings.loss == "focal":
        targets = targets * tf.pow(tf.maximum(1 - tf.exp(log_p), 1e-7), settings.focal_gamma)
    return -tf.reduce_sum(targets * log_p, axis=1)


def optimiser(settings: NetworkSettings, variables: list[Any]) -> Any:
    """Keras' Adam, AdamW or SGD with Nesterov momentum for these variables; biases and scales do not decay."""
    tensorflow()
    import keras

    decay = {"weight_decay": settings.weight_decay or None}
    made = {
        "adam": keras.optimizers.Adam,
        "adamw": lambda rate: keras.optimizers.AdamW(rate, **decay),
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **decay),
    }[settings.optimiser](settings.learning_rate)
    if settings.weight_decay:
        made.exclude_from_weight_decay([variable for variable in variables if len(variable.shape) < 2])
    made.build(variables)
    return made


def scheduled_rate(settings: NetworkSettings, step: int, steps: int) -> float | None:
    """The learning rate of a step (from 0) of `steps` in all; None where the schedule does not go by steps.

    cosine: from `learning_rate` to 0 (Loshchilov and Hutter 2017). one_cycle: from 1/25 of it up to it over the first
    30% of the steps, then down to 1/250,000 of it, both by a cosine (Smith and Topin 2019).
    """
    if settings.schedule not in ("cosine", "one_cycle"):
        return None
    highest = settings.learning_rate
    if settings.schedule == "cosine":
        return _cosine(highest, 0.0, step / steps)
    top = max(1, round(WARM_UP * steps))
    if step < top:
        return _cosine(highest / 25, highest, step / top)
    return _cosine(highest, highest / 2.5e5, (step - top) / max(1, steps - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
