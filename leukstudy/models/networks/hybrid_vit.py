"""A small transformer on a convolutional stem, for paper B's future work.

Stem after Xiao et al. 2021 (Early convolutions help transformers see better), encoder after Dosovitskiy et al. 2021 (An
image is worth 16x16 words) with normalisation before each part. The tokens are laid back as a map, so that pooling and
Grad-CAM are those of every other network.
"""

from __future__ import annotations

from typing import Any

from leukstudy.models.weights import load_into

STEM = (32, 64, 128)
"""Filters of the stem's convolutions; each halves the image, so a token stands for 8 x 8 pixels."""
WIDTH, HEADS, DEPTH, HIDDEN = 128, 4, 6, 512
HEAD = 256
"""Length of the embedding."""


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/8, W/8, 256) of scaled images (N, H, W, 3), as Keras tensors.

    `weights` is 'none' (random, from the seed in force) or a path to Keras weights of this backbone at this image size:
    each place has a learned vector. Raises MissingWeights when there is no such file, BadWeights when it does not fit.
    """
    import keras

    from leukstudy.models.layers import Positions

    x = scaled
    for number, filters in enumerate(STEM, start=1):
        x = _convolution(x, filters, kernel=3, stride=2, name=f"stem{number}")
    x = keras.layers.Conv2D(WIDTH, 1, name="tokens_conv")(x)
    rows, columns = x.shape[1:3]
    x = keras.layers.Reshape((rows * columns, WIDTH), name="tokens")(x)
    x = Positions(name="positions")(x)
    for number in range(1, DEPTH + 1):
        x = _block(x, f"block{number}")
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="encoder_norm")(x)
    x = keras.layers.Reshape((rows, columns, WIDTH), name="encoder_map")(x)
    x = _convolution(x, HEAD, name="head")
    if weights != "none":
        network = keras.Model(keras.utils.get_source_inputs(scaled)[0], x, name="hybrid_vit")
        load_into(network, weights, model=f"hybrid_vit at {scaled.shape[1]} px")
    return x


def _block(x: Any, name: str) -> Any:
    """Self-attention, then a two-layer perceptron for each token, each with a shortcut around it."""
    import keras

    y = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    # Without biases: the keys' would shift all scores of a query alike, which softmax does not see.
    y = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS, use_bias=False, name=f"{name}_attention")(y, y)
    x = keras.layers.Add(name=f"{name}_add1")([x, y])
    y = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = keras.layers.Dense(HIDDEN, activation=_gelu, name=f"{name}_dense1")(y)
    y = keras.layers.Dense(WIDTH, name=f"{name}_dense2")(y)
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def _convolution(x: Any, filters: int, *, kernel: int = 1, stride: int = 1, name: str) -> Any:
    import keras

    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _gelu(x: Any) -> Any:
    """GELU by its tanh form, as the authors' own code has it; the exact one cannot be written as ONNX."""
    import keras

    return keras.activations.gelu(x, approximate=True)
