"""Losses, optimisers and schedules: equal to Keras' own, or to a sum done by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from leukstudy.models import loop
from leukstudy.models.backend import seed_everything, tensorflow
from leukstudy.models.losses import losses_of, scheduled_rate

BASE = {
    "optimiser": "adam", "learning_rate": 0.01, "weight_decay": 0.0, "clip_norm": 0.0, "loss": "cross_entropy",
    "focal_gamma": 2.0, "label_smoothing": 0.0, "xla": False, "schedule": "constant",
}  # fmt: skip
RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("f")
Y = np.eye(3, dtype="f")[RNG.integers(0, 3, 32)]
W = RNG.random(32).astype("f")


def small(**changes):
    return SimpleNamespace(**BASE | changes)


def network():
    import keras

    seed_everything(5)
    start = keras.Input((4,), name="embedding")
    logits = keras.layers.Dense(3, name="logits")(start)
    return keras.Model(start, keras.layers.Activation("softmax", name="probabilities")(logits))


@pytest.mark.parametrize(
    ("ours", "keras_own"),
    [
        ({"optimiser": "adam"}, lambda keras: keras.optimizers.Adam(0.01)),
        (
            {"optimiser": "adamw", "weight_decay": 0.1},
            lambda keras: _no_decay_of_biases(keras.optimizers.AdamW(0.01, weight_decay=0.1)),
        ),
        ({"optimiser": "sgd"}, lambda keras: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
        (
            {"optimiser": "adam", "clip_norm": 0.05},
            lambda keras: keras.optimizers.Adam(0.01, global_clipnorm=0.05),
        ),
    ],
)
def test_optimisers_are_those_of_keras(ours, keras_own):
    import keras

    mine, theirs = network(), network()
    steps = loop.Steps(mine, small(**ours), (4,), 3)
    theirs.compile(optimizer=keras_own(keras), loss="categorical_crossentropy", jit_compile=False)
    for _ in range(5):
        steps.train(X, Y, W)
        theirs.train_on_batch(X, Y, sample_weight=W)
    for one, two in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(one, two, atol=2e-5)


def _no_decay_of_biases(optimiser):
    optimiser.exclude_from_weight_decay(var_names=["bias"])
    return optimiser


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_are_those_of_keras(smoothing):
    import keras

    tf = tensorflow()
    logits = tf.constant(RNG.normal(size=(32, 3)), tf.float32)
    for name, theirs in (
        ("cross_entropy", keras.losses.CategoricalCrossentropy(True, smoothing, reduction="none")),
        (
            "focal",
            keras.losses.CategoricalFocalCrossentropy(
                alpha=1.0, from_logits=True, label_smoothing=smoothing, reduction="none"
            ),
        ),
    ):
        mine = losses_of(logits, tf.constant(Y), small(loss=name, label_smoothing=smoothing))
        assert np.allclose(mine, theirs(Y, logits), atol=1e-5), name


def test_the_loss_of_two_classes_is_binary_cross_entropy():
    tf = tensorflow()
    z, t = RNG.normal(size=(20, 1)).astype("f"), RNG.integers(0, 2, 20)
    mine = losses_of(tf.constant(z), tf.constant(np.eye(2, dtype="f")[t]), small())
    by_hand = np.log1p(np.exp(-np.where(t == 1, z[:, 0], -z[:, 0])))
    assert np.allclose(mine, by_hand, atol=1e-6)


def test_schedules_start_peak_and_end_where_they_should():
    cosine, cycle = small(schedule="cosine"), small(schedule="one_cycle")
    assert scheduled_rate(small(), 3, 10) is None and scheduled_rate(small(schedule="plateau"), 3, 10) is None
    assert scheduled_rate(cosine, 0, 100) == pytest.approx(0.01)
    assert scheduled_rate(cosine, 50, 100) == pytest.approx(0.005)
    assert scheduled_rate(cosine, 99, 100) < 1e-5
    rates = [scheduled_rate(cycle, step, 100) for step in range(100)]
    assert (
        rates[0] == pytest.approx(0.01 / 25)
        and int(np.argmax(rates)) == 30
        and max(rates) == pytest.approx(0.01)
    )
    assert rates[-1] < 1e-4 and np.all(np.diff(rates[:30]) > 0) and np.all(np.diff(rates[30:]) < 0)
    assert scheduled_rate(cycle, 0, 1) > 0
