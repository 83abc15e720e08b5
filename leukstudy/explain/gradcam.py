"""Grad-CAM (Selvaraju et al. 2017): where in the image a network finds its evidence for a class.

The gradient is that of the logit, not of the probability: a sure network's softmax is flat, its gradient
vanishes, and the map would be rounding noise exactly where the network is most certain.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from leukstudy.imaging.resize import resize_all
from leukstudy.models.backend import tensorflow
from leukstudy.models.embed import check_images

_FEATURE_LAYERS = (
    "Conv2D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "Activation",
    "ReLU",
    "BatchNormalization",
    "Add",
)


def gradcam(
    model: Any,
    images: np.ndarray,
    class_index: int | np.ndarray,
    layer: str | None = None,
    batch: int = 16,
) -> np.ndarray:
    """Heat maps (N, H, W) float32 in [0, 1], each scaled to its own maximum; all 0 where nothing speaks for the class.

    model: a flat Keras model of this study (`load(folder).model`). images: (N, H, W, 3) uint8 RGB of any size; the map
    has theirs. class_index: one class for all, or (N,) one each; of two classes
    the evidence is that for the one and against the other. layer: whose output is read; None takes `last_feature_layer`.

    Raises ValueError for a class, layer or model that does not fit.

    >>> heat = gradcam(trained.model, images, class_index=1)      # doctest: +SKIP
    """
    check_images(images)
    tensorflow()
    import keras

    if "logits" not in {own.name for own in model.layers}:
        raise ValueError(
            f"{model.name} has no layer 'logits': Grad-CAM reads this study's own flat networks."
        )
    logits = model.get_layer("logits").output
    name = layer or last_feature_layer(model)
    if name not in {own.name for own in model.layers} or len(model.get_layer(name).output.shape) != 4:
        raise ValueError(
            f"layer '{name}' is no layer of {model.name} with a feature map. Default: {last_feature_layer(model)}."
        )
    wanted = np.broadcast_to(np.asarray(class_index), (len(images),))
    classes = logits.shape[1]
    if len(wanted) and not (wanted.min() >= 0 and wanted.max() < classes):
        raise ValueError(
            f"class_index {class_index} is out of range: this model has classes 0 to {classes - 1}."
        )
    reader = keras.Model(model.input, [model.get_layer(name).output, logits], name="gradcam")
    size = model.input_shape[1]
    maps = np.zeros(images.shape[:3], np.float32)
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        coarse = _coarse_maps(reader, resize_all(images[part], size).astype(np.float32), wanted[part])
        for target, heat in zip(maps[part], coarse, strict=True):
            target[:] = _scaled(heat, images.shape[1:3])
    return maps


def last_feature_layer(model: Any) -> str:
    """Name of the last convolution or activation whose output is a map (4-D), before pooling or flattening."""
    for layer in reversed(model.layers):
        if type(layer).__name__ in _FEATURE_LAYERS and len(layer.output.shape) == 4:
            return layer.name
    raise ValueError(f"{model.name} has no convolution: Grad-CAM needs one.")


def _coarse_maps(reader: Any, inputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Class maps (n, h, w) in the feature map's own resolution, negative evidence cut off."""
    tf = tensorflow()
    with tf.GradientTape() as tape:
        features, logits = reader(inputs, training=False)
        score = tf.gather(logits, tf.constant(wanted, tf.int32), axis=1, batch_dims=1)
        if (
            logits.shape[1] == 2
        ):  # softmax sees their difference alone: what speaks against one speaks for the other
            score -= tf.gather(logits, tf.constant(1 - wanted, tf.int32), axis=1, batch_dims=1)
    gradient = tape.gradient(score, features)
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()


def _scaled(heat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    large = cv2.resize(heat, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    peak = float(large.max())
    return np.clip(large / peak, 0.0, 1.0) if peak > 0 else np.zeros(shape, np.float32)
