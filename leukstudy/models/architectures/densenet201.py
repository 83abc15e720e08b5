"""DenseNet201 (Huang et al. 2017, Densely connected convolutional networks), from keras.applications."""

from __future__ import annotations

from typing import Any

from leukstudy.models.weights import BadWeights, MissingWeights, load_into


def backbone(scaled: Any, *, weights: str, filters: list[int]) -> Any:
    """Feature map (N, H/32, W/32, 1920) of scaled images (N, H, W, 3), as Keras tensors.

    `weights`: 'imagenet' (Keras' download, verified by its checksum and kept by Keras), 'none' (random, from
    the seed in force) or a path to a Keras weights file of this backbone. `filters` is not used.

    Raises MissingWeights when the download or the file cannot be had, BadWeights when it does not fit, and
    ValueError below 32 px.
    """
    import keras

    if min(scaled.shape[1:3]) < 32:
        raise ValueError(
            f"densenet201: image_size {min(scaled.shape[1:3])} is below 32, the smallest it can take. "
            "Set image_size to 32 or more (the paper used 224)."
        )
    try:
        network = keras.applications.DenseNet201(
            include_top=False, weights="imagenet" if weights == "imagenet" else None, input_tensor=scaled
        )
    except Exception as error:
        if weights != "imagenet":
            raise
        raise MissingWeights(
            f"densenet201: the ImageNet weights could not be had: {_first_line(error)}. They are downloaded once by "
            "Keras. Without a network set `weights: none` (with mode: scratch), or `weights:` to the path of "
            "a file you have, or use `model: efficientnet_lite0`, whose weights come with the environment."
        ) from error
    # keras.applications leaves two layers unnamed; auto-numbered names change from one build to the next.
    for number, layer in enumerate(_unnamed(network), start=1):
        layer.name = f"stem_padding{number}"
    if weights not in ("imagenet", "none"):
        load_into(network, weights, model="densenet201")
    return network.output


def _unnamed(network: Any) -> list[Any]:
    return [layer for layer in network.layers if layer.name.startswith("zero_padding2d")]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


__all__ = ["BadWeights", "MissingWeights", "backbone"]
