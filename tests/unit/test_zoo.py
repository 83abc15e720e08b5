"""The model zoo as data: every entry builds what it says; wrong names are told what they should have been."""

import subprocess
import sys

import numpy as np
import pytest

from leukstudy.models.network import embedder, scaling_of
from leukstudy.models.weights import BadWeights, MissingWeights
from leukstudy.study.zoo import ZOO, UnknownModel, model_spec

NETWORKS = sorted(spec.name for spec in ZOO.values() if spec.kind == "network")


def build(name, size, filters=(4, 8), **kwargs):
    return embedder(
        name, weights="none", scaling="imagenet", image_size=size, filters=list(filters), **kwargs
    )


def test_every_entry_says_what_it_is():
    for name, spec in ZOO.items():
        assert spec.name == name
        assert (spec.backbone is None) == (spec.kind == "classical")
        assert (spec.scalings is None) == (spec.kind == "classical")
        assert spec.takes or spec.kind == "network"
    papers = {
        "cnn",
        "resnet34",
        "densenet169",
        "densenet201",
        "vgg16",
        "resnet50",
        "mobilenet_v2",
        "efficientnet_b3",
    }
    classical = {"logistic", "tree", "forest", "svm", "boosting"}
    assert set(ZOO) == papers | classical | {"efficientnet_lite0", "hybrid_vit"}


def test_unknown_model_names_the_nearest_and_all():
    with pytest.raises(UnknownModel, match=r"Did you mean 'densenet201'\?.*efficientnet_lite0"):
        model_spec("densnet201")
    with pytest.raises(UnknownModel, match="Known models: boosting, cnn"):
        model_spec("zzz")
    with pytest.raises(UnknownModel, match="classical model where a network"):
        model_spec("logistic", kind="network")


def test_importing_the_zoo_and_training_leaves_tensorflow_alone():
    code = "import sys, leukstudy.models.fit, leukstudy.explain.gradcam; print('tensorflow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scaling", ["unit", "imagenet"])
def test_scalings_cover_the_range(name, scaling):
    scale, offset, order = scaling_of(model_spec(name), scaling)
    low, high = np.array(offset), 255 * np.array(scale) + np.array(offset)
    if scaling == "unit":
        assert np.allclose(low, 0) and np.allclose(high, 1) and order == "RGB"
    elif order == "BGR":
        assert np.allclose(high - low, 255) and (low < -100).all()
    else:
        assert (low < 0).all() and (high > 0.9).all() and (high < 3).all()


def test_what_does_not_fit_is_told_what_would():
    with pytest.raises(ValueError, match=r"unknown scaling 'torch', expected one of \['imagenet', 'unit'\]"):
        scaling_of(model_spec("cnn"), "torch")
    with pytest.raises(ValueError, match=r"3 blocks .* do not fit 4 px"):
        build("cnn", 4, filters=(4, 4, 4))
    with pytest.raises(ValueError, match="below 32"):
        build("densenet201", 16)
    for name in ("resnet34", "densenet169", "vgg16", "resnet50", "mobilenet_v2", "efficientnet_b3"):
        with pytest.raises(ValueError, match=rf"{name}: image_size 31 is below 32.*Set image_size to 32"):
            build(name, 31)
    with pytest.raises(ValueError, match="hybrid_vit: image_size 8 is below 16"):
        build("hybrid_vit", 8)
    with pytest.raises(ValueError, match="resnet34: squeeze_excite is a variant of cnn"):
        build("resnet34", 32, squeeze_excite=True)
    for name in ("cnn", "resnet34", "hybrid_vit"):
        with pytest.raises(MissingWeights, match="no ImageNet weights"):
            embedder(name, weights="imagenet", scaling="unit", image_size=32, filters=[4])


@pytest.mark.parametrize("name", ["cnn", "hybrid_vit"])
def test_weights_from_a_path(name, tmp_path):
    path = tmp_path / "own.weights.h5"
    source = build(name, 32)
    source.save_weights(path)
    again = embedder(name, weights=str(path), scaling="imagenet", image_size=32, filters=[4, 8])
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    assert np.array_equal(again(pixels), source(pixels))


def test_weights_that_cannot_be_used(tmp_path):
    path = str(tmp_path / "own.weights.h5")
    build("cnn", 32).save_weights(path)
    for name in NETWORKS:
        with pytest.raises(MissingWeights, match="no weights file at"):
            embedder(name, weights=str(tmp_path / "gone.h5"), scaling="unit", image_size=32, filters=[4])
    for name in ("efficientnet_lite0", "resnet34", "hybrid_vit", "vgg16", "mobilenet_v2"):
        with pytest.raises(BadWeights, match=f"does not fit {name}"):
            embedder(name, weights=path, scaling="unit", image_size=32)
    with pytest.raises(BadWeights, match="does not fit cnn with these filters"):
        embedder("cnn", weights=path, scaling="unit", image_size=32, filters=[4, 9])
    path = str(tmp_path / "other.weights.h5")
    build("hybrid_vit", 32).save_weights(path)
    with pytest.raises(BadWeights, match="does not fit hybrid_vit at 48 px"):
        embedder("hybrid_vit", weights=path, scaling="unit", image_size=48)
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(BadWeights, match=r"not '\.txt' files"):
        embedder("efficientnet_lite0", weights=str(tmp_path / "notes.txt"), scaling="unit", image_size=32)


def test_failed_download_names_the_alternatives(monkeypatch):
    from keras.src.utils import file_utils

    def no_network(*args, **kwargs):
        raise OSError("URL fetch failure: name resolution failed")

    monkeypatch.setattr(file_utils, "get_file", no_network)
    for name in ("mobilenet_v2", "vgg16"):
        with pytest.raises(
            MissingWeights, match=rf"{name}: .*resolution failed.*weights: none.*efficientnet_lite0"
        ):
            embedder(name, weights="imagenet", scaling="imagenet", image_size=32)
