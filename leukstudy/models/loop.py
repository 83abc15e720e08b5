"""The training loop of every network: one traced training step, one traced prediction step.

Keras' `fit` traces DenseNet201 up to three times (train, validate, predict), and its optimiser writes about
ten operations a variable; on 2 CPU cores that is over a minute before the first image. Here each step is
traced once, validation uses the prediction step, and Adam is TensorFlow's fused operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.models.backend import tensorflow
from leukstudy.models.network import logits_model

Batch = tuple[Any, Any, Any]
"""inputs (n, ...) float32 of 0-255 or embeddings, class index (n,) int32, sample weight (n,) float32."""
Take = Callable[[np.ndarray], np.ndarray]
"""Row numbers -> the network's inputs for these rows."""

MIN_DELTA = 1e-4
"""A smaller fall of the validation loss than this is no improvement to the learning-rate plateau rule."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


@dataclass
class Trace:
    """What a run of epochs leaves besides the weights."""

    history: list[dict[str, float]] = field(default_factory=list)
    first_step_s: float = 0.0
    steady_s: float = 0.0
    steady_images: int = 0

    def table(self) -> pd.DataFrame:
        """One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, lr (NaN without validation rows)."""
        columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
        return pd.DataFrame(self.history, columns=columns)


class Steps:
    """A network's two traced steps and Adam's state (Kingma & Ba 2015, Keras' default betas and epsilon)."""

    def __init__(self, model: Any, learning_rate: float, input_shape: tuple[int, ...]) -> None:
        tf = tensorflow()
        self.model = model
        self.logits = logits_model(model)
        self.rate = tf.Variable(learning_rate, dtype=tf.float32, trainable=False)
        self._variables = [variable.value for variable in model.trainable_variables]
        self._moments = [
            (tf.Variable(tf.zeros_like(v), trainable=False), tf.Variable(tf.zeros_like(v), trainable=False))
            for v in self._variables
        ]
        self._powers = (tf.Variable(0.9, trainable=False), tf.Variable(0.999, trainable=False))
        inputs = tf.TensorSpec((None, *input_shape), tf.float32)
        labels, weights = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        traced = {"jit_compile": False, "reduce_retracing": False}
        self.train = tf.function(self._train, input_signature=[inputs, labels, weights], **traced)
        self.predict = tf.function(
            lambda x: self.logits(x, training=False), input_signature=[inputs], **traced
        )

    def _train(self, inputs: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        """One step; gives the weighted sum of losses and the number of right answers."""
        tf = tensorflow()
        with tf.GradientTape() as tape:
            logits = self.logits(inputs, training=True)
            if logits.shape[1] == 1:
                logits = logits[:, 0]
                losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits)
                right = tf.cast(logits > 0, tf.int32) == labels
            else:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                right = tf.argmax(logits, axis=1, output_type=tf.int32) == labels
            total = tf.reduce_sum(losses * weights)
            loss = total / tf.cast(tf.size(labels), tf.float32)
        gradients = tape.gradient(loss, self._variables)
        for variable, gradient, (mean, square) in zip(self._variables, gradients, self._moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=mean.handle, v=square.handle, grad=gradient, lr=self.rate,
                beta1_power=self._powers[0], beta2_power=self._powers[1], beta1=0.9, beta2=0.999, epsilon=1e-7,
            )  # fmt: skip
        for power, beta in zip(self._powers, (0.9, 0.999), strict=True):
            power.assign(power * beta)
        return total, tf.reduce_sum(tf.cast(right, tf.int32))


def predict_logits(steps: Steps, take: Take, rows: np.ndarray, batch: int) -> np.ndarray:
    """Logits (len(rows), 1 or K) float32 of the rows, in inference mode."""
    width = steps.model.output_shape[1]
    parts = [steps.predict(take(rows[i : i + batch])).numpy() for i in range(0, len(rows), batch)]
    return np.concatenate([np.zeros((0, width), np.float32), *parts])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits (N, 1) or (N, K) to class probabilities (N, 2) or (N, K), float32; rows sum to 1."""
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    odds = np.exp(shifted)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def run_epochs(
    steps: Steps,
    settings: Any,
    *,
    training: Callable[[int], Iterable[Batch]],
    take: Take,
    y: np.ndarray,
    validation: np.ndarray,
    say: Callable[[str], None],
) -> Trace:
    """Train for `settings.epochs`, watching the validation rows; leaves the weights in `steps.model`.

    training: epoch (from 1) -> its batches. take, y: inputs and class index of any row. With early stopping
    (`early_stopping` epochs without a lower validation loss) the best epoch's weights are put back, also
    when all epochs ran. Without validation rows neither it nor the plateau rule acts. `say` gets one line an
    epoch, without times. Raises TrainingDiverged when a loss is not a number.
    """
    trace = Trace()
    best, best_epoch, best_weights = np.inf, 0, None
    plateau_best, plateau_wait = np.inf, 0
    for epoch in range(1, settings.epochs + 1):
        row = {"epoch": epoch, **_one_epoch(steps, training(epoch), trace)}
        row |= _validate(steps, take, y, validation, settings.batch_size)
        row["lr"] = float(steps.rate.numpy())
        trace.history.append(row)
        say(_line(row, settings.epochs))
        _check(row, settings)
        if not len(validation):
            continue
        if settings.early_stopping and row["val_loss"] < best:
            best, best_epoch = row["val_loss"], epoch
            best_weights = steps.model.get_weights()
        if settings.plateau_patience:
            improved = row["val_loss"] < plateau_best - MIN_DELTA
            plateau_best = min(plateau_best, row["val_loss"]) if improved else plateau_best
            plateau_wait = 0 if improved else plateau_wait + 1
            if plateau_wait >= settings.plateau_patience:
                steps.rate.assign(max(float(steps.rate.numpy()) * settings.plateau_factor, 1e-7))
                plateau_wait = 0
        if settings.early_stopping and epoch - best_epoch >= settings.early_stopping:
            say(f"stopped early: no lower val_loss since epoch {best_epoch}")
            break
    if best_weights is not None and best_epoch != trace.history[-1]["epoch"]:
        steps.model.set_weights(best_weights)
        say(f"weights of epoch {best_epoch} put back")
    return trace


def _one_epoch(steps: Steps, batches: Iterable[Batch], trace: Trace) -> dict[str, float]:
    losses, right, seen, first_seen = [], [], 0, 0
    start = time.perf_counter()
    for inputs, labels, weights in batches:
        total, correct = steps.train(inputs, labels, weights)
        losses.append(total)
        right.append(correct)
        seen += int(labels.shape[0])
        if not trace.first_step_s:  # tracing and the first run: kept apart from the steady speed
            total.numpy()
            trace.first_step_s = time.perf_counter() - start
            start, first_seen = time.perf_counter(), seen
    loss = float(np.sum([float(value) for value in losses]) / seen)
    trace.steady_s += time.perf_counter() - start
    trace.steady_images += seen - first_seen
    return {"loss": loss, "accuracy": float(np.sum([int(value) for value in right]) / seen)}


def _validate(steps: Steps, take: Take, y: np.ndarray, rows: np.ndarray, batch: int) -> dict[str, float]:
    if not len(rows):
        return {"val_loss": float("nan"), "val_accuracy": float("nan")}
    logits = predict_logits(steps, take, rows, batch).astype(np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    truth = y[rows]
    with np.errstate(invalid="ignore"):  # a diverged network's logits; `_check` reports them
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(rows)), truth]
    return {"val_loss": float(losses.mean()), "val_accuracy": float((logits.argmax(axis=1) == truth).mean())}


def _line(row: dict[str, float], epochs: int) -> str:
    text = f"epoch {row['epoch']}/{epochs} loss {row['loss']:.4f} acc {row['accuracy']:.3f}"
    if not np.isnan(row["val_accuracy"]):
        text += f" val_loss {row['val_loss']:.4f} val_acc {row['val_accuracy']:.3f}"
    return text


def _check(row: dict[str, float], settings: Any) -> None:
    watched = ["loss"] if np.isnan(row["val_accuracy"]) else ["loss", "val_loss"]
    bad = [name for name in watched if not np.isfinite(row[name])]
    if bad:
        raise TrainingDiverged(
            f"epoch {row['epoch']}: {bad[0]} is {row[bad[0]]}, not a number. The training diverged: lower "
            f"learning_rate (now {settings.learning_rate:g}), and check that the images are uint8 0-255."
        )
