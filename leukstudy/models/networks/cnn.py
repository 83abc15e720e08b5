"""Paper A's network: blocks of 3x3 convolution, ReLU and 2x2 max pooling, then flatten and dense layers.

The papers' text gives the layer types but not their numbers; `filters` gives one block for each entry. With
squeeze-and-excitation it is the variant of paper A's related work.
"""

from __future__ import annotations

from typing import Any

SQUEEZE = 16
"""Channels are squeezed to a sixteenth (Hu et al. 2018), never below 4: narrow blocks would keep next to nothing."""


def backbone(scaled: Any, *, weights: str, filters: list[int], squeeze_excite: bool) -> Any:
    """Feature map (N, h, w, filters[-1]) of scaled images (N, H, W, 3), as Keras tensors.

    Each block halves height and width. `weights` is 'none' or a path to Keras weights of these filters: there are no
    published ones. Raises ValueError when the image is too small for the number of blocks, MissingWeights and
    BadWeights for a path.
    """
    import keras

    from leukstudy.models.weights import load_into

    smallest = min(scaled.shape[1:3])
    if not filters or smallest < 2 ** len(filters):
        raise ValueError(
            f"cnn: {len(filters)} blocks (filters: {list(filters)}) do not fit {smallest} px images: there must be "
            f"at least one block and each halves the image. Give fewer filters or a larger image_size."
        )
    x = scaled
    for number, width in enumerate(filters, start=1):
        x = keras.layers.Conv2D(width, 3, padding="same", name=f"block{number}_conv")(x)
        x = keras.layers.ReLU(name=f"block{number}_relu")(x)
        if squeeze_excite:
            x = _squeeze_excite(x, f"block{number}_se")
        x = keras.layers.MaxPooling2D(2, name=f"block{number}_pool")(x)
    if weights != "none":
        network = keras.Model(keras.utils.get_source_inputs(scaled)[0], x, name="cnn")
        load_into(network, weights, model="cnn with these filters")
    return x


def _squeeze_excite(x: Any, name: str) -> Any:
    """Weigh each channel by what all channels' means say of the image (Hu et al. 2018).

    It follows the ReLU: before it, a mean over the image is the convolution of the mean colour and tells little.
    """
    import keras

    width = x.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    gate = keras.layers.Dense(max(4, width // SQUEEZE), activation="relu", name=f"{name}_reduce")(gate)
    gate = keras.layers.Dense(width, activation="sigmoid", name=f"{name}_expand")(gate)
    gate = keras.layers.Reshape((1, 1, width), name=f"{name}_gate")(gate)
    return keras.layers.Multiply(name=f"{name}_excite")([x, gate])
