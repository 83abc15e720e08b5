"""What a training epoch is fed: its batches, in an order of its own, with the weight of each class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from leukstudy.models.augment import augment_batch
from leukstudy.models.backend import tensorflow
from leukstudy.models.embed import resize
from leukstudy.models.loop import Batch


def class_weights(y: np.ndarray, classes: int, how: str) -> np.ndarray:
    """(K,) float32: 'balanced' gives rows / (K x rows of the class), 'none' gives ones."""
    if how == "none":
        return np.ones(classes, np.float32)
    if how != "balanced":
        raise ValueError(f"class_weight: found '{how}', expected 'balanced' or 'none'.")
    return (len(y) / (classes * np.bincount(y, minlength=classes))).astype(np.float32)


def even_batch(count: int, batch: int) -> int:
    """The batch size, at most `batch`, that splits `count` rows without a small rest (420 by 32 gives 30).

    Batch normalisation learns wrong statistics from a last batch of 1 or 2 images.
    """
    return -(-count // -(-count // batch))


def image_batches(
    settings: Any, epoch: int, *, images: np.ndarray, y: np.ndarray, rows: np.ndarray, weight: np.ndarray
) -> Any:
    """One epoch's batches of image rows from tf.data: read and resized in uint8, then augmented.

    images (N, H, W, 3) uint8 and y (N,) of all rows; rows: the training rows; weight (K,): a class's weight. The
    order and the augmentation are functions of (seed, epoch).
    """
    tf = tensorflow()
    size, batch = settings.image_size, even_batch(len(rows), settings.batch_size)
    rows = rows[_order(settings, len(rows), epoch)]
    first = epoch * (len(rows) // batch + 1)
    augment = settings.augment
    active = augment.flip or augment.rotate or augment.brightness or augment.zoom

    def prepare(step: Any, chosen: Any, labels: Any, weights: Any) -> Batch:
        pixels = tf.numpy_function(
            lambda part: resize(images[part], size), [chosen], tf.uint8, stateful=False
        )
        pixels = tf.cast(tf.ensure_shape(pixels, (None, size, size, 3)), tf.float32)
        if active:
            pixels = augment_batch(pixels, augment, (settings.seed, first + tf.cast(step, tf.int32)))
        return pixels, labels, weights

    data = tf.data.Dataset.from_tensor_slices((rows, y[rows].astype(np.int32), weight[y[rows]]))
    data = data.batch(batch).enumerate().map(lambda step, parts: prepare(step, *parts))
    return data.prefetch(2)


def array_batches(
    settings: Any, epoch: int, *, inputs: np.ndarray, labels: np.ndarray, weight: np.ndarray
) -> Iterator[Batch]:
    """One epoch's batches of embeddings (N, D) with their labels (N,), in an order given by (seed, epoch)."""
    order, batch = _order(settings, len(labels), epoch), even_batch(len(labels), settings.batch_size)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        yield inputs[rows], labels[rows].astype(np.int32), weight[labels[rows]]


def _order(settings: Any, count: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([settings.seed, epoch]).permutation(count)
