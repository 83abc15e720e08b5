"""What a training step minimises and how it moves the weights: losses, optimisers, learning-rate schedules.

The optimisers are TensorFlow's fused operations: Keras' own write about ten operations a variable, and a step of
DenseNet201 has 600 variables, all of which are traced before the first image.
"""

from __future__ import annotations

import math
from typing import Any

from leukstudy.models.backend import tensorflow

BETAS = (0.9, 0.999)
EPSILON = 1e-7
MOMENTUM = 0.9
WARM_UP = 0.3
"""Share of the steps in which one_cycle rises."""


def losses_of(logits: Any, targets: Any, settings: Any) -> Any:
    """Loss (n,) float32 of each image.

    logits: (n, 1) for two classes, else (n, K). targets: (n, K) shares that sum to 1. Cross-entropy (for two classes
    equal to the binary one), or the focal loss of Lin et al. 2017, sum of t (1 - p)^gamma (-log p) over the classes;
    `label_smoothing` s first moves a share s of the target to all classes evenly (Szegedy et al. 2016).
    """
    tf = tensorflow()
    chances = tf.nn.log_softmax(two_columns(logits))
    classes = targets.shape[1]
    targets = targets * (1 - settings.label_smoothing) + settings.label_smoothing / classes
    if settings.loss == "focal":
        targets = targets * tf.pow(tf.maximum(1 - tf.exp(chances), 1e-7), settings.focal_gamma)
    return -tf.reduce_sum(targets * chances, axis=1)


def two_columns(logits: Any) -> Any:
    """(n, 1) logits of class 1 to (n, 2), whose softmax is their sigmoid; (n, K) stays."""
    tf = tensorflow()
    return tf.concat([tf.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits


class Optimiser:
    """Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) or SGD with Nesterov momentum.

    Holds its own state in `state`, a list of tf.Variables, so that a stopped training can go on with it. Variables are
    written by their handles, which are those of the device that asks: on several, each moves its own copy.
    """

    def __init__(self, settings: Any, variables: list[Any]) -> None:
        tf = tensorflow()
        self._name, self._decay, self._clip = settings.optimiser, settings.weight_decay, settings.clip_norm
        self._variables = variables
        self.rate = tf.Variable(settings.learning_rate, dtype=tf.float32, trainable=False)
        slots = 1 if self._name == "sgd" else 2
        self._slots = [
            [tf.Variable(tf.zeros_like(variable), trainable=False) for _ in range(slots)]
            for variable in variables
        ]
        self._powers = [tf.Variable(beta, dtype=tf.float32, trainable=False) for beta in BETAS]
        self.state = [self.rate, *self._powers, *(slot for slots in self._slots for slot in slots)]

    def apply(self, gradients: list[Any]) -> None:
        """Move the variables by one step. With `clip_norm` all gradients together are shortened to that length."""
        tf = tensorflow()
        if self._clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip)
        for variable, gradient, slots in zip(self._variables, gradients, self._slots, strict=True):
            if self._decay and len(variable.shape) > 1:  # weights decay, biases and scales do not
                tf.raw_ops.AssignSubVariableOp(
                    resource=variable.handle, value=self.rate * self._decay * variable
                )
            if self._name == "sgd":
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.handle, accum=slots[0].handle, lr=self.rate, grad=gradient, momentum=MOMENTUM,
                    use_nesterov=True,
                )  # fmt: skip
            else:
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle, m=slots[0].handle, v=slots[1].handle, grad=gradient, lr=self.rate,
                    beta1_power=self._powers[0], beta2_power=self._powers[1], beta1=BETAS[0], beta2=BETAS[1],
                    epsilon=EPSILON,
                )  # fmt: skip
        for power, beta in zip(self._powers, BETAS, strict=True):
            tf.raw_ops.AssignVariableOp(resource=power.handle, value=power * beta)


def scheduled_rate(settings: Any, step: int, steps: int) -> float | None:
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
