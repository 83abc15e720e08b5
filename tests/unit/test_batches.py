"""Batches: every row once, targets and weights beside their inputs, MixUp with sums that hold, all from the seed."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from leukstudy.models import batches as module
from leukstudy.models.batches import array_batches, image_batches
from leukstudy.models.mixup import mixed, mixed_images, mixup_draws

OFF = {
    "flip": False,
    "rotate": False,
    "zoom": 0.0,
    "blur": 0.0,
    "stain": 0.0,
    "brightness": 0.0,
    "mixup": 0.0,
}
WEIGHT = np.array([1.0, 2.0, 5.0], np.float32)
ROWS = np.array([*range(5, 28), 6])  # row 6 twice, as oversampling gives it


def settings(size=8, **augment):
    return SimpleNamespace(seed=3, batch_size=7, image_size=size, augment=SimpleNamespace(**OFF | augment))


def numbered(count=30):
    """Image i is of one grey, 8 i; its class is i % 3."""
    images = np.zeros((count, 8, 8, 3), np.uint8) + np.uint8(8 * np.arange(count))[:, None, None, None]
    return {"images": images, "y": np.arange(count) % 3}


def of_images(epoch=1, size=8, **augment):
    found = image_batches(settings(size, **augment), epoch, **numbered(), rows=ROWS, weight=WEIGHT)
    return [tuple(part.numpy() for part in batch) for batch in found]


def of_arrays(epoch=1, **augment):
    study = numbered()
    inputs = study["images"][ROWS, 0, 0].astype(np.float32)
    found = array_batches(settings(**augment), epoch, inputs=inputs, labels=study["y"][ROWS], weight=WEIGHT)
    return list(found)


def same(one, two):
    return all(
        np.array_equal(a, b)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("make", [of_images, of_arrays])
def test_every_row_once_with_its_target_and_weight(make):
    found = make()
    assert [len(inputs) for inputs, _, _ in found] == [6, 6, 6, 6]
    inputs, targets, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    assert inputs.dtype == (np.uint8 if make is of_images else np.float32)
    assert targets.dtype == weights.dtype == np.float32
    assert inputs.shape[1:] in ((8, 8, 3), (3,)) and targets.shape == (24, 3) and weights.shape == (24,)
    rows = (inputs.reshape(24, -1)[:, 0] / 8).astype(int)
    assert sorted(rows.tolist()) == sorted(ROWS.tolist()) and rows.tolist() != ROWS.tolist()
    assert np.array_equal(targets, np.eye(3)[rows % 3]) and np.array_equal(weights, WEIGHT[rows % 3])


@pytest.mark.parametrize("make", [of_images, of_arrays])
def test_an_epoch_repeats_and_the_next_differs(make):
    for augment in ({}, {"mixup": 0.4}, {"mixup": 0.4, "brightness": 0.3, "blur": 1.0}):
        assert same(make(2, **augment), make(2, **augment))
        assert not np.array_equal(make(2, **augment)[0][0], make(3, **augment)[0][0])


@pytest.mark.parametrize("make", [of_images, of_arrays])
def test_mixup_mixes_inputs_targets_and_weights_by_one_share(make):
    plain, mixes = make(), make(mixup=0.4)
    assert not np.array_equal(plain[0][1], mixes[0][1])
    for number, ((inputs, targets, weights), (new, new_targets, new_weights)) in enumerate(
        zip(plain, mixes, strict=True)
    ):
        assert new.dtype == inputs.dtype and new_targets.dtype == new_weights.dtype == np.float32
        partner, share = mixup_draws(6, 0.4, (3, 1, number))
        assert np.allclose(new_targets.sum(axis=1), 1, atol=1e-6)
        assert np.allclose(
            new_targets, share[:, None] * targets + (1 - share[:, None]) * targets[partner], atol=1e-6
        )
        assert np.allclose(new_weights, share * weights + (1 - share) * weights[partner], atol=1e-5)
        first, other = inputs.reshape(6, -1)[:, 0], inputs.reshape(6, -1)[partner, 0]
        assert np.abs(new.reshape(6, -1)[:, 0] - (share * first + (1 - share) * other)).max() <= 0.501


def test_shares_are_of_the_beta_distribution():
    shares = np.concatenate([mixup_draws(500, 0.5, (1, step))[1] for step in range(20)])
    assert shares.min() >= 0 and shares.max() <= 1
    assert (
        abs(shares.mean() - 0.5) < 0.02 and abs(shares.var() - 0.125) < 0.01
    )  # of Beta(a, a): 1 / (4 (2 a + 1))
    partner, _ = mixup_draws(500, 0.5, (1, 1))
    assert sorted(partner.tolist()) == list(range(500))


def test_mixed_images_are_mixed_rounded():
    images = np.random.default_rng(0).integers(0, 256, (9, 5, 5, 3)).astype(np.uint8)
    partner, share = mixup_draws(9, 1.0, (1,))
    found = mixed_images(images, partner, share)
    assert found.dtype == np.uint8
    assert np.abs(found - mixed(images.astype(np.float32), partner, share)).max() <= 0.501
    assert np.array_equal(mixed_images(images, partner, np.ones(9, np.float32)), images)


def test_augmentation_is_that_of_seed_epoch_and_step():
    """What a step sees does not depend on the steps before it: a resumed training goes on with the same numbers."""
    from leukstudy.models.augment import augment_batch

    how = {"brightness": 0.3, "flip": True}
    plain, changed = of_images(4), of_images(4, **how)
    for step, ((inputs, _, _), (new, _, _)) in enumerate(zip(plain, changed, strict=True)):
        expected = augment_batch(inputs.astype(np.uint8), SimpleNamespace(**OFF | how), (3, 4, step))
        assert np.array_equal(new, expected)


def test_images_are_resized_and_stay_in_range():
    for inputs, _, _ in of_images(size=12, brightness=0.5, blur=2.0, stain=0.5, zoom=0.5, mixup=1.0):
        assert inputs.shape == (6, 12, 12, 3)
        assert inputs.min() >= 0 and inputs.max() <= 255


def test_batches_are_made_at_once_and_come_in_order(monkeypatch):
    """Two makers wait for each other: one alone would wait for ever, and the time-out would fail the test."""
    meeting, make = threading.Barrier(2), module.resize_all

    def resize(images, size):
        meeting.wait(timeout=20)
        return make(images, size)

    expected = of_images()
    monkeypatch.setattr(module, "resize_all", resize)
    monkeypatch.setattr(module, "cores", lambda: 2)
    assert same(of_images(), expected)
