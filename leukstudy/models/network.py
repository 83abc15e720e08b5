"""One flat, named Keras graph a network: scaling, backbone, pooling, head.

Flat and named because nested sub-models break Grad-CAM and export, and auto-numbered names change the saved
bytes. Scaling is a layer, so that no caller can feed the network differently from how it was trained.
"""

from __future__ import annotations

import difflib
import re
from importlib import import_module
from typing import Any

import numpy as np

from leukstudy.study.experiments import NetworkSettings
from leukstudy.study.zoo import ModelSpec, model_spec

EPSILON = 1e-4
"""Smallest variance an embedding's column is divided by: dead columns must not amplify noise."""


def embedder(
    model: str,
    *,
    weights: str,
    scaling: str,
    image_size: int,
    filters: list[int] | None = None,
    squeeze_excite: bool = False,
) -> Any:
    """Keras model: images (N, S, S, 3) float32 of 0-255 RGB -> pooled embedding (N, D) float32.

    filters, squeeze_excite: the shape of `cnn`; filters mean nothing to the other networks.

    Raises UnknownModel, MissingWeights, BadWeights, or ValueError for a size or shape that does not fit.
    """
    import keras

    spec = model_spec(model, kind="network")
    shape = {"filters": list(filters or []), "squeeze_excite": squeeze_excite}
    _check(spec, weights, image_size, squeeze_excite)
    scale, offset, order = spec.scaling(scaling)
    image = keras.Input((image_size, image_size, 3), name="image")
    scaled = keras.layers.Rescaling(list(scale), list(offset), name="scaling")(image)
    if order == "BGR":
        from leukstudy.models.layers import BGR

        scaled = BGR(name="scaling_bgr")(scaled)
    module, function = spec.backbone.split(":")
    backbone = getattr(import_module(f"leukstudy.models.networks.{module}"), function)
    features = backbone(scaled, weights=weights, **{key: shape[key] for key in spec.takes})
    pool = keras.layers.Flatten if spec.pool == "flatten" else keras.layers.GlobalAveragePooling2D
    return keras.Model(image, pool(name="pool")(features), name=model)


def backbone_of(settings: NetworkSettings) -> Any:
    """The `embedder` that an experiment names; errors as there."""
    return embedder(
        settings.model, weights=settings.weights, scaling=settings.scaling, image_size=settings.image_size,
        filters=settings.filters, squeeze_excite=bool(settings.squeeze_excite),
    )  # fmt: skip


def _check(spec: ModelSpec, weights: str, image_size: int, squeeze_excite: bool) -> None:
    if image_size < spec.smallest:
        raise ValueError(
            f"{spec.name}: image_size {image_size} is below {spec.smallest}, the smallest it can take. "
            f"Set image_size to {spec.smallest} or more (the published networks learned at 224 px)."
        )
    if squeeze_excite and "squeeze_excite" not in spec.takes:
        raise ValueError(f"{spec.name}: squeeze_excite is a variant of cnn; set `squeeze_excite: false`.")
    if weights != "none":
        from leukstudy.models.weights import weights_identity

        weights_identity(weights, spec.imagenet)  # raises, naming the alternatives


def head(width: int, *, classes: int, head_units: int, dropout: float, normalise: bool) -> Any:
    """Keras model: embedding (N, width) -> probabilities (N, classes) by softmax.

    `normalise` puts a standardisation of each column in front (set it with `set_normalisation`).
    """
    import keras

    start = keras.Input((width,), name="embedding")
    return keras.Model(start, _head_layers(start, classes, head_units, dropout, normalise), name="head")


def classifier(backbone: Any, *, classes: int, head_units: int, dropout: float, normalise: bool) -> Any:
    """The whole network as one flat graph: an `embedder` with the head's layers built on its output."""
    import keras

    output = _head_layers(backbone.output, classes, head_units, dropout, normalise)
    return keras.Model(backbone.input, output, name=f"{backbone.name}_classifier")


