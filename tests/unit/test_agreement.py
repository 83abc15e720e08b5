"""Bias and limits of agreement with known answers, and the plot that shows them."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from leukstudy.report.agreement import limits_of_agreement, plot_bland_altman


def test_known_limits():
    truth = np.array([10.0, 20.0, 30.0, 40.0])
    bias, low, high = limits_of_agreement(np.array([11.0, 23, 31, 43]), truth)
    spread = 1.96 * np.std([1, 3, 1, 3], ddof=1)
    assert (bias, low, high) == pytest.approx((2, 2 - spread, 2 + spread))
    assert limits_of_agreement(truth, truth) == (0, 0, 0)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        limits_of_agreement(np.array([1.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="two of one length"):
        limits_of_agreement(np.ones(3), np.ones(4))


def test_the_plot_has_units_and_lines():
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 20, 50)
    _, ax = plt.subplots()
    assert (
        plot_bland_altman(truth + rng.normal(2, 3, 50), truth, name="nucleus area", unit="pixel2", ax=ax)
        is ax
    )
    title = ax.get_title() + ax.get_title(
        "left"
    )  # where it stands is the style's, which another test may have set
    assert "(pixel2)" in ax.get_xlabel() and "bias" in title
    assert len(ax.lines) == 3 and len({line.get_linestyle() for line in ax.lines}) == 2
    plain = plot_bland_altman(truth, truth + 1, name="N:C ratio", unit="0-1")
    assert "(" not in plain.get_ylabel()
    plt.close("all")
