"""Networks from keras.applications give Keras' own numbers for Keras' own weights, scaling and all.

There is no network in a test, so the 'published' file is one of random numbers that Keras is told it has downloaded.
"""

import numpy as np
import pytest

from leukstudy.models.backend import seed_everything, tensorflow
from leukstudy.models.network import embedder
from leukstudy.study.zoo import model_spec

FAMILIES = {
    "densenet169": ("DenseNet169", "densenet"),
    "densenet201": ("DenseNet201", "densenet"),
    "vgg16": ("VGG16", "vgg16"),
    "resnet50": ("ResNet50", "resnet50"),
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "efficientnet_b3": ("EfficientNetB3", "efficientnet"),
}
SLOW = [pytest.param("densenet201", marks=pytest.mark.slow)]


def randomised(constructor):
    """The network with statistics and scales that are not all 0 and 1."""
    import keras

    seed_everything(3)
    network = getattr(keras.applications, constructor)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    rng = np.random.default_rng(3)
    for layer in network.layers:
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            shape = layer.gamma.shape
            mean, variance = rng.normal(0, 0.1, shape), rng.uniform(0.5, 1.5, shape)
            layer.set_weights([rng.uniform(0.8, 1.2, shape), rng.normal(0, 0.1, shape), mean, variance])
        elif (
            kind == "Normalization"
        ):  # as the published file has it: Keras divides by the deviation's root twice
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
            layer.finalize_state()
    return network


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "densenet201"] + SLOW)
def test_imagenet_is_what_keras_computes(name, tmp_path, monkeypatch):
    tensorflow()
    import keras
    from keras.src.utils import file_utils

    constructor, module = FAMILIES[name]
    path, asked = tmp_path / "published.weights.h5", []
    reference = randomised(constructor)
    reference.save_weights(path)

    def downloaded(file, origin, cache_subdir="", file_hash=None):
        asked.append(f"md5:{file_hash}" if file_hash else f"name:{file}")
        return str(path)

    monkeypatch.setattr(file_utils, "get_file", downloaded)
    ours = embedder(name, weights="imagenet", scaling="imagenet", image_size=32)
    assert asked == [model_spec(name).imagenet]
    if name == "efficientnet_b3":  # has a layer more with published weights
        reference = keras.applications.EfficientNetB3(
            include_top=False, weights="imagenet", input_shape=(32, 32, 3), pooling="avg"
        )
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    own = getattr(keras.applications, module).preprocess_input(pixels.copy())
    expected = reference(own, training=False).numpy()
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(ours(pixels, training=False).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("mobilenet_v2", "keras"),
        ("mobilenet_v2", "ours"),
        pytest.param("efficientnet_b3", "keras", marks=pytest.mark.slow),
        pytest.param("efficientnet_b3", "ours", marks=pytest.mark.slow),
    ],
)
def test_weights_from_a_file_of_keras_or_of_ours(name, whose, tmp_path):
    tensorflow()
    path = tmp_path / "own.weights.h5"
    source = randomised(FAMILIES[name][0])
    if whose == "ours":
        source = embedder(name, weights="none", scaling="unit", image_size=32)
    source.save_weights(path)
    ours = embedder(name, weights=str(path), scaling="unit", image_size=32)
    kernels = [
        [w.numpy() for w in network.weights if w.path.endswith("kernel")] for network in (source, ours)
    ]
    assert len(kernels[0]) > 50
    assert all(np.array_equal(one, two) for one, two in zip(*kernels, strict=True))
