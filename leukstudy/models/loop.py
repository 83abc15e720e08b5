"""The training loop of every network: one traced training step, one traced prediction step.

Keras' `fit` traces a network up to three times (train, validate, predict). On two CPU cores that is a minute before
DenseNet201's first image, and its steps are slower (`python benchmarks/models.py` prints both).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from leukstudy.models.backend import has_gpu, tensorflow
from leukstudy.models.checkpoint import Checkpoint
from leukstudy.models.losses import losses_of, optimiser, scheduled_rate
from leukstudy.models.network import logits_model
from leukstudy.study.experiments import NetworkSettings

Batch = tuple[Any, Any, Any]
"""inputs (n, S, S, 3) uint8 or (n, D) float32 embeddings, targets (n, K) float32 that sum to 1, sample weight (n,) float32."""
Take = Callable[[np.ndarray], np.ndarray]
"""Row numbers -> the network's inputs for these rows."""

MIN_DELTA = 1e-4
"""A smaller fall of the validation loss than this is no improvement to the learning-rate plateau rule."""
PROGRESS_S = 15.0
"""Seconds between two lines about an epoch that is not over."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


class OutOfMemory(MemoryError):
    """A training step does not fit into memory."""


@dataclass
class Trace:
    """What a run of epochs leaves besides the weights, and what its stopping rules remember."""

    history: list[dict[str, float]] = field(default_factory=list)
    first_step_s: float = 0.0
    steady_s: float = 0.0
    steady_images: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    plateau_best: float = float("inf")
    plateau_wait: int = 0

    def table(self) -> pd.DataFrame:
        """One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, lr (NaN without validation rows)."""
        columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
        return pd.DataFrame(self.history, columns=columns)


class Steps:
    """A network's two traced steps and its optimiser.

    input_shape: of one example. strategy: a tf.distribute.MirroredStrategy in whose scope the model and this were made,
    where there are several devices: each takes its share of every batch, and all move by the sum of their gradients.
    """

    def __init__(
        self,
        model: Any,
        settings: NetworkSettings,
        input_shape: tuple[int, ...],
        classes: int,
        strategy: Any = None,
    ) -> None:
        tf = tensorflow()
        self.model, self._settings, self._strategy = model, settings, strategy
        self.logits = logits_model(model)
        self.optimiser = optimiser(settings, model.trainable_variables)
        # images travel as bytes, and become float32 on the device
        inputs = tf.TensorSpec((None, *input_shape), tf.uint8 if len(input_shape) == 3 else tf.float32)
        targets, weights = tf.TensorSpec((None, classes), tf.float32), tf.TensorSpec((None,), tf.float32)
        self.train = tf.function(
            self._train,
            input_signature=[inputs, targets, weights],
            jit_compile=settings.xla and has_gpu(),
            reduce_retracing=False,
        )
        self.predict = tf.function(
            lambda x: tf.cast(self.logits(tf.cast(x, tf.float32), training=False), tf.float32),
            input_signature=[inputs],
            jit_compile=False,
            reduce_retracing=False,
        )

    def _train(self, inputs: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        """One step; gives the weighted sum of losses and the number of right answers."""
        tf = tensorflow()
        count = tf.cast(tf.shape(targets)[0], tf.float32)
        if self._strategy is None:
            return self._move(inputs, targets, weights, count)
        devices = self._strategy.num_replicas_in_sync

        def share() -> tuple[Any, Any]:
            own = tf.distribute.get_replica_context().replica_id_in_sync_group
            return self._move(inputs[own::devices], targets[own::devices], weights[own::devices], count)

        return tuple(self._strategy.reduce("sum", part, axis=None) for part in self._strategy.run(share))

    def _move(self, inputs: Any, targets: Any, weights: Any, count: Any) -> tuple[Any, Any]:
        tf = tensorflow()
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = tf.cast(self.logits(tf.cast(inputs, tf.float32), training=True), tf.float32)
            total = tf.reduce_sum(losses_of(logits, targets, self._settings) * weights)
            loss = total / count
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self.optimiser.apply(self._clipped(gradients), variables)
        right = tf.argmax(logits, axis=1) == tf.argmax(targets, axis=1)
        return total, tf.reduce_sum(tf.cast(right, tf.int32))

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        """All gradients together shortened to the length `clip_norm`: those of all devices, which Keras then sums."""
        tf = tensorflow()
        if not self._settings.clip_norm:
            return gradients
        if self._strategy is not None:
            gradients = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        devices = 1 if self._strategy is None else self._strategy.num_replicas_in_sync
        clipped, _ = tf.clip_by_global_norm(gradients, self._settings.clip_norm)
        return [gradient / devices for gradient in clipped]

    def arrays(self) -> dict[str, list[np.ndarray]]:
        """All that training has changed: the network's variables, random states included, and the optimiser's."""
        return {
            "model": [variable.numpy() for variable in self.model.variables],
            "optimiser": [variable.numpy() for variable in self.optimiser.variables],
        }

    def restore(self, arrays: dict[str, list[np.ndarray]]) -> None:
        """Put back what `arrays` gave."""
        for name, variables in (("model", self.model.variables), ("optimiser", self.optimiser.variables)):
            for variable, value in zip(variables, arrays[name], strict=True):
                variable.assign(value)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self.optimiser.learning_rate.numpy())

    @rate.setter
    def rate(self, rate: float) -> None:
        self.optimiser.learning_rate.assign(rate)


def predict_logits(steps: Steps, take: Take, rows: np.ndarray, batch: int) -> np.ndarray:
    """Logits (len(rows), K) float32 of the rows, in inference mode. Raises OutOfMemory."""
    parts = [np.zeros((0, steps.model.output_shape[1]), np.float32)]
    for start in range(0, len(rows), batch):
        inputs = take(rows[start : start + batch])
        with _within_memory("predicting", len(inputs), inputs.shape[1:]):
            parts.append(steps.predict(inputs).numpy())
    return np.concatenate(parts)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits (N, K) to class probabilities (N, K), float32; rows sum to 1."""
    return softmax(logits.astype(np.float64), axis=1).astype(np.float32)


