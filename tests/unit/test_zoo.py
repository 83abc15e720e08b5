"""The model zoo as data: every entry builds what it says; wrong names are told what they should have been."""

import subprocess
import sys

import numpy as np
import pytest

from leukstudy.models.network import classifier, embedder, scaling_of
from leukstudy.models.weights import BadWeights, MissingWeights
from leukstudy.models.zoo import ZOO, UnknownModel, model_spec

NETWORKS = sorted(spec.name for spec in ZOO.values() if spec.kind == "network")


def build(name, size, filters=(4, 8), **kwargs):
    return embedder(
        name, weights="none", scaling="imagenet", image_size=size, filters=list(filters), **kwargs
    )


def test_every_entry_says_where_it_comes_from():
    for name, spec in ZOO.items():
        assert spec.name == name
        assert spec.citation and spec.licence
        assert (spec.backbone is None) == (spec.kind == "classical")
    assert set(ZOO) >= {"logistic", "forest", "cnn", "densenet201", "efficientnet_lite0"}


def test_unknown_model_names_the_nearest_and_all():
    with pytest.raises(UnknownModel, match=r"Did you mean 'densenet201'\?.*efficientnet_lite0"):
        model_spec("densnet201")
    with pytest.raises(UnknownModel, match="Known models: cnn"):
        model_spec("zzz")
    with pytest.raises(UnknownModel, match="classical model where a network"):
        model_spec("logistic", kind="network")


def test_importing_the_zoo_and_training_leaves_tensorflow_alone():
    code = "import sys, leukstudy.models.train, leukstudy.explain.gradcam; print('tensorflow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name", ["cnn", "efficientnet_lite0", pytest.param("densenet201", marks=pytest.mark.slow)]
)
def test_networks_are_flat_and_named_alike_every_time(name):
    built = [
        classifier(build(name, 32), classes=3, head_units=4, dropout=0.5, normalise=False) for _ in range(2)
    ]
    names = [[layer.name for layer in model.layers] for model in built]
    assert names[0] == names[1]
    assert {"image", "scaling", "pool", "head_dense", "logits", "probabilities"} <= set(names[0])
    assert not any(hasattr(layer, "layers") for layer in built[0].layers), "nested sub-model"
    assert built[0].output_shape == (None, 3)
    spec = model_spec(name)
    if spec.embedding_width:
        assert built[0].get_layer("pool").output.shape[1] == spec.embedding_width
    if name == "densenet201":
        # keras.applications gives 18,321,984 for DenseNet201 without its top.
        head = (1920 + 1) * 4 + (4 + 1) * 3
        assert built[0].count_params() == 18_321_984 + head
        assert built[0](np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 3)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scaling", ["unit", "imagenet"])
def test_scalings_cover_the_range(name, scaling):
    scale, offset = scaling_of(model_spec(name), scaling)
    low, high = np.array(offset), 255 * np.array(scale) + np.array(offset)
    if scaling == "unit":
        assert np.allclose(low, 0) and np.allclose(high, 1)
    else:
        assert (low < 0).all() and (high > 0.9).all() and (high < 3).all()


def test_densenet_scaling_is_keras_own():
    import keras

    scale, offset = scaling_of(model_spec("densenet201"), "imagenet")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)).astype(np.float32)
    assert np.allclose(
        pixels * np.array(scale) + np.array(offset),
        keras.applications.densenet.preprocess_input(pixels.copy()),
        atol=1e-5,
    )


def test_what_does_not_fit_is_told_what_would():
    with pytest.raises(ValueError, match=r"unknown scaling 'torch', expected one of \['imagenet', 'unit'\]"):
        scaling_of(model_spec("cnn"), "torch")
    with pytest.raises(ValueError, match=r"3 blocks .* do not fit 4 px"):
        build("cnn", 4, filters=(4, 4, 4))
    with pytest.raises(ValueError, match="below 32"):
        build("densenet201", 16)
    with pytest.raises(MissingWeights, match="no ImageNet weights"):
        embedder("cnn", weights="imagenet", scaling="unit", image_size=8, filters=[4])


def test_weights_from_a_path(tmp_path):
    source = build("cnn", 16)
    source.save_weights(tmp_path / "own.weights.h5")
    again = embedder(
        "efficientnet_lite0", weights="none", scaling="unit", image_size=16
    )  # another network in between
    assert again.output_shape == (None, 1280)
    with pytest.raises(MissingWeights, match="no weights file at"):
        embedder("efficientnet_lite0", weights=str(tmp_path / "gone.h5"), scaling="unit", image_size=32)
    with pytest.raises(BadWeights, match="does not fit efficientnet_lite0"):
        embedder(
            "efficientnet_lite0", weights=str(tmp_path / "own.weights.h5"), scaling="unit", image_size=32
        )
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(BadWeights, match=r"not '\.txt' files"):
        embedder("efficientnet_lite0", weights=str(tmp_path / "notes.txt"), scaling="unit", image_size=32)


def test_failed_download_names_the_alternatives(monkeypatch):
    import keras

    def no_network(*args, **kwargs):
        raise OSError("URL fetch failure: name resolution failed")

    monkeypatch.setattr(keras.applications, "DenseNet201", no_network)
    with pytest.raises(MissingWeights, match=r"name resolution failed.*weights: none.*efficientnet_lite0"):
        embedder("densenet201", weights="imagenet", scaling="imagenet", image_size=32)
