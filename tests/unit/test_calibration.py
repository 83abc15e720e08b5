"""Calibration: known answers."""

import numpy as np
import pytest

from leukstudy.statistics.calibration import brier, expected_calibration_error


def two(p, truth):
    p, truth = np.asarray(p, float), np.asarray(truth, bool)
    return np.column_stack([~truth, truth]), np.column_stack([1 - p, p])


def test_a_coin_and_an_oracle():
    truth, chances = two([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1])
    assert brier(truth, chances, np.ones((1, 4))) == pytest.approx([0.5])
    truth, sure = two([0.0, 1.0], [0, 1])
    assert brier(truth, sure, np.ones((1, 2))) == pytest.approx([0.0])
    assert expected_calibration_error(truth, sure, np.ones((1, 2)), bins=2) == pytest.approx([0.0])


def test_overconfidence_is_the_gap():
    # always 0.9 for the class, right in 6 of 10
    truth, chances = two([0.9] * 10, [1] * 6 + [0] * 4)
    assert expected_calibration_error(truth, chances, np.ones((1, 10))) == pytest.approx([0.3])


def test_weights_are_copies():
    rng = np.random.default_rng(0)
    truth, chances = two(rng.random(40), rng.random(40) < 0.5)
    weights = rng.integers(1, 4, 40)
    copied = np.repeat(np.arange(40), weights)
    for score in (brier, lambda *a: expected_calibration_error(*a, bins=1)):
        one = score(truth, chances, weights[None].astype(float))
        other = score(truth[copied], chances[copied], np.ones((1, len(copied))))
        assert one == pytest.approx(other)


def test_calibrated_chances_have_little_error_and_shuffled_ones_much():
    rng = np.random.default_rng(1)
    p = rng.random(20_000)
    truth, chances = two(p, rng.random(20_000) < p)
    assert expected_calibration_error(truth, chances, np.ones((1, 20_000)))[0] < 0.02
    truth, chances = two(p, rng.random(20_000) < 0.5)
    assert expected_calibration_error(truth, chances, np.ones((1, 20_000)))[0] > 0.2