def run_epochs(
    steps: Steps,
    settings: NetworkSettings,
    *,
    training: Callable[[int], Iterable[Batch]],
    batches: int,
    take: Take,
    y: np.ndarray,
    validation: np.ndarray,
    say: Callable[[str], None],
    watch: Callable[[dict[str, float]], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trace:
    """Train for `settings.epochs`, watching the validation rows; leaves the weights in `steps.model`.

    training: epoch (from 1) -> its batches, `batches` of them. take, y: inputs and class index of any row. With early
    stopping (`early_stopping` epochs without a lower validation loss) the best epoch's weights are put back, also
    when all epochs ran. Without validation rows neither it nor the plateau rule acts. `say` gets one line an epoch,
    without times; `watch` the epoch's row of the history. With a `checkpoint` each epoch is kept on disk, and a
    training that was stopped goes on after its last whole epoch, and says and gives to `watch` what it said before; the
    caller removes the file when it has the results.

    Raises TrainingDiverged when a loss is not a number: the model is then that of the last good epoch, where a
    checkpoint has it. Raises OutOfMemory when a step does not fit.
    """
    trace, best = Trace(), []
    found = checkpoint.read() if checkpoint else None
    if found:
        trace, best = Trace(**found[0]), found[1].get("best", [])
        steps.restore(found[1])
        _progress(f"goes on after epoch {len(trace.history)} of the training that was stopped")
        for row in trace.history:
            say(_line(row, settings.epochs))
            if watch:
                watch(row)
    while not _ended(trace, settings, say):
        epoch = len(trace.history) + 1
        row = {"epoch": epoch, **_one_epoch(steps, settings, training(epoch), batches, trace)}
        row |= _validate(steps, take, y, validation, settings.batch_size)
        row["lr"] = steps.rate
        say(_line(row, settings.epochs))
        _check(row, settings, steps, checkpoint)
        trace.history.append(row)
        if watch:
            watch(row)
        if len(validation) and settings.early_stopping and row["val_loss"] < trace.best:
            trace.best, trace.best_epoch = row["val_loss"], epoch
            best = steps.model.get_weights()
        if len(validation) and settings.schedule == "plateau":
            _fall_on_plateau(steps, settings, row["val_loss"], trace)
        if checkpoint:
            checkpoint.write(asdict(trace), steps.arrays() | {"best": best})
    if best and trace.best_epoch != len(trace.history):
        steps.model.set_weights(best)
        say(f"weights of epoch {trace.best_epoch} put back")
    return trace


def _ended(trace: Trace, settings: NetworkSettings, say: Callable[[str], None]) -> bool:
    done = len(trace.history)
    if done < settings.epochs and trace.best_epoch and done - trace.best_epoch >= settings.early_stopping:
        say(f"stopped early: no lower val_loss since epoch {trace.best_epoch}")
        return True
    return done >= settings.epochs


def _fall_on_plateau(steps: Steps, settings: NetworkSettings, loss: float, trace: Trace) -> None:
    improved = loss < trace.plateau_best - MIN_DELTA
    trace.plateau_best = loss if improved else trace.plateau_best
    trace.plateau_wait = 0 if improved else trace.plateau_wait + 1
    if trace.plateau_wait >= settings.plateau_patience:
        steps.rate = max(steps.rate * settings.plateau_factor, 1e-7)
        trace.plateau_wait = 0


def _one_epoch(
    steps: Steps, settings: NetworkSettings, batches: Iterable[Batch], count: int, trace: Trace
) -> dict[str, float]:
    losses, right, seen, first_seen = [], [], 0, 0
    before = len(trace.history) * count
    start = shown = time.perf_counter()
    for number, (inputs, targets, weights) in enumerate(batches):
        rate = scheduled_rate(settings, before + number, settings.epochs * count)
        if rate is not None:
            steps.rate = rate
        with _within_memory("a training step with", int(targets.shape[0]), inputs.shape[1:]):
            total, correct = steps.train(inputs, targets, weights)
        losses.append(total)
        right.append(correct)
        seen += int(targets.shape[0])
        if not trace.first_step_s:  # tracing and the first run: kept apart from the steady speed
            total.numpy()
            trace.first_step_s = time.perf_counter() - start
            start, first_seen = time.perf_counter(), seen
        if time.perf_counter() - shown > PROGRESS_S and seen > first_seen:
            total.numpy()  # the device may be behind
            shown = time.perf_counter()
            speed = (seen - first_seen) / (shown - start)
            left = (count - number - 1) * seen / (number + 1) / speed
            # to stderr: it reaches the terminal and the log, and not the executed notebook
            line = (
                f"epoch {len(trace.history) + 1}: {seen:,} images, {speed:,.0f} images/s, {left:,.0f} s left"
            )
            print(line, file=sys.stderr, flush=True)
    loss = float(np.sum([float(value) for value in losses]) / seen)
    trace.steady_s += time.perf_counter() - start
    trace.steady_images += seen - first_seen
    return {"loss": loss, "accuracy": float(np.sum([int(value) for value in right]) / seen)}


@contextmanager
def _within_memory(what: str, batch: int, shape: Iterable[int]) -> Iterator[None]:
    """Say, where the block runs out of memory, which batch size to try."""
    try:
        yield
    except (tensorflow().errors.ResourceExhaustedError, MemoryError) as error:
        advice = f"Try batch_size: {batch // 2}" if batch > 1 else "Try a smaller image_size"
        raise OutOfMemory(
            f"{what} {batch} images of {'x'.join(map(str, shape))} does not fit into memory. {advice}."
        ) from error


def _validate(steps: Steps, take: Take, y: np.ndarray, rows: np.ndarray, batch: int) -> dict[str, float]:
    if not len(rows):
        return {"val_loss": float("nan"), "val_accuracy": float("nan")}
    logits = predict_logits(steps, take, rows, batch).astype(np.float64)
    with np.errstate(invalid="ignore"):  # a diverged network's logits; `_check` reports them
        losses = -log_softmax(logits, axis=1)[np.arange(len(rows)), y[rows]]
    return {
        "val_loss": float(losses.mean()),
        "val_accuracy": float((logits.argmax(axis=1) == y[rows]).mean()),
    }


def _progress(line: str) -> None:
    """Tell the terminal and the log, and not the executed notebook, which is the same after any run (stderr is left out)."""
    print(line, file=sys.stderr, flush=True)


def _line(row: dict[str, float], epochs: int) -> str:
    text = f"epoch {row['epoch']}/{epochs} loss {row['loss']:.4f} acc {row['accuracy']:.3f}"
    if not np.isnan(row["val_accuracy"]):
        text += f" val_loss {row['val_loss']:.4f} val_acc {row['val_accuracy']:.3f}"
    return text


def _check(
    row: dict[str, float], settings: NetworkSettings, steps: Steps, checkpoint: Checkpoint | None
) -> None:
    watched = ["loss"] if np.isnan(row["val_accuracy"]) else ["loss", "val_loss"]
    bad = [name for name in watched if not np.isfinite(row[name])]
    if not bad:
        return
    good = checkpoint.read() if checkpoint else None
    if good:
        steps.restore(good[1])
    raise TrainingDiverged(
        f"epoch {row['epoch']}: {bad[0]} is {row[bad[0]]}, not a number. The training diverged: lower "
        f"learning_rate (now {settings.learning_rate:g}) or set clip_norm: 1.0, and check that the images are uint8 0-255."
    )
