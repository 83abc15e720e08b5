"""EfficientNet-B3 (Tan & Le 2019, EfficientNet: rethinking model scaling), from keras.applications.

Keras' network begins with layers that scale 0-255 images themselves. Here scaling is the study's own first layer, as for
every network, so what comes after theirs is built again on it.
"""

from __future__ import annotations

from typing import Any

from leukstudy.models.networks.applications import application
from leukstudy.models.weights import BadWeights, load_into


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1536) of scaled images (N, H, W, 3); weights and errors as in `application`.

    A path may be a file of Keras' network or of this one, which has no arrays for scaling.
    """
    import keras

    try:
        x = _after_scaling(_keras(scaled, weights), scaled)
    except BadWeights:
        x = _after_scaling(_keras(scaled, "none"), scaled)
        # The source of `scaled`, which is that of x: from x Keras would walk every way through the shortcuts.
        network = keras.Model(keras.utils.get_source_inputs(scaled)[0], x, name="efficientnet_b3")
        load_into(network, weights, model="efficientnet_b3")
    return x


def _keras(scaled: Any, weights: str) -> Any:
    return application(scaled, "EfficientNetB3", weights=weights, model="efficientnet_b3")


def _after_scaling(network: Any, scaled: Any) -> Any:
    """Build the layers from `stem_conv_pad` on once more, on `scaled`, with the network's weights."""
    made = {id(network.get_layer("stem_conv_pad").input): scaled}
    for layer in network.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if inputs and all(id(tensor) in made for tensor in inputs):  # the input layer is given nothing
            own = type(layer).from_config(layer.get_config())
            tensors = [made[id(tensor)] for tensor in inputs]
            made[id(layer.output)] = own(tensors if isinstance(layer.input, list) else tensors[0])
            own.set_weights(layer.get_weights())
    return made[id(network.output)]
