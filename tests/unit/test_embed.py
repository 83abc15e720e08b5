"""Embeddings: equal to Keras, cached by what they are made from, and never trusted when damaged."""

import numpy as np
import pytest

from leukstudy.imaging.resize import resize_all
from leukstudy.models import embed as module
from leukstudy.models.embed import check_images, embed
from leukstudy.models.network import embedder

SIZE = 32


@pytest.fixture(scope="module", autouse=True)
def converted():
    """ONNX Runtime for a handful of images too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORTH_CONVERTING", 0)
        yield


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 48, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="module")
def embedded(images, cache):
    return embed(images, model="efficientnet_lite0", image_size=SIZE, cache=cache, batch=2)


def again(images, cache, **changes):
    return embed(images, **{"model": "efficientnet_lite0", "image_size": SIZE, "cache": cache} | changes)


def test_onnx_equals_keras(images, embedded):
    network = embedder("efficientnet_lite0", weights="imagenet", scaling="imagenet", image_size=SIZE)
    expected = network(resize_all(images, SIZE).astype(np.float32), training=False).numpy()
    assert embedded.dtype == np.float32 and embedded.shape == (5, 1280)
    assert np.abs(embedded - expected).max() < 1e-4
    assert embedded.std() > 0.05


def test_a_few_images_are_not_worth_a_conversion(images, embedded, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "WORTH_CONVERTING", 5 * SIZE**2 + 1)
    few = embed(images, model="efficientnet_lite0", image_size=SIZE, cache=tmp_path)
    assert not list(tmp_path.glob("backbone-*"))
    assert np.abs(few - embedded).max() < 1e-4
    monkeypatch.setattr(module, "WORTH_CONVERTING", 5 * SIZE**2)
    embed(images, model="efficientnet_lite0", image_size=SIZE, cache=tmp_path / "other")
    assert list((tmp_path / "other").glob("backbone-*"))


def test_a_network_whose_sums_depend_on_the_processor_is_left_to_tensorflow(images, tmp_path):
    embed(images, model="resnet34", weights="none", image_size=SIZE, cache=tmp_path)
    assert not list(tmp_path.glob("backbone-*"))


def test_second_call_reads_the_cache(images, embedded, cache, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(module.onnx_engine, "in_threads", never)
    assert np.array_equal(again(images, cache), embedded)
    changed = images.copy()
    changed[4, 39, 47, 2] ^= 1
    with pytest.raises(AssertionError, match="computed again"):
        again(changed, cache)
    with pytest.raises(AssertionError, match="computed again"):
        again(images[::-1], cache)


@pytest.mark.parametrize("damage", ["cut", "bit", "no note", "bad note"])
def test_damaged_entry_is_made_again(images, embedded, cache, damage):
    (path,) = cache.glob("embedding-*.npy")
    note = path.with_name(path.name + ".json")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-100])
    elif damage == "bit":
        data[-5] ^= 1
        path.write_bytes(data)
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text("[]")
    assert np.array_equal(again(images, cache), embedded)
    assert np.array_equal(np.load(path), embedded)
    assert not list(cache.glob(".*")), "a temporary file was left"


def test_damaged_backbone_is_exported_again(images, embedded, cache):
    (backbone,) = cache.glob("backbone-*.onnx")
    backbone.write_bytes(backbone.read_bytes()[:1000])
    for path in cache.glob("embedding-*"):
        path.unlink()
    assert np.array_equal(again(images, cache), embedded), "a second conversion computes something else"
    assert backbone.stat().st_size > 1_000_000


def test_an_interrupted_write_leaves_nothing_to_trust(images, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        module.onnx_engine, "runner", lambda path: lambda batch: np.ones((len(batch), 4), np.float32)
    )
    monkeypatch.setattr(module, "export_onnx", lambda path, **kwargs: None)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            again(images, tmp_path)
    assert not list(tmp_path.iterdir())
    assert again(images, tmp_path).shape == (5, 4)


def test_memory_mapped_images_and_none(images, embedded, cache, tmp_path):
    np.save(tmp_path / "images.npy", images)
    assert np.array_equal(again(np.load(tmp_path / "images.npy", mmap_mode="r"), cache), embedded)
    assert again(images[:0], cache).shape == (0, 1280)


def test_resize_keeps_type_and_means():
    flat = np.full((2, 50, 70, 3), (10, 100, 200), np.uint8)
    for size in (20, 60, 200):
        small = resize_all(flat, size)
        assert small.shape == (2, size, size, 3) and small.dtype == np.uint8
        assert (small == (10, 100, 200)).all()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        [1],
    ],
)
def test_images_of_another_form(bad):
    with pytest.raises(ValueError, match=r"expected \(N, H, W, 3\) uint8 RGB"):
        check_images(bad)
