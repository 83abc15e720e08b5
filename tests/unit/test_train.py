"""Training networks: repeats to the byte, sees training rows only, stops where it should, loads what it saved."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML

from leukstudy.models import loop
from leukstudy.models.backend import tensorflow
from leukstudy.models.fit import fit, fit_seeds
from leukstudy.models.saved import load
from leukstudy.study import paths
from leukstudy.study.experiments import NetworkSettings, completed

OFF = {
    "flip": False, "rotate": False, "zoom": 0.0, "brightness": 0.0, "stain": 0.0, "blur": 0.0, "mixup": 0.0, "views": 0,
}  # fmt: skip
ON = OFF | {"flip": True, "rotate": True, "brightness": 0.1, "zoom": 0.1}
DEFAULTS = YAML(typ="safe").load(paths.PARAMS.read_text(encoding="utf-8"))["defaults"]


def settings(model="cnn", augment=OFF, **changes):
    """An experiment as params.yaml would give it, made small."""
    own = {
        "like": "network",
        "task": "detection",
        "model": model,
        "seeds": [3],
        "scaling": "unit",
        "image_size": 16,
    }
    own |= {
        "head_units": 8,
        "dropout": 0.2,
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "early_stopping": 0,
    }
    own |= {"schedule": "constant", "augment": augment} | ({"filters": [4, 8]} if model == "cnn" else {})
    return NetworkSettings(**completed("test", own | changes, DEFAULTS))


def smears(classes=2, count=60):
    """Grey noise; class k has a bright patch in its own corner."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % classes
    images = rng.integers(80, 120, (count, 16, 16, 3)).astype(np.uint8)
    for number, label in enumerate(y):
        top, left = divmod(int(label), 2)
        images[number, 8 * top : 8 * top + 8, 8 * left : 8 * left + 8] += 100
    split = np.array((["train"] * 4 + ["val"] + ["test"]) * (count // 6))
    return {"images": images, "y": y, "split": split, "classes": [f"c{k}" for k in range(classes)]}


def stained():
    """The same, each class without a colour of its own: where a patch lies, global average pooling hardly sees."""
    study = smears()
    for image, label in zip(study["images"], study["y"], strict=True):
        image[..., label] //= 4
    return study


def quiet(line):
    assert line


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_saves_and_loads(tmp_path, classes):
    study, lines = smears(classes), []
    found = fit(
        settings(epochs=15, augment=OFF | {"brightness": 0.1}),
        **study,
        say=lines.append,
    )
    test = study["split"] == "test"
    assert (found.probabilities.argmax(axis=1) == study["y"])[test].mean() > 0.9
    assert found.probabilities.shape == (60, classes) and found.probabilities.dtype == np.float32
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    assert list(found.history) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert found.history["epoch"].tolist() == list(range(1, 16))
    assert found.history["loss"].iloc[-1] < found.history["loss"].iloc[0]
    assert len(lines) == 15 and lines[0].startswith("epoch 1/15 loss ") and "val_acc" in lines[0]
    assert {"fit_s", "images_per_s", "epochs", "peak_memory_mb", "first_step_s"} <= set(found.cost)
    found.save(tmp_path)
    back = load(tmp_path)
    assert np.allclose(back.predict(study["images"]), found.probabilities, atol=1e-5)
    assert back.predict(study["images"][:0]).shape == (0, classes)


def test_same_fit_same_bytes_and_another_seed_other_bytes(tmp_path):
    study = smears()
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        found = fit(settings(seeds=[seed], augment=ON), **study, say=quiet)
        found.save(tmp_path / name)
        found.history.to_csv(tmp_path / name / "history.csv")
        np.save(tmp_path / name / "p.npy", found.probabilities)
    for file in ("model.weights.h5", "model.json", "history.csv", "p.npy"):
        one, two, three = ((tmp_path / name / file).read_bytes() for name in ("one", "two", "three"))
        assert one == two, file
        assert one != three, file


def test_test_rows_are_only_predicted(tmp_path):
    study = smears()
    one = fit(settings(early_stopping=2), **study, say=quiet)
    test = study["split"] == "test"
    study["images"] = np.where(test[:, None, None, None], 255 - study["images"], study["images"])
    study["y"] = np.where(test, 1 - study["y"], study["y"])
    two = fit(settings(early_stopping=2), **study, say=quiet)
    assert one.history.equals(two.history)
    assert np.array_equal(one.probabilities[~test], two.probabilities[~test])


LITE = {"model": "efficientnet_lite0", "weights": "imagenet", "scaling": "imagenet", "image_size": 64}


def test_frozen_backbone_trains_a_head_and_loads_whole(tmp_path):
    study = stained()
    chosen = settings(**LITE, mode="frozen", epochs=10, resample="smote")
    found = fit(chosen, **study, cache=tmp_path / "cache", say=quiet)
    assert (found.probabilities.argmax(axis=1) == study["y"])[study["split"] == "test"].mean() > 0.9
    found.save(tmp_path / "one")
    back = load(tmp_path / "one")
    assert np.abs(back.predict(study["images"]) - found.probabilities).max() < 1e-4
    assert not back.model.get_layer("stem_conv").trainable
    fit(chosen, **study, cache=tmp_path / "cache", say=quiet).save(tmp_path / "two")
    for file in ("model.weights.h5", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


class Scripted:
    """Stands in for `loop.Steps`: gives validation losses from a list, its weights are the epoch number."""

    def __init__(self, values):
        self.model = self
        self.rate, self._values, self._epoch = 0.1, values, 0
        self.output_shape = (None, 2)

    def train(self, inputs, labels, weights):
        self._epoch += 1
        return tensorflow().constant(1.0), tensorflow().constant(1)

    def predict(self, inputs):
        # A single row of class 0 with logits 0 and z has the loss log(1 + e^z).
        return tensorflow().constant([[0.0, np.log(np.expm1(self._values[self._epoch - 1]))]], "float32")

    def get_weights(self):
        return [self._epoch]

    def set_weights(self, epoch):
        self.restored = epoch[0]


def run(values, **changes):
    steps, lines = Scripted(values), []
    batch = (np.zeros((1, 1), np.float32), np.eye(2, dtype=np.float32)[:1], np.ones(1, np.float32))
    trace = loop.run_epochs(
        steps,
        settings(epochs=len(values), **changes),
        training=lambda epoch: [batch],
        batches=1,
        take=lambda rows: np.zeros((len(rows), 1), np.float32),
        y=np.zeros(1, int),
        validation=np.arange(1),
        say=lines.append,
    )
    return steps, trace.table(), lines


def test_early_stopping_puts_the_best_weights_back():
    steps, history, lines = run([0.5, 0.3, 0.4, 0.6, 0.2], early_stopping=2)
    assert history["val_loss"].round(3).tolist() == [0.5, 0.3, 0.4, 0.6]
    assert steps.restored == 2
    assert lines[-2:] == ["stopped early: no lower val_loss since epoch 2", "weights of epoch 2 put back"]
    steps, history, _ = run([0.5, 0.3, 0.4], early_stopping=7)
    assert len(history) == 3 and steps.restored == 2
    steps, history, _ = run([0.5, 0.3, 0.4], early_stopping=0)
    assert len(history) == 3 and not hasattr(steps, "restored")


def test_learning_rate_falls_on_a_plateau():
    _, history, _ = run(
        [0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4], schedule="plateau", plateau_patience=2, plateau_factor=0.5
    )
    assert history["lr"].round(4).tolist() == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]


def test_a_loss_that_is_no_number_ends_with_advice():
    with pytest.raises(loop.TrainingDiverged, match=r"epoch 2: val_loss is nan.*lower learning_rate"):
        run([0.5, float("nan")])


def test_without_validation_rows_it_trains_all_epochs():
    study = smears()
    study["split"] = np.where(study["split"] == "val", "train", study["split"])
    lines = []
    found = fit(settings(early_stopping=1, schedule="plateau", plateau_patience=1), **study, say=lines.append)
    assert len(found.history) == 3 and found.history["val_loss"].isna().all()
    assert "val_loss" not in lines[0]


def test_what_cannot_be_trained_is_said():
    study = smears()
    with pytest.raises(ValueError, match="works on embeddings"):
        settings(resample="smote")
    with pytest.raises(ValueError, match="needs a pretrained backbone"):
        fit(settings().model_copy(update={"mode": "frozen"}), **study, say=quiet)
    said = []
    with pytest.raises(ValueError, match="stem_convv"):
        fit(
            settings(**LITE, mode="fine_tune", unfreeze="stem_convv", head_epochs=1), **study, say=said.append
        )
    assert said == [], "before anything is embedded"
    study["images"] = study["images"] / 255
    with pytest.raises(ValueError, match="Do not scale them"):
        fit(settings(), **study, say=quiet)


def test_fine_tuning_starts_from_the_head_and_keeps_batch_normalisation(tmp_path):
    study = stained()
    chosen = settings(
        **LITE, mode="fine_tune", unfreeze="all", head_epochs=10, epochs=2, optimiser="adamw", weight_decay=0.01,
        learning_rate=3e-5, schedule="one_cycle", label_smoothing=0.05, clip_norm=1.0, augment=OFF | {"brightness": 0.1},
    )  # fmt: skip
    found = fit(chosen, **study, cache=tmp_path / "cache", say=quiet)
    assert (found.probabilities.argmax(axis=1) == study["y"])[study["split"] != "train"].mean() > 0.8
    assert found.history["accuracy"].iloc[0] > 0.8, "the head knew the classes before the backbone moved"
    found.save(tmp_path / "one")
    back = load(tmp_path / "one")
    assert np.abs(back.predict(study["images"]) - found.probabilities).max() < 1e-4
    frozen = fit(
        settings(**LITE, mode="frozen", epochs=1), **study, cache=tmp_path / "cache", say=quiet
    ).model
    still = {
        layer.name: all(
            map(np.array_equal, layer.get_weights(), found.model.get_layer(layer.name).get_weights())
        )
        for layer in frozen.layers
    }
    kinds = {layer.name: type(layer).__name__ for layer in frozen.layers}
    assert all(still[name] for name, kind in kinds.items() if kind == "BatchNormalization")
    assert not any(still[name] for name, kind in kinds.items() if kind in ("Conv2D", "DepthwiseConv2D"))
    fit(chosen, **study, cache=tmp_path / "cache", say=quiet).save(tmp_path / "two")
    one, two = ((tmp_path / name / "model.weights.h5").read_bytes() for name in ("one", "two"))
    assert one == two


def test_only_the_last_layers_learn(tmp_path):
    study, lines = smears(), []
    chosen = settings(**LITE, mode="fine_tune", unfreeze="block15_expand_conv", head_epochs=1, epochs=1)
    found = fit(chosen, **study, cache=tmp_path, say=lines.append).model
    start = fit(settings(**LITE, mode="frozen", epochs=1), **study, cache=tmp_path, say=quiet).model
    same = {
        name: np.array_equal(found.get_layer(name).get_weights()[0], start.get_layer(name).get_weights()[0])
        for name in ("stem_conv", "block14_project_conv", "block15_expand_conv", "head_conv")
    }
    assert list(same.values()) == [True, True, False, False]
    assert any("from block15_expand_conv on" in line for line in lines)


def test_seeds_give_their_own_models_and_the_first_is_the_one_that_is_watched():
    study, rows = smears(), []
    fits = fit_seeds(settings(seeds=[3, 4]), **study, say=quiet, watch=rows.append)
    assert list(fits) == [3, 4] and len(rows) == 3
    alone = fit(settings(seeds=[4]), **study, say=quiet)
    assert np.array_equal(fits[4].probabilities, alone.probabilities)
    assert not np.array_equal(fits[3].probabilities, alone.probabilities)
    assert fits[4].settings.seeds == [4]


def test_a_frozen_network_of_a_later_seed_predicts_and_is_not_built(tmp_path):
    study, chosen = smears(), settings(**LITE, mode="frozen", epochs=1, seeds=[3, 4])
    fits = fit_seeds(chosen, **study, cache=tmp_path, say=quiet)
    assert fits[3].model is not None and fits[4].model is None
    alone = fit(chosen.at(4), **study, cache=tmp_path, say=quiet)
    assert alone.model is not None
    assert np.array_equal(fits[4].probabilities, alone.probabilities)


def test_views_and_oversampling_add_training_rows_only(tmp_path):
    study, lines = smears(), []
    study["y"] = np.where(np.arange(60) % 6 == 1, 1, 0)
    groups = np.arange(60)
    chosen = settings(**LITE, mode="frozen", resample="oversample", augment=ON | {"views": 2})
    fit(chosen, **study, groups=groups, cache=tmp_path, say=lines.append)
    assert "embedded 140 images" in lines[0], "60 of them and two views of each of the 40 training images"


@pytest.mark.parametrize(
    "changes", [{}, {"dropout": 0.5, "schedule": "plateau", "early_stopping": 3}, {"schedule": "cosine"}]
)
def test_a_killed_training_ends_with_the_same_numbers_and_words(tmp_path, changes, capfd):
    study, chosen = smears(), settings(epochs=5, augment=ON | {"mixup": 0.2}, optimiser="adamw", **changes)
    unbroken = []
    whole = fit(chosen, **study, say=unbroken.append)

    def kill(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(chosen, **study, state=tmp_path, say=quiet, watch=kill)
    lines, rows = [], []
    again = fit(chosen, **study, state=tmp_path, say=lines.append, watch=rows.append)
    assert "goes on after epoch 2" in capfd.readouterr().err
    assert lines == unbroken, "the executed notebook would differ, and dvc.lock with it"
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert again.history.equals(whole.history)
    assert np.array_equal(again.probabilities, whole.probabilities)
    for one, two in zip(again.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(one, two)


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_not_gone_on_from(tmp_path, capfd):
    study = smears()
    fit(settings(), **study, state=tmp_path, say=quiet)
    fit(settings(learning_rate=1e-3), **study, state=tmp_path, say=quiet)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    fit(settings(learning_rate=1e-3), **study, state=tmp_path, say=quiet)
    assert "goes on" not in capfd.readouterr().err


def test_divergence_keeps_the_last_good_state(tmp_path, monkeypatch):
    study, real = smears(), loop._validate

    def validate(steps, *given):
        found = real(steps, *given)
        validate.calls += 1
        return found if validate.calls < 3 else found | {"val_loss": float("nan")}

    validate.calls = 0
    monkeypatch.setattr(loop, "_validate", validate)
    with pytest.raises(
        loop.TrainingDiverged, match=r"epoch 3: val_loss is nan.*last good epoch is kept: `weights: (.*)`"
    ):
        fit(settings(), **study, state=tmp_path / "one", say=quiet)
    (kept,) = tmp_path.glob("*.weights.h5")
    monkeypatch.undo()
    fit(settings(weights=str(kept)), **study, say=quiet)
    assert kept.is_file(), "the state of a later training, which goes with it, lies elsewhere"


def test_no_memory_says_which_batch_to_try(monkeypatch):
    def full(self, inputs, targets, weights):
        raise tensorflow().errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    with monkeypatch.context() as patch:
        patch.setattr(loop.Steps, "_train", full)
        with pytest.raises(
            loop.OutOfMemory, match=r"step with 8 images of 16x16x3 does not fit.*batch_size: 4"
        ):
            fit(settings(), **smears(), say=quiet)
    steps = SimpleNamespace(
        predict=lambda inputs: full(None, inputs, None, None), model=SimpleNamespace(output_shape=(None, 2))
    )
    with pytest.raises(loop.OutOfMemory, match=r"predicting 6 images of 16x16x3 does not fit.*batch_size: 3"):
        loop.predict_logits(steps, lambda part: np.zeros((len(part), 16, 16, 3)), np.arange(6), 8)


MIXED = """
import json
import numpy as np
import test_train
from leukstudy.models import backend, loop, network

def first_loss(policy):
    with backend.precision(policy):
        backend.seed_everything(3)  # which clears Keras' state, and must leave the policy
        model = network.classifier(network.backbone_of(test_train.settings()), classes=2, head_units=16, dropout=0.0, normalise=False)
        steps = loop.Steps(model, test_train.settings(epochs=1), (16, 16, 3), 2)
    layer, study = model.get_layer("block1_conv"), test_train.smears()
    batch = study["images"], np.eye(2, dtype=np.float32)[study["y"]], np.ones(60, np.float32)
    return [layer.compute_dtype, layer.kernel.dtype, str(model.output.dtype), float(steps.train(*batch)[0])]

print(json.dumps([first_loss("float32"), first_loss("mixed_bfloat16")]))
"""


def test_mixed_precision_reaches_the_network_and_its_numbers():
    """In a process without the pins: oneDNN held to AVX2 has no bfloat16, TensorFlow's own code has it everywhere."""
    free = {"LEUKSTUDY_UNPINNED": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    free["PYTHONPATH"] = f"{Path(__file__).parent}:{paths.ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", MIXED], capture_output=True, text=True, check=False, env=os.environ | free
    )
    assert done.returncode == 0, done.stderr[-2000:]
    plain, mixed = json.loads(done.stdout.splitlines()[-1])
    assert plain[:3] == ["float32", "float32", "float32"]
    assert mixed[:3] == ["bfloat16", "float32", "float32"]
    assert mixed[3] != plain[3] and mixed[3] == pytest.approx(plain[3], rel=0.05)


def test_what_needs_a_gpu_says_that_there_is_none():
    lines = []
    fit(settings(epochs=1, mixed_precision=True, xla=True), **smears(), say=lines.append)
    assert any(line.startswith("mixed_precision: there is no GPU") for line in lines)
    assert any(line.startswith("xla: there is no GPU") for line in lines)


def test_a_long_epoch_is_reported_on_stderr_while_it_runs(monkeypatch, capfd):
    monkeypatch.setattr(loop, "PROGRESS_S", 0.0)
    lines = []
    fit(settings(epochs=1), **smears(), say=lines.append)
    output = capfd.readouterr()
    assert "images/s" in output.err and "s left" in output.err
    assert "images/s" not in output.out and not any("images/s" in line for line in lines)


ON_TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path[:0] = sys.argv[2].split(":")
import test_train
from leukstudy.models import modes

modes.several_devices = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
found = test_train.fit(test_train.for_two_devices(), **test_train.smears(), say=test_train.quiet)
np.savez(sys.argv[1], found.probabilities, *found.model.get_weights())
"""


def for_two_devices():
    return settings(
        epochs=3,
        dropout=0.0,
        optimiser="adamw",
        weight_decay=0.01,
        clip_norm=1.0,
        schedule="cosine",
        batch_size=9,
    )


def test_several_devices_train_the_same_model(tmp_path):
    """Two halves of the CPU stand for two GPUs, in a process of their own: devices are set before TensorFlow starts."""
    here = ":".join([str(Path(__file__).parent), str(paths.ROOT)])
    command = [sys.executable, "-c", ON_TWO_DEVICES, str(tmp_path / "two.npz"), here]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    one = fit(for_two_devices(), **smears(), say=quiet)
    with np.load(tmp_path / "two.npz") as two:
        for mine, theirs in zip([one.probabilities, *one.model.get_weights()], two.values(), strict=True):
            assert np.allclose(mine, theirs, atol=1e-4)
