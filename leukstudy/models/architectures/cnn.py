"""Paper A's network: blocks of 3x3 convolution, ReLU and 2x2 max pooling, then flatten and dense layers.

The papers' text gives the layer types but not their numbers; `filters` gives one block for each entry.
"""

from __future__ import annotations

from typing import Any


def backbone(scaled: Any, *, weights: str, filters: list[int]) -> Any:
    """Feature map (N, h, w, filters[-1]) of scaled images (N, H, W, 3), as Keras tensors.

    Each block halves height and width. `weights` is 'none' or a path to Keras weights: there are no
    published ones. Raises ValueError when the image is too small for the number of blocks.
    """
    import keras

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
        x = keras.layers.MaxPooling2D(2, name=f"block{number}_pool")(x)
    return x
