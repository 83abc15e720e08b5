"""ResNet34 (He et al. 2016, Deep residual learning for image recognition), which keras.applications does not have.

As in torchvision: padding is symmetric, so at stride 2 it differs from TensorFlow's SAME; batch normalisation has
epsilon 1e-5; the shortcut is a 1x1 convolution where the shape changes and nothing else. Layers are named as those of
Keras' ResNet50 are.
"""

from __future__ import annotations

from typing import Any

from leukstudy.models.weights import load_into

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""(filters, blocks) of conv2 to conv5."""


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 512) of scaled images (N, H, W, 3), as Keras tensors.

    `weights` is 'none' (random, from the seed in force) or a path to Keras weights of this backbone. Raises
    MissingWeights when there is no such file, BadWeights when it does not fit.
    """
    import keras

    x = _convolution(scaled, 64, kernel=7, stride=2, name="conv1")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)  # zeros do no harm after a ReLU
    x = keras.layers.MaxPooling2D(3, 2, name="pool1_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 2 else 1
            x = _block(x, filters, stride=stride, name=f"conv{stage}_block{block}")
    if weights != "none":
        network = keras.Model(keras.utils.get_source_inputs(scaled)[0], x, name="resnet34")
        load_into(network, weights, model="resnet34")
    return x


def _block(x: Any, filters: int, *, stride: int, name: str) -> Any:
    """Two 3x3 convolutions and the shortcut around them (a basic block)."""
    import keras

    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = _convolution(x, filters, kernel=1, stride=stride, name=f"{name}_0")
    x = _convolution(x, filters, stride=stride, name=f"{name}_1")
    x = keras.layers.ReLU(name=f"{name}_1_relu")(x)
    x = _convolution(x, filters, name=f"{name}_2")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def _convolution(x: Any, filters: int, *, kernel: int = 3, stride: int = 1, name: str) -> Any:
    import keras

    if kernel > 1 and stride > 1:
        x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    spread = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")  # He et al. 2015
    x = keras.layers.Conv2D(
        filters, kernel, stride, padding="same" if stride == 1 else "valid", use_bias=False,
        kernel_initializer=spread, name=f"{name}_conv",
    )(x)  # fmt: skip
    return keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)
