"""Augmentation of training batches: quarter turns, flips, zoom and brightness, from an explicit seed.

A cell has no up or down, so flips and turns are free; brightness stands for the lamp. It acts in `tf.data`, never
in the network: an exported model must not hold it. Every number comes from (seed, step), so a run repeats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukstudy.models.backend import tensorflow
from leukstudy.models.embed import check_images


def augmented(images: np.ndarray, augment: Any, seed: int) -> np.ndarray:
    """(N, S, S, 3) uint8 images as a training step would see them, uint8: for figures.

    augment: has flip (bool), rotate (bool), brightness and zoom (fractions, 0 = off).
    """
    check_images(images)
    tf = tensorflow()
    batch = tf.cast(tf.constant(images), tf.float32)
    return np.rint(augment_batch(batch, augment, (seed, 0)).numpy()).astype(np.uint8)


def augment_batch(batch: Any, augment: Any, seed: Any) -> Any:
    """Augment a float32 tensor (N, S, S, 3) of 0-255; `seed` is two integers. Each image has its own draw.

    Zoom goes in only (a window of 1 - zoom to 1 of the side, anywhere in the image): zooming out would
    invent a border that the smears do not have.
    """
    tf = tensorflow()
    count = tf.shape(batch)[0]

    def draw(index: int, low: float, high: float) -> Any:
        return tf.random.stateless_uniform((count,), tf.stack([seed[0], seed[1] * 8 + index]), low, high)

    def per_image(values: Any) -> Any:
        return tf.reshape(values, (-1, 1, 1, 1))

    if augment.rotate:
        # Four quarter turns out of two operations, chosen image by image: transpose and the two flips.
        batch = tf.where(
            per_image(draw(0, 0.0, 1.0) < 0.5), tf.transpose(batch, (0, 2, 1, 3))[:, ::-1], batch
        )
        batch = tf.where(per_image(draw(1, 0.0, 1.0) < 0.5), batch[:, ::-1, ::-1], batch)
    if augment.flip:
        batch = tf.where(per_image(draw(2, 0.0, 1.0) < 0.5), batch[:, :, ::-1], batch)
        batch = tf.where(per_image(draw(3, 0.0, 1.0) < 0.5), batch[:, ::-1], batch)
    if augment.zoom:
        side = draw(4, 1.0 - augment.zoom, 1.0)
        top, left = draw(5, 0.0, 1.0) * (1 - side), draw(6, 0.0, 1.0) * (1 - side)
        boxes = tf.stack([top, left, top + side, left + side], axis=1)
        batch = tf.image.crop_and_resize(batch, boxes, tf.range(count), tf.shape(batch)[1:3])
    if augment.brightness:
        factor = draw(7, 1.0 - augment.brightness, 1.0 + augment.brightness)
        batch = tf.clip_by_value(batch * per_image(factor), 0.0, 255.0)
    return batch
