"""What a training epoch is fed: its batches, in an order of its own, with targets and the weight of each class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from leukstudy.imaging.resize import resize_all
from leukstudy.imaging.workers import cores
from leukstudy.models.augment import augment_batch, changes_images
from leukstudy.models.backend import tensorflow
from leukstudy.models.loop import Batch
from leukstudy.models.mixup import mixed, mixed_images, mixup_draws
from leukstudy.study.experiments import NetworkSettings

_AT_ONCE = 8  # batches made at a time at most: they are held in memory, and 8 cores feed any one GPU


class _Step(NamedTuple):
    """A batch before its inputs: places among the training rows, MixUp's draws (or None), targets (n, K), weights (n,)."""

    places: np.ndarray
    mixup: tuple[np.ndarray, np.ndarray] | None
    targets: np.ndarray
    weights: np.ndarray


def class_weights(y: np.ndarray, classes: int, weighting: str) -> np.ndarray:
    """(K,) float32: 'balanced' gives rows / (K x rows of the class), 'none' gives ones."""
    if weighting == "none":
        return np.ones(classes, np.float32)
    return (len(y) / (classes * np.bincount(y, minlength=classes))).astype(np.float32)


def even_batch(count: int, batch: int) -> int:
    """The batch size, at most `batch`, that splits `count` rows without a small rest (420 by 32 gives 30).

    Batch normalisation learns wrong statistics from a last batch of 1 or 2 images.
    """
    return -(-count // -(-count // batch))


def steps_an_epoch(count: int, batch: int) -> int:
    """How many batches of `even_batch` rows `count` rows make."""
    return -(-count // even_batch(count, batch))


def image_batches(
    settings: NetworkSettings,
    epoch: int,
    *,
    images: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    weight: np.ndarray,
) -> Any:
    """One epoch's batches of image rows from tf.data: (inputs (n, S, S, 3) uint8, targets, weights).

    images (N, H, W, 3) uint8 and y (N,) of all rows; rows: the training rows, a row may come more than once; weight (K,): a
    class's weight. targets (n, K) float32 are one-hot or, with `augment.mixup`, between two classes, and the weights (n,)
    float32 likewise. Order, augmentation and MixUp are functions of (seed, epoch, step).

    Images are read, resized, augmented and mixed in uint8, and go to the device so, a quarter of float32; several batches are made at a time, in
    OpenCV outside Python's lock, and come in order.
    """
    tf = tensorflow()
    size, augment, seed = settings.image_size, settings.augment, (settings.seed, epoch)
    steps = list(_steps(settings, epoch, y[rows], weight))

    def load(number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        step = steps[number]
        pixels = resize_all(images[rows[step.places]], size)
        if changes_images(augment):
            pixels = augment_batch(pixels, augment, (*seed, int(number)))
        if step.mixup:
            pixels = mixed_images(pixels, *step.mixup)
        return pixels, step.targets, step.weights

    def prepare(number: Any) -> Batch:
        kinds = (tf.uint8, tf.float32, tf.float32)
        pixels, targets, weights = tf.numpy_function(load, [number], kinds, stateful=False)
        pixels = tf.ensure_shape(pixels, (None, size, size, 3))
        return pixels, tf.ensure_shape(targets, (None, len(weight))), tf.ensure_shape(weights, (None,))

    at_once = min(cores(), _AT_ONCE)
    data = tf.data.Dataset.range(len(steps)).map(prepare, num_parallel_calls=at_once, deterministic=True)
    options = tf.data.Options()
    options.threading.private_threadpool_size = (
        at_once  # images wait for no thread of the network's, nor it for theirs
    )
    return data.prefetch(2).with_options(options)


def array_batches(
    settings: NetworkSettings, epoch: int, *, inputs: np.ndarray, labels: np.ndarray, weight: np.ndarray
) -> Iterator[Batch]:
    """One epoch's batches of embeddings (N, D) float32 with labels (N,), as `image_batches` gives those of images."""
    for step in _steps(settings, epoch, labels, weight):
        rows = inputs[step.places]
        yield mixed(rows, *step.mixup) if step.mixup else rows, step.targets, step.weights


def _steps(settings: NetworkSettings, epoch: int, labels: np.ndarray, weight: np.ndarray) -> Iterator[_Step]:
    batch, alpha = even_batch(len(labels), settings.batch_size), settings.augment.mixup
    order = np.random.default_rng([settings.seed, epoch]).permutation(len(labels))
    one_hot = np.eye(len(weight), dtype=np.float32)
    for number, start in enumerate(range(0, len(order), batch)):
        places = order[start : start + batch]
        targets, weights = one_hot[labels[places]], weight[labels[places]].astype(np.float32)
        mixup = None
        if alpha:
            mixup = mixup_draws(len(places), alpha, (settings.seed, epoch, number))
            targets, weights = mixed(targets, *mixup), mixed(weights, *mixup)
        yield _Step(places, mixup, targets, weights)
