"""Two layers that Keras does not have. Importing this module imports Keras: do it inside the function that builds."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="leukstudy")
class BGR(keras.layers.Layer):
    """Images (N, H, W, 3) with red and blue exchanged, as networks converted from Caffe were trained."""

    def call(self, images: Any) -> Any:
        """Exchange the channels."""
        return keras.ops.take(images, [2, 1, 0], axis=-1)


@keras.saving.register_keras_serializable(package="leukstudy")
class Positions(keras.layers.Layer):
    """Tokens (N, T, D) plus a learned vector for each place (Dosovitskiy et al. 2021)."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make one vector for each place of the (T, D) tokens."""
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=tuple(shape[1:]), initializer=start, name="table")

    def call(self, tokens: Any) -> Any:
        """Add them."""
        return tokens + self.table
