"""The augmentation figure: a column for each operation that is on, true to what training does, nothing cut off."""

import warnings
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from leukstudy.models.augment import augmented
from leukstudy.report import style
from leukstudy.report.augmentation import augmentation_sheet

ON = {"flip": True, "rotate": True, "zoom": 0.1, "blur": 1.5, "stain": 0.2, "brightness": 0.1, "mixup": 0.2}
OFF = dict.fromkeys(ON, 0.0)


@pytest.fixture(autouse=True)
def look():
    style.apply_style()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3)).astype(np.uint8)


def columns(fig):
    return [ax.get_title() for ax in fig.axes if ax.get_title()]


def test_a_column_for_each_operation_that_is_on(images):
    names = columns(augmentation_sheet(images, SimpleNamespace(**ON), 1, ["A$B$", "AML", "healthy"]))
    assert [name.split("\n")[0].split(":")[0].split(",")[0] for name in names] == [
        "original", "flip", "quarter turn", "zoom", "blur", "stain", "stain", "brightness", "brightness",
        "all together", "all together", "MixUp",
    ]  # fmt: skip
    assert "1.5 px" in names[4] and "+20%" in names[5] and "90%" in names[3]
    names = columns(augmentation_sheet(images, SimpleNamespace(**OFF | {"brightness": 0.1}), 1))
    assert len(names) == 5
    assert columns(augmentation_sheet(images, SimpleNamespace(**OFF), 1)) == ["original"]
    assert columns(augmentation_sheet(images[:1], SimpleNamespace(**OFF | {"mixup": 0.2}), 1)) == ["original"]


def test_it_shows_what_training_sees(images):
    augment = SimpleNamespace(**ON)
    fig = augmentation_sheet(images, augment, 7)
    shown = np.array([ax.images[0].get_array() for ax in fig.axes]).reshape(3, 12, 24, 24, 3)
    assert np.array_equal(shown[:, 0], images)
    assert np.array_equal(shown[:, 1], images[:, :, ::-1])
    assert np.array_equal(shown[:, 2], np.rot90(images, axes=(1, 2)))
    assert np.array_equal(shown[:, 9], augmented(images, augment, 8))
    assert all(not np.array_equal(shown[:, column], images) for column in range(1, 12))


def test_nothing_is_cut_and_bytes_repeat(images, tmp_path):
    for name in ("one.jpg", "two.jpg"):
        fig = augmentation_sheet(images, SimpleNamespace(**ON), 1, ["A$B$ & co", "AML", "healthy"])
        fig.canvas.draw()
        extent, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
        assert extent.x0 >= 0 and extent.y0 >= 0 and extent.x1 <= width and extent.y1 <= height
        style.save_figure(fig, tmp_path / name)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_titles_that_do_not_fit(images):
    with pytest.raises(ValueError, match="3 images and 1 titles"):
        augmentation_sheet(images, SimpleNamespace(**ON), 1, ["one"])
