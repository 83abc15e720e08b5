"""The engine's graph computes what Keras computes, in the form that ONNX Runtime fuses, and the same in any number of threads."""

import keras
import numpy as np
import onnx
import pytest

from leukstudy.imaging import workers
from leukstudy.models import onnx_engine
from leukstudy.models.backend import seed_everything

SIZE = 16


@pytest.fixture(scope="module")
def images():
    return np.stack(
        [np.random.default_rng(i).integers(0, 40 + 36 * i, (SIZE, SIZE, 3)) for i in range(7)]
    ).astype(np.uint8)


def network():
    """Scaling, a depthwise block, and a transition of DenseNet, with statistics that no fold can ignore."""
    seed_everything(0)
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling([1 / 60, 1 / 61, 1 / 62], [-2.0, -1.9, -1.8], name="scaling")(image)
    x = layers.Conv2D(16, 3, 2, padding="same", use_bias=False, name="stem")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6.0, name="relu6")(layers.BatchNormalization(name="bn")(x))
    x = layers.Concatenate(name="concat")([x, layers.Conv2D(16, 3, padding="same", name="grow")(x)])
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="pre_bn")(x))
    x = layers.AveragePooling2D(2, name="half")(layers.Conv2D(16, 1, name="transition")(x))
    x = layers.Normalization(name="standardise")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, x, name="small")
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if "bn" in layer.name:
            shapes = [w.shape for w in layer.weights]
            layer.set_weights([rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes])
    standardise = model.get_layer("standardise")
    standardise.adapt(rng.normal(1, 3, (50, 16)).astype(np.float32))
    return model


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def proto(model):
    return onnx_engine.convert(model)


@pytest.fixture(scope="module")
def run(proto, tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / "small.onnx"
    path.write_bytes(proto.SerializeToString())
    return onnx_engine.runner(path)


def test_equals_keras(model, run, images):
    expected = model(images.astype(np.float32), training=False).numpy()
    assert np.abs(run(images) - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.median(expected.std(axis=0)) > 1e-2, (
        "the images cannot be told apart: the test would prove nothing"
    )


def test_graph_has_the_form_that_fuses(proto):
    nodes = proto.graph.node
    kinds = [node.op_type for node in nodes]
    assert kinds[:3] == ["Cast", "Mul", "Add"], "scaling runs over planes"
    assert "Transpose" not in kinds
    assert [given.name for given in proto.graph.input] == ["image"]
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_a_second_conversion_computes_the_same_bits(run, images, tmp_path):
    path = tmp_path / "again.onnx"
    path.write_bytes(onnx_engine.convert(network()).SerializeToString())
    assert onnx_engine.runner(path)(images).tobytes() == run(images).tobytes()


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_neither_threads_nor_batches_change_a_bit(run, images, monkeypatch, step):
    whole = run(images)
    monkeypatch.setattr(onnx_engine, "PIXELS", step * SIZE**2)
    for threads in (1, 2, 5):
        monkeypatch.setattr(workers, "cores", lambda threads=threads: threads)
        parts = onnx_engine.in_threads(lambda part: run(images[part]), len(images), SIZE)
        assert parts.tobytes() == whole.tobytes()


def test_slices_cover_all_images_once_and_in_order(monkeypatch):
    monkeypatch.setattr(onnx_engine, "PIXELS", 3 * 100)
    seen = onnx_engine.in_threads(lambda part: np.arange(100)[part], 10, 10)
    assert seen.tolist() == list(range(10))
    sizes = onnx_engine.in_threads(lambda part: np.array([part.stop - part.start]), 10, 10)
    assert sizes.tolist() == [3, 3, 3, 1]
    assert onnx_engine.in_threads(lambda part: np.array([part.start]), 3, 1000).tolist() == [0, 1, 2]


def test_a_failing_slice_stops_the_rest():
    started = []

    def work(part):
        started.append(part.start)
        raise ValueError("damaged image")

    with pytest.raises(ValueError, match="damaged image"):
        onnx_engine.in_threads(work, 100_000, 1000)
    assert len(started) < 100_000
