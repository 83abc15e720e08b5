"""What a study needs of a GPU: the same numbers twice, the CPU's numbers, and bfloat16 where it is set.

Every test also runs on the CPU, so that it is known to work where there is no GPU.
"""

import os
from contextlib import nullcontext

import numpy as np
import pytest
from ruamel.yaml import YAML

from leukstudy.explain.gradcam import gradcam
from leukstudy.models import backend, embed, modes
from leukstudy.models.backend import precision, seed_everything, tensorflow
from leukstudy.models.fit import Fit, fit
from leukstudy.models.network import classifier, embedder
from leukstudy.study import paths
from leukstudy.study.experiments import NetworkSettings, completed

DEFAULTS = YAML(typ="safe").load(paths.PARAMS.read_text(encoding="utf-8"))["defaults"]
LITE0 = {"weights": "imagenet", "scaling": "imagenet", "image_size": 64}
CNN = {"model": "cnn", "filters": [4, 8], "scaling": "unit", "image_size": 16}
OFF = {name: type(value)(0) for name, value in DEFAULTS["network"]["augment"].items()}
ON = OFF | {"flip": True, "rotate": True, "zoom": 0.1, "brightness": 0.1}


def settings(**own):
    """A small experiment, a CNN where nothing else is said."""
    small = {
        "like": "network",
        "task": "detection",
        "seeds": [3],
        "epochs": 3,
        "batch_size": 8,
        "augment": OFF,
    }
    network = {} if "model" in own else CNN
    return NetworkSettings(**completed("test", small | {"learning_rate": 5e-3} | network | own, DEFAULTS))


def smears(count=60):
    """Grey noise, of which every second image has a bright corner: arguments of `fit`."""
    images = np.random.default_rng(0).integers(80, 120, (count, 16, 16, 3)).astype(np.uint8)
    images[1::2, :8, :8] += 100
    split = np.array((["train"] * 4 + ["val", "test"]) * (count // 6))
    return {"images": images, "y": np.arange(count) % 2, "split": split, "classes": ["c0", "c1"]}


def noise(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3)).astype(np.uint8)


def quiet(line):
    assert line


@pytest.fixture(autouse=True, params=["CPU", pytest.param("GPU", marks=pytest.mark.gpu)])
def device(request, monkeypatch):
    """The one device that a test's networks run on; a GPU is TensorFlow's own choice, as in a study."""
    monkeypatch.setattr(modes, "several_devices", lambda: None)
    with on_cpu() if request.param == "CPU" else nullcontext():
        yield request.param


@pytest.fixture
def bfloat16(device, monkeypatch):
    """Mixed precision, which the study leaves out without a GPU; held to AVX2, a CPU has no such convolution."""
    if device == "CPU" and os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
        pytest.skip("the pins leave the CPU no convolution in bfloat16 (LEUKSTUDY_UNPINNED=1 lets it try)")
    monkeypatch.setattr(backend, "has_gpu", lambda: True)


def on_cpu():
    return tensorflow().device("CPU:0")


def assert_same_bytes(fits: tuple[Fit, Fit]) -> None:
    first, second = (
        [fitted.probabilities, fitted.history.to_numpy(), *fitted.model.get_weights()] for fitted in fits
    )
    assert [array.tobytes() for array in first] == [array.tobytes() for array in second]


def test_training_repeats_to_the_byte():
    assert_same_bytes(tuple(fit(settings(augment=ON), **smears(), say=quiet) for _ in range(2)))


def test_training_in_bfloat16_repeats_to_the_byte(bfloat16):
    chosen = settings(augment=ON, mixed_precision=True)
    assert_same_bytes(tuple(fit(chosen, **smears(), say=quiet) for _ in range(2)))


def test_fine_tuning_repeats_to_the_byte(tmp_path):
    chosen = settings(
        model="efficientnet_lite0", **LITE0, mode="fine_tune", unfreeze="block15_expand_conv", head_epochs=1, epochs=1
    )  # fmt: skip
    assert_same_bytes(tuple(fit(chosen, **smears(), cache=tmp_path, say=quiet) for _ in range(2)))


def test_a_killed_training_ends_with_the_same_bytes(tmp_path, capfd):
    chosen = settings(augment=ON | {"mixup": 0.2}, optimiser="adamw", weight_decay=0.01, dropout=0.5)

    def kill(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(chosen, **smears(), state=tmp_path, say=quiet, watch=kill)
    resumed = fit(chosen, **smears(), state=tmp_path, say=quiet)
    assert "goes on after epoch 1" in capfd.readouterr().err
    assert_same_bytes((fit(chosen, **smears(), say=quiet), resumed))


def test_mixed_precision_computes_in_bfloat16(bfloat16):
    plain, mixed = (fit(settings(mixed_precision=on), **smears(), say=quiet) for on in (False, True))
    layers = [fitted.model.get_layer("block2_conv") for fitted in (plain, mixed)]
    assert [layer.compute_dtype for layer in layers] == ["float32", "bfloat16"]
    assert [layer.kernel.dtype for layer in layers] == ["float32", "float32"]
    assert not np.array_equal(plain.history["loss"], mixed.history["loss"])
    np.testing.assert_allclose(mixed.history["loss"][0], plain.history["loss"][0], rtol=0.1)


def test_embeddings_equal_those_of_a_study_without_a_gpu(monkeypatch):
    embedded = embed.embed(noise(), model="efficientnet_lite0", **LITE0)
    monkeypatch.setattr(embed, "has_gpu", lambda: False)
    monkeypatch.setattr(embed, "WORTH_CONVERTING", 0)  # ONNX Runtime, as for a study's many images
    expected = embed.embed(noise(), model="efficientnet_lite0", **LITE0)
    np.testing.assert_allclose(embedded, expected, rtol=0, atol=1e-3)


def test_embeddings_are_float32_in_a_training_of_mixed_precision():
    """They are cached for every experiment, whatever its precision."""
    plain = embed.embed(noise(), model="efficientnet_lite0", **LITE0)
    with precision("mixed_bfloat16"):
        within = embed.embed(noise(), model="efficientnet_lite0", **LITE0)
    assert within.dtype == np.float32
    assert np.array_equal(within, plain)


def test_gradcam_equals_the_cpus():
    seed_everything(0)
    backbone = embedder("efficientnet_lite0", **LITE0)
    model = classifier(backbone, classes=2, head_units=0, dropout=0.0, normalise=False)
    heat = gradcam(model, noise(), 1)
    with on_cpu():
        expected = gradcam(model, noise(), 1)
    assert expected.max() == 1
    np.testing.assert_allclose(heat, expected, rtol=0, atol=1e-3)


def test_a_strategy_over_one_device_trains_the_same_model(monkeypatch, device):
    chosen = settings(augment=OFF, dropout=0.0, optimiser="adamw", weight_decay=0.01, clip_norm=1.0)
    plain = fit(chosen, **smears(), say=quiet)
    strategy = tensorflow().distribute.MirroredStrategy([f"{device}:0"])
    monkeypatch.setattr(modes, "several_devices", lambda: strategy)
    mirrored = fit(chosen, **smears(), say=quiet)
    np.testing.assert_allclose(mirrored.history, plain.history, rtol=0, atol=1e-5)
    np.testing.assert_allclose(mirrored.probabilities, plain.probabilities, rtol=0, atol=1e-5)
