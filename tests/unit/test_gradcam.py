"""Grad-CAM where the answer is known: the heat lies on the patch that makes the class."""

import numpy as np
import pytest

from leukstudy.explain.gradcam import gradcam, last_feature_layer
from leukstudy.models.backend import seed_everything
from leukstudy.models.network import classifier, embedder


def planted(classes=2):
    """A cnn whose logit k is the brightness of colour channel k, seen through its own convolutions."""
    seed_everything(0)
    backbone = embedder("cnn", weights="none", scaling="unit", image_size=32, filters=[3, 3])
    model = classifier(backbone, classes=classes, head_units=0, dropout=0.0, normalise=False)
    passes = np.zeros((3, 3, 3, 3), np.float32)
    passes[1, 1] = np.eye(3)  # every convolution hands each colour on
    for name in ("block1_conv", "block2_conv"):
        model.get_layer(name).set_weights([passes, np.zeros(3, np.float32)])
    cells = model.get_layer("pool").output.shape[1] // 3
    if classes == 2:  # red speaks for class 1, blue for class 0
        kernel = np.tile(np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]], np.float32), (cells, 1))
    else:
        kernel = np.tile(np.eye(3, dtype=np.float32), (cells, 1))
    model.get_layer("logits").set_weights([kernel, np.zeros(kernel.shape[1], np.float32)])
    return model


def patches():
    """Red patch top left, green patch top right, blue patch bottom right, on black; 64 px, larger than the network."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[4:20, 4:20, 0] = 255
    image[4:20, 44:60, 1] = 255
    image[44:60, 44:60, 2] = 255
    return image[None]


def share(heat, rows, columns):
    return float(heat[rows, columns].sum() / heat.sum())


TOP_LEFT, TOP_RIGHT, LOW_RIGHT = (
    (slice(0, 26), slice(0, 26)),
    (slice(0, 26), slice(38, 64)),
    (slice(38, 64),) * 2,
)


def test_heat_is_on_the_patch_of_a_binary_class():
    model = planted()
    assert last_feature_layer(model) == "block2_relu"
    for_one, for_zero = (gradcam(model, patches(), k)[0] for k in (1, 0))
    assert for_one.shape == (64, 64) and for_one.dtype == np.float32
    assert for_one.max() == 1 and for_one.min() >= 0
    assert share(for_one, *TOP_LEFT) > 0.95
    assert share(for_zero, *LOW_RIGHT) > 0.95


def test_heat_is_on_the_patch_of_each_of_three_classes():
    model, images = planted(3), np.repeat(patches(), 3, axis=0)
    heats = gradcam(model, images, np.arange(3), batch=2)
    for heat, place in zip(heats, (TOP_LEFT, TOP_RIGHT, LOW_RIGHT), strict=True):
        assert share(heat, *place) > 0.95


def test_gradient_is_of_the_logit_not_the_saturated_probability():
    model = planted()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel * 1000, bias + np.array([0, 1000])])
    assert float(model(patches()[:, ::2, ::2].astype(np.float32))[0, 1]) == 1.0
    assert share(gradcam(model, patches(), 1)[0], *TOP_LEFT) > 0.95


def test_no_evidence_gives_an_empty_map():
    assert gradcam(planted(), np.zeros((2, 32, 32, 3), np.uint8), 1).max() == 0
    assert gradcam(planted(), np.zeros((0, 32, 32, 3), np.uint8), 1).shape == (0, 32, 32)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("efficientnet_lite0", "head_relu6"), pytest.param("densenet201", "relu", marks=pytest.mark.slow)],
)
def test_deep_backbones(name, layer):
    seed_everything(0)
    backbone = embedder(name, weights="none", scaling="imagenet", image_size=64)
    model = classifier(backbone, classes=5, head_units=8, dropout=0.5, normalise=False)
    assert last_feature_layer(model) == layer
    images = np.random.default_rng(0).integers(0, 256, (5, 50, 70, 3)).astype(np.uint8)
    heat = gradcam(model, images, np.arange(5))
    assert heat.shape == (5, 50, 70) and np.isfinite(heat).all()
    assert 0 < heat.max() <= 1


def test_what_does_not_fit_is_said():
    model, images = planted(), patches()
    with pytest.raises(ValueError, match="classes 0 to 1"):
        gradcam(model, images, 2)
    with pytest.raises(ValueError, match=r"no layer of .* Default: block2_relu"):
        gradcam(model, images, 1, layer="conv5")
    with pytest.raises(ValueError, match=r"no layer of .* with a feature map"):
        gradcam(model, images, 1, layer="pool")
    with pytest.raises(ValueError, match="uint8"):
        gradcam(model, images / 255, 1)
