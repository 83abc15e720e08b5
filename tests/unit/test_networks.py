"""Every network of the zoo: its published size, flat and named, saved and read back, trainable to its last weight."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

from leukstudy.explain.gradcam import gradcam, last_feature_layer
from leukstudy.models import saved
from leukstudy.models.backend import seed_everything, tensorflow
from leukstudy.models.network import classifier, embedder, logits_model
from leukstudy.study.zoo import ZOO, model_spec

SIZE, FILTERS = 32, [4, 8]
CLASSES = ["healthy", "ALL", "AML"]

# Without the 1000-class top, batch normalisation's running statistics counted: what keras.applications documents. The two
# that are not there: torchvision's 21,797,672 less the top's 513,000 (it counts what is trained), and TensorFlow's release.
PUBLISHED = {
    "densenet169": 12_642_880,
    "densenet201": 18_321_984,
    "vgg16": 14_714_688,
    "resnet50": 23_587_712,
    "mobilenet_v2": 2_257_984,
    "efficientnet_b3": 10_783_535 - 7,  # Keras' own scaling has seven
    "efficientnet_lite0": 4_694_024 - 1_281_000,
}
# By hand: 3 x 3 kernels, biases; and for squeeze-and-excitation two dense layers of min(4, width / 16) units.
OWN = {
    "cnn": 3 * 9 * 4 + 4 + 4 * 9 * 8 + 8,
    "cnn-se": 408 + (4 * 4 + 4 + 4 * 4 + 4) + (8 * 4 + 4 + 4 * 8 + 8),
    "hybrid_vit": (
        sum(9 * a * b + 4 * b for a, b in ((3, 32), (32, 64), (64, 128)))  # the stem and its batch normalisation
        + 128 * 128 + 128 + (SIZE // 8) ** 2 * 128  # tokens and their places
        + 6 * (4 * 128 + 4 * 128**2 + (128 * 512 + 512) + (512 * 128 + 128)) + 2 * 128  # the encoder
        + 128 * 256 + 4 * 256  # the last convolution
    ),
}  # fmt: skip
# What Grad-CAM reads.
LAST = {
    "cnn": "block2_relu", "cnn-se": "block2_relu", "resnet34": "conv5_block3_out", "densenet169": "relu",
    "densenet201": "relu", "vgg16": "block5_conv3", "resnet50": "conv5_block3_out", "mobilenet_v2": "out_relu",
    "efficientnet_b3": "top_activation", "efficientnet_lite0": "head_relu6", "hybrid_vit": "head_relu",
}  # fmt: skip
ALL = list(LAST)


def settings(name):
    return SimpleNamespace(
        model=name.removesuffix("-se"), mode="scratch", seed=0, weights="none", scaling="imagenet", image_size=SIZE,
        filters=FILTERS, squeeze_excite=name.endswith("-se"), head_units=0, dropout=0.5, batch_size=4,
    )  # fmt: skip


def build(name, seed=0):
    seed_everything(seed)
    own = settings(name)
    backbone = embedder(
        own.model, weights="none", scaling=own.scaling, image_size=SIZE, filters=FILTERS,
        squeeze_excite=own.squeeze_excite,
    )  # fmt: skip
    return classifier(backbone, classes=3, head_units=0, dropout=0.5, normalise=False)


@functools.cache
def once(name):
    return build(name)


def images(count=3, size=SIZE):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def test_the_list_is_the_zoo():
    networks = {name for name, spec in ZOO.items() if spec.kind == "network"}
    assert {name.removesuffix("-se") for name in ALL} == networks


@pytest.mark.parametrize("name", ALL)
def test_size_shape_and_names(name):
    model = once(name)
    width = model.get_layer("pool").output.shape[1]
    backbone = model.count_params() - (width + 1) * 3
    if name in PUBLISHED | OWN:
        assert backbone == (PUBLISHED | OWN)[name]
    else:
        assert name == "resnet34"
        trained = sum(np.prod(weight.shape) for weight in model.trainable_weights)
        assert trained - (width + 1) * 3 == 21_797_672 - 513_000
    spec = model_spec(name.removesuffix("-se"))
    assert width == (spec.embedding_width or FILTERS[-1] * (SIZE // 4) ** 2)
    assert model.output_shape == (None, 3)
    assert not any(hasattr(layer, "layers") for layer in model.layers), "nested sub-model"
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    # Keras' own name for a layer is its class; these three are names that people gave.
    numbered = {
        "conv2d",
        "zero_padding2d",
        "rescaling",
        "normalization",
        "dense",
        "activation",
        "add",
        "re_lu",
        "bgr",
    }
    assert not [own for own in names if own.rstrip("0123456789").rstrip("_") in numbered]


def test_stages_of_resnet34():
    seed_everything(0)
    network = embedder("resnet34", weights="none", scaling="imagenet", image_size=224)
    found = [
        network.get_layer(f"conv{n}_block{b}_out").output.shape[1:]
        for n, b in ((2, 3), (3, 4), (4, 6), (5, 3))
    ]
    assert network.get_layer("conv1_relu").output.shape[1:] == (112, 112, 64)
    assert found == [(56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]
    convolutions = [
        layer for layer in network.layers if layer.name.endswith("_conv") and "_0_" not in layer.name
    ]
    assert len(convolutions) + 1 == 34  # and the top


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("densenet201", "efficientnet_b3") else name
        for name in ALL
    ],
)
def test_equal_seeds_equal_bytes_and_back(name, tmp_path):
    model, given = once(name), settings(name)
    for one, two in zip(model.get_weights(), build(name).get_weights(), strict=True):
        assert one.tobytes() == two.tobytes()
    saved.save(model, tmp_path, settings=given, classes=CLASSES, columns=[])
    back = saved.load(tmp_path)
    assert np.array_equal(back.predict(images()), model(images().astype(np.float32), training=False).numpy())


def test_equal_files_of_a_transformer(tmp_path):
    for folder in ("one", "two"):
        saved.save(
            build("hybrid_vit"),
            tmp_path / folder,
            settings=settings("hybrid_vit"),
            classes=CLASSES,
            columns=[],
        )
    one, two = ((tmp_path / folder / "model.weights.h5").read_bytes() for folder in ("one", "two"))
    assert one == two
    assert not np.array_equal(
        build("hybrid_vit", seed=1).get_weights()[0], once("hybrid_vit").get_weights()[0]
    )


@pytest.mark.parametrize("name", ALL)
def test_a_gradient_reaches_every_weight(name):
    tf = tensorflow()
    model = once(name)
    pixels = images().astype(np.float32)
    logits = logits_model(model)
    with tf.GradientTape() as tape:
        # In inference mode: normalised by its own batch, a convolution's bias would have no effect.
        loss = tf.reduce_sum(tf.square(logits(pixels, training=False) - tf.constant([[1.0, 2.0, 3.0]])))
    variables = [weight.value for weight in model.trainable_weights]
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, variables), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient.numpy()).all() and np.abs(gradient.numpy()).max() > 0, weight.path


@pytest.mark.parametrize("name", ALL)
def test_gradcam_reads_the_last_map(name):
    import keras

    whole = once(name)
    backbone = keras.Model(whole.input, whole.get_layer("pool").output, name=name)
    model = classifier(backbone, classes=2, head_units=0, dropout=0.0, normalise=False)
    assert last_feature_layer(model) == LAST[name]
    heat = gradcam(model, np.repeat(images(1, 40), 2, axis=0), np.arange(2))
    assert heat.shape == (2, 40, 40) and np.isfinite(heat).all()
    assert heat.max() == 1, "what speaks against one of two classes speaks for the other"


@pytest.mark.parametrize(
    "name",
    [
        "cnn-se",
        "resnet34",
        "mobilenet_v2",
        "hybrid_vit",
        pytest.param("efficientnet_b3", marks=pytest.mark.slow),
    ],
)
def test_onnx_is_the_same_network(name):
    model, pixels = once(name), images().astype(np.float32)
    assert np.allclose(through_onnx(model, pixels), model(pixels, training=False).numpy(), atol=1e-4)


def test_channels_are_exchanged_in_onnx_too():
    import keras

    from leukstudy.models.layers import BGR

    start = keras.Input((SIZE, SIZE, 3), name="image")
    pixels = images().astype(np.float32)
    assert np.array_equal(through_onnx(keras.Model(start, BGR(name="bgr")(start)), pixels), pixels[..., ::-1])


def through_onnx(model, pixels):
    import onnxruntime
    import tf2onnx

    tf = tensorflow()
    signature = [tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="image")]
    traced = tf.function(
        lambda image: model(image, training=False), input_signature=signature, jit_compile=False
    )
    proto, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=17)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pixels})[0]
