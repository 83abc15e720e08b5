"""What all networks from keras.applications share: one flat, named graph on our own scaled images."""

from __future__ import annotations

from typing import Any

from leukstudy.models.weights import MissingWeights, load_into


def application(
    scaled: Any, constructor: str, *, weights: str, model: str, names: dict[str, str] | None = None
) -> Any:
    """Keras model from the input of `scaled` (N, H, W, 3) to the feature map of a keras.applications network.

    constructor: its name there, such as 'VGG16'. `weights`: 'imagenet' (Keras' download, verified by Keras against its
    checksum where it has one, and kept in Keras' cache), 'none' (random, from the seed in force) or a path to a Keras
    weights file of this backbone. names: prefixes of the names Keras numbers by itself, with what stands for them;
    auto-numbered names change from one build to the next.

    Raises MissingWeights when the download or the file cannot be had, BadWeights when it does not fit.
    """
    import keras

    build = getattr(keras.applications, constructor)
    network = build(include_top=False, weights=None, input_tensor=scaled)
    for prefix, name in (names or {}).items():
        found = [layer for layer in network.layers if layer.name.startswith(prefix)]
        for number, layer in enumerate(found, start=1):
            layer.name = f"{name}{number}"
    if weights == "imagenet":
        network.set_weights(_published(build, model).get_weights())
    elif weights != "none":
        load_into(network, weights, model=model)
    return network


def _published(build: Any, model: str) -> Any:
    """The network as Keras publishes it. Built by itself: some networks have layers more with these weights.

    The size is fixed, since for MobileNetV2 it decides which of several files is taken; kernels have no size.
    """
    try:
        return build(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise MissingWeights(
            f"{model}: the ImageNet weights could not be had: {reason}. They are downloaded once by "
            "Keras. Without a network set `weights: none` (with mode: scratch), or `weights:` to the path of "
            "a file you have, or use `model: efficientnet_lite0`, whose weights come with the environment."
        ) from error
