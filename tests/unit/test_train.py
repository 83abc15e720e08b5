"""Training networks: repeats to the byte, sees training rows only, stops where it should, loads what it saved."""

from types import SimpleNamespace

import numpy as np
import pytest

from leukstudy.models import loop
from leukstudy.models.augment import augmented
from leukstudy.models.backend import seed_everything, tensorflow
from leukstudy.models.batches import class_weights, even_batch
from leukstudy.models.train import fit, load

OFF = SimpleNamespace(flip=False, rotate=False, brightness=0.0, zoom=0.0)
ON = SimpleNamespace(flip=True, rotate=True, brightness=0.1, zoom=0.1)


def settings(**changes):
    base = {
        "task": "detection", "model": "cnn", "seed": 3, "baseline": False, "mode": "scratch", "weights": "none",
        "scaling": "unit", "image_size": 16, "head_units": 8, "dropout": 0.2, "epochs": 3, "batch_size": 8,
        "learning_rate": 5e-3, "early_stopping": 0, "plateau_patience": 0, "plateau_factor": 0.5,
        "class_weight": "balanced", "resample": "none", "augment": OFF, "filters": [4, 8],
    }  # fmt: skip
    return SimpleNamespace(**base | changes)


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


def quiet(line):
    assert line


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_saves_and_loads(tmp_path, classes):
    study, lines = smears(classes), []
    found = fit(
        settings(epochs=15, augment=SimpleNamespace(**vars(OFF) | {"brightness": 0.1})),
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
        found = fit(settings(seed=seed, augment=ON), **study, say=quiet)
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


def test_frozen_backbone_trains_a_head_and_loads_whole(tmp_path):
    study = smears()
    changes = {"model": "efficientnet_lite0", "mode": "frozen", "weights": "imagenet", "scaling": "imagenet"}
    chosen = settings(**changes, image_size=64, epochs=10, resample="smote")
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
        self.rate, self.model, self._values, self._epoch = tensorflow().Variable(0.1), self, values, 0
        self.output_shape = (None, 1)

    def train(self, inputs, labels, weights):
        self._epoch += 1
        return tensorflow().constant(1.0), tensorflow().constant(1)

    def predict(self, inputs):
        # A single row of class 0 with logit z has loss log(1 + e^z).
        return tensorflow().constant([[np.log(np.expm1(self._values[self._epoch - 1]))]], "float32")

    def get_weights(self):
        return self._epoch

    def set_weights(self, epoch):
        self.restored = epoch


def run(values, **changes):
    steps, lines = Scripted(values), []
    batch = (np.zeros((1, 1), np.float32), np.zeros(1, np.int32), np.ones(1, np.float32))
    trace = loop.run_epochs(
        steps,
        settings(epochs=len(values), **changes),
        training=lambda epoch: [batch],
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
    _, history, _ = run([0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4], plateau_patience=2, plateau_factor=0.5)
    assert history["lr"].round(4).tolist() == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]


def test_a_loss_that_is_no_number_ends_with_advice():
    with pytest.raises(loop.TrainingDiverged, match=r"epoch 2: val_loss is nan.*lower learning_rate"):
        run([0.5, float("nan")])


def test_adam_is_keras_adam():
    import keras

    def network():
        seed_everything(5)
        start = keras.Input((4,), name="embedding")
        logits = keras.layers.Dense(3, name="logits")(start)
        return keras.Model(start, keras.layers.Activation("softmax", name="probabilities")(logits))

    rng = np.random.default_rng(0)
    x, y, w = (
        rng.normal(size=(32, 4)).astype("f"),
        rng.integers(0, 3, 32).astype("i4"),
        rng.random(32).astype("f"),
    )
    ours, keras_own = network(), network()
    steps = loop.Steps(ours, 0.01, (4,))
    keras_own.compile(
        optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", jit_compile=False
    )
    for _ in range(5):
        steps.train(x, y, w)
        keras_own.train_on_batch(x, y, sample_weight=w)
    for one, two in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        assert np.allclose(one, two, atol=1e-5)


def test_without_validation_rows_it_trains_all_epochs():
    study = smears()
    study["split"] = np.where(study["split"] == "val", "train", study["split"])
    lines = []
    found = fit(settings(early_stopping=1, plateau_patience=1), **study, say=lines.append)
    assert len(found.history) == 3 and found.history["val_loss"].isna().all()
    assert "val_loss" not in lines[0]


def test_augmentation_repeats_and_is_gentle():
    images = smears()["images"]
    assert np.array_equal(augmented(images, OFF, 1), images)
    one, two, other = augmented(images, ON, 1), augmented(images, ON, 1), augmented(images, ON, 2)
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    assert one.dtype == np.uint8 and one.shape == images.shape
    turned = augmented(images, SimpleNamespace(**vars(OFF) | {"rotate": True}), 1)
    found = set()
    for image, turn in zip(images, turned, strict=True):
        (which,) = (k for k in range(4) if np.array_equal(np.rot90(image, k), turn))
        found.add(which)
    assert found == {0, 1, 2, 3}
    grey = np.full((20, 8, 8, 3), 100, np.uint8)
    lit = augmented(grey, SimpleNamespace(**vars(OFF) | {"brightness": 0.2, "zoom": 0.3}), 1)
    assert lit.min() >= 80 and lit.max() <= 120 and lit.std() > 1
    assert all(image.std() == 0 for image in lit), "zoom must not bring in a border"


def test_weights_and_batches_by_hand():
    assert class_weights(np.array([0, 0, 0, 1]), 2, "balanced").tolist() == pytest.approx([4 / 6, 2.0])
    assert class_weights(np.array([0, 0, 0, 1]), 2, "none").tolist() == [1, 1]
    assert [even_batch(n, 32) for n in (420, 33, 32, 5, 64)] == [30, 17, 32, 5, 32]


def test_what_cannot_be_trained_is_said():
    study = smears()
    with pytest.raises(ValueError, match="works on features or embeddings"):
        fit(settings(resample="smote"), **study, say=quiet)
    with pytest.raises(ValueError, match="expected 'scratch' or 'frozen'"):
        fit(settings(mode="thawed"), **study, say=quiet)
    with pytest.raises(ValueError, match="needs a pretrained backbone"):
        fit(settings(mode="frozen"), **study, say=quiet)
    study["images"] = study["images"] / 255
    with pytest.raises(ValueError, match="Do not scale them"):
        fit(settings(), **study, say=quiet)
