"""One flat, named Keras graph a network: scaling, backbone, pooling, head.

Flat and named because nested sub-models break Grad-CAM and export, and auto-numbered names change the saved
bytes. Scaling is a layer, so that no caller can feed the network differently from how it was trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukstudy.models.zoo import ModelSpec, Scaling, model_spec

EPSILON = 1e-4
"""Smallest variance an embedding's column is divided by: dead columns must not amplify noise."""


def scaling_of(spec: ModelSpec, scaling: str) -> Scaling:
    """(scale, offset) of R, G, B; raises ValueError for a name the model does not have."""
    scalings = spec.scalings or {}
    if scaling not in scalings:
        raise ValueError(f"{spec.name}: unknown scaling '{scaling}', expected one of {sorted(scalings)}.")
    return scalings[scaling]


def embedder(
    model: str, *, weights: str, scaling: str, image_size: int, filters: list[int] | None = None
) -> Any:
    """Keras model: images (N, S, S, 3) float32 of 0-255 RGB -> pooled embedding (N, D) float32.

    Raises UnknownModel, MissingWeights, BadWeights, or ValueError for a size or scaling that does not fit.
    """
    import keras

    spec = model_spec(model, kind="network")
    if image_size < 1:
        raise ValueError(f"{model}: image_size is {image_size}, expected a number of pixels.")
    scale, offset = scaling_of(spec, scaling)
    if weights == "imagenet" and spec.imagenet is None:
        from leukstudy.models.weights import weights_identity

        weights_identity(weights, spec.imagenet)  # raises, naming the alternatives
    image = keras.Input((image_size, image_size, 3), name="image")
    scaled = keras.layers.Rescaling(list(scale), list(offset), name="scaling")(image)
    features = spec.backbone(scaled, weights=weights, filters=list(filters or []))
    pool = keras.layers.Flatten if spec.pool == "flatten" else keras.layers.GlobalAveragePooling2D
    return keras.Model(image, pool(name="pool")(features), name=model)


def head(width: int, *, classes: int, head_units: int, dropout: float, normalise: bool) -> Any:
    """Keras model: embedding (N, width) -> probabilities, (N, 1) by sigmoid for two classes, else (N, classes).

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
    """The same layers up to `logits`, before sigmoid or softmax: what losses and Grad-CAM need."""
    import keras

    return keras.Model(model.input, model.get_layer("logits").output, name=f"{model.name}_logits")


def both_classes(output: np.ndarray) -> np.ndarray:
    """(N, 1) sigmoid output to (N, 2) probabilities of class 0 and 1; (N, K) is returned as float32."""
    output = np.asarray(output, np.float32)
    return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output


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
    x = keras.layers.Dense(1 if classes == 2 else classes, name="logits")(x)
    return keras.layers.Activation("sigmoid" if classes == 2 else "softmax", name="probabilities")(x)