def follow_statistics(model: Any, momentum: float = 0.9) -> None:
    """Have every BatchNormalization's moving statistics follow training within tens of steps.

    Keras' default of 0.99 remembers the starting values for hundreds: a small data set has 14 steps an epoch, and
    the network would still predict with statistics that are mostly its initial zeros and ones. 0.9 is what
    DenseNet's own authors trained with. Call it before the first training step.
    """
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = momentum


def unfreeze(model: Any, where: str) -> int:
    """Prepare a whole `classifier` for fine-tuning; gives how many numbers training may change.

    where: 'all', or the name of a backbone layer. That layer, all that come after it in the graph's order and the head
    become trainable, what comes before is frozen. Every BatchNormalization layer is set not to be trainable, which in
    Keras also keeps it in inference mode: a few small batches would ruin the statistics that pretraining left.

    Raises ValueError as `check_unfreeze` does.
    """
    check_unfreeze(model, where)
    names = [layer.name for layer in model.layers]
    start = 0 if where == "all" else names.index(where)
    for place, layer in enumerate(model.layers):
        layer.trainable = place >= start and type(layer).__name__ != "BatchNormalization"
    return int(sum(np.prod(variable.shape) for variable in model.trainable_variables))


def check_unfreeze(model: Any, where: str) -> None:
    """Raise ValueError unless `where` is 'all' or a layer of the backbone, alone or with its head.

    The message names the nearest layer and the starts of the blocks.
    """
    names = [layer.name for layer in model.layers]
    own = [
        name for name in names[: names.index("pool")] if name != "image" and not name.startswith("scaling")
    ]
    if where != "all" and where not in own:
        near = difflib.get_close_matches(where, own, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(
            f"{model.name} has no backbone layer '{where}' to unfreeze from: {hint}expected 'all' or a layer; blocks "
            f"start at {', '.join(block_starts(model))}."
        )


def block_starts(model: Any) -> list[str]:
    """The first layer with weights of each block of the backbone, in the graph's order: places to `unfreeze` from."""
    names = [layer.name for layer in model.layers]
    starts: dict[str, str] = {}
    for layer in model.layers[: names.index("pool")]:
        # conv5_block3_1_conv belongs to conv5, block_13_expand to block_13, block2b_se_expand to block2
        if layer.weights and type(layer).__name__ != "BatchNormalization":
            block = re.match(r"[A-Za-z]+(_?\d+)?", layer.name)
            starts.setdefault(block.group() if block else layer.name, layer.name)
    return list(starts.values())


def set_normalisation(model: Any, embeddings: np.ndarray) -> None:
    """Give the head's `head_normalise` layer the mean and variance of the (training) embeddings (N, D)."""
    data = embeddings.astype(np.float64)
    variance = np.maximum(data.var(axis=0), EPSILON)
    state = [data.mean(axis=0).astype(np.float32), variance.astype(np.float32), np.array(len(data))]
    _set_layer(model.get_layer("head_normalise"), state)


def copy_head(source: Any, target: Any) -> None:
    """Copy the weights of a trained `head` into the layers of the same names of a `classifier`."""
    for layer in source.layers:
        if layer.weights:
            _set_layer(target.get_layer(layer.name), layer.get_weights())


def logits_model(model: Any) -> Any:
    """The same layers up to `logits`, before softmax: what losses and Grad-CAM need."""
    import keras

    return keras.Model(model.input, model.get_layer("logits").output, name=f"{model.name}_logits")


def _set_layer(layer: Any, weights: list[np.ndarray]) -> None:
    layer.set_weights(weights)
    if hasattr(layer, "finalize_state"):  # Normalization computes with copies of its weights, made here
        layer.finalize_state()


def _head_layers(x: Any, classes: int, head_units: int, dropout: float, normalise: bool) -> Any:
    import keras

    if normalise:
        x = keras.layers.Normalization(axis=-1, name="head_normalise")(x)
    if head_units:
        x = keras.layers.Dense(head_units, activation="relu", name="head_dense")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    # Two classes have two logits too: paper B's sigmoid is the same function, of their difference. Both in float32, also
    # where the network computes in bfloat16.
    x = keras.layers.Dense(classes, name="logits", dtype="float32")(x)
    return keras.layers.Activation("softmax", name="probabilities", dtype="float32")(x)
