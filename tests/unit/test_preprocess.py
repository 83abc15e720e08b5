"""Preprocessing: sizes, filters, equalisation and the masked corner."""

from types import SimpleNamespace

import numpy as np
import pytest
from fabricate import blob_cell

from leukstudy.imaging.preprocess import (
    adjust,
    base,
    corner_slice,
    equalise_clahe,
    equalise_global,
    finish,
    gaussian,
    mask_boxes,
    mask_corner,
    resize,
)
from leukstudy.imaging.segment import label_cells, segment_nuclei
from leukstudy.imaging.views import crop, masked, side_by_side
from leukstudy.study.methods import VIEWS, method


@pytest.fixture
def rgb():
    return blob_cell(np.random.default_rng(5), size=60)[0]


@pytest.mark.parametrize("shape", [(60, 60), (1, 1), (1, 500), (33, 70)])
@pytest.mark.parametrize("size", [16, 96])
def test_resize_any_shape(shape, size):
    rgb = np.full((*shape, 3), 77, np.uint8)
    assert np.array_equal(resize(rgb, size), np.full((size, size, 3), 77, np.uint8))


def test_shrinking_averages():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[::2] = 200  # stripes of one pixel: sampling would give stripes or a flat 0 or 200
    assert np.abs(resize(rgb, 32).astype(int) - 100).max() <= 1


def test_gaussian_keeps_the_mean_and_takes_the_noise(rgb):
    smooth = gaussian(rgb, 1.5)
    assert abs(smooth.mean() - rgb.mean()) < 1
    assert (
        np.abs(np.diff(smooth.astype(int), axis=0)).mean() < np.abs(np.diff(rgb.astype(int), axis=0)).mean()
    )
    assert np.array_equal(gaussian(rgb, 0), rgb)
    with pytest.raises(ValueError, match="gaussian_sigma is -1"):
        gaussian(rgb, -1)


@pytest.mark.parametrize("equalise", [equalise_global, equalise_clahe])
def test_equalisation_spreads_luminance(rgb, equalise):
    dull = (rgb // 4 + 90).astype(np.uint8)
    assert equalise(dull).mean(axis=2).std() > 1.2 * dull.mean(axis=2).std()


def test_equalisation_modes(rgb):
    assert np.array_equal(finish(rgb, equalise="none"), rgb)
    with pytest.raises(ValueError, match="unknown equalisation 'histogram': known: none, global, clahe"):
        finish(rgb, equalise="histogram")


def test_masked_corner_has_the_border_colour(rgb):
    marked = rgb.copy()
    part = corner_slice(rgb.shape, "bottom-right", 0.35, 0.15)
    marked[part] = 0
    masked = mask_corner(marked, "bottom-right", 0.35, 0.15)
    corner = masked[part].reshape(-1, 3)
    assert (corner == corner[0]).all() and corner[0].min() > 150
    outside = np.ones(rgb.shape[:2], bool)
    outside[part] = False
    assert np.array_equal(masked[outside], rgb[outside])
    # what was burnt in leaves no trace, in the colour of the patch either
    assert np.array_equal(masked, mask_corner(rgb, "bottom-right", 0.35, 0.15))


@pytest.mark.parametrize(
    ("corner", "pixel"),
    [("top-left", (0, 0)), ("top-right", (0, 59)), ("bottom-left", (59, 0)), ("bottom-right", (59, 59))],
)
def test_corners_are_where_they_are_called(corner, pixel):
    inside = np.zeros((60, 60), bool)
    inside[corner_slice((60, 60), corner, 0.35, 0.15)] = True
    assert inside[pixel] and inside.sum() == 21 * 9


def test_masking_everything_and_nonsense(rgb):
    assert (mask_corner(rgb, "top-left", 1, 1) == mask_corner(rgb, "top-left", 1, 1)[0, 0]).all()
    with pytest.raises(ValueError, match="expected one of bottom-right, top-left"):
        mask_corner(rgb, "left", 0.1, 0.1)
    with pytest.raises(ValueError, match="fractions"):
        mask_corner(rgb, "top-left", 35, 0.1)


def test_the_chain_takes_settings_in_either_form(rgb):
    before = rgb.copy()
    mask = {"corner": "bottom-right", "width": 0.3, "height": 0.2}
    a, b = (
        finish(base(rgb, size=32, mask=given), gaussian_sigma=0.8, equalise="clahe")
        for given in (mask, SimpleNamespace(**mask))
    )
    by_hand = equalise_clahe(gaussian(resize(mask_corner(rgb, **mask), 32), 0.8))
    assert a.shape == (32, 32, 3) and np.array_equal(a, b) and np.array_equal(a, by_hand)
    assert np.array_equal(rgb, before)


def test_contrast_and_brightness(rgb):
    assert np.array_equal(adjust(rgb), rgb)
    assert adjust(rgb, contrast=0.5).std() == pytest.approx(rgb.std() / 2, rel=0.02)
    grey = np.full((2, 2, 3), 100, np.uint8)
    assert (adjust(grey, brightness=0.2) == 151).all() and (adjust(grey, contrast=2.0) == 72).all()
    assert (adjust(grey, brightness=-1.0) == 0).all() and (adjust(grey, brightness=1.0) == 255).all()
    with pytest.raises(ValueError, match="contrast is 0"):
        adjust(rgb, contrast=0)
    with pytest.raises(ValueError, match="brightness is 20"):
        adjust(rgb, brightness=20)


def test_boxes_are_painted_with_what_surrounds_them(rgb):
    marked = rgb.copy()
    marked[30:36, 24:48] = (255, 0, 0)
    masked = mask_boxes(marked, [(0.4, 0.5, 0.8, 0.6)])
    part = masked[30:36, 24:48].reshape(-1, 3)
    assert (part == part[0]).all() and not (part == (255, 0, 0)).all(axis=1).any()
    outside = np.ones((60, 60), bool)
    outside[30:36, 24:48] = False
    assert np.array_equal(masked[outside], rgb[outside])
    assert np.array_equal(mask_boxes(rgb, []), rgb)
    with pytest.raises(ValueError, match=r"a box of \(0.5, 0.2, 0.4, 0.9\)"):
        mask_boxes(rgb, [(0.5, 0.2, 0.4, 0.9)])


def test_nothing_is_on_unless_asked_for(rgb):
    assert np.array_equal(base(rgb, size=60), rgb) and np.array_equal(finish(rgb), rgb)
    assert np.array_equal(base(rgb, size=60, mask=None, boxes=(), illumination=False), rgb)
    assert np.array_equal(finish(rgb, stain="none", contrast=1.0, brightness=0.0), rgb)
    assert not np.array_equal(base(rgb, size=60, illumination=True), rgb)
    for how in ({"stain": "reinhard"}, {"contrast": 1.5}, {"brightness": 0.1}):
        assert not np.array_equal(finish(rgb, **how), rgb)


def test_views():
    rgb, _ = blob_cell(np.random.default_rng(5), size=96)
    nuclei = segment_nuclei(rgb)
    labels = label_cells(rgb, nuclei)
    painted = masked(rgb, nuclei, labels)
    assert np.array_equal(painted[labels > 0], rgb[labels > 0])
    ground = painted[labels == 0]
    assert (ground == ground[0]).all() and ground[0].min() > 200  # no red cell is left
    square = crop(rgb, nuclei, labels)
    assert square.shape == rgb.shape
    # the cell fills the crop: a larger nucleus, in the middle
    larger = segment_nuclei(square)
    assert larger.sum() > 1.5 * nuclei.sum() and np.abs(np.argwhere(larger).mean(axis=0) - 48).max() < 6
    both = side_by_side(rgb, nuclei, labels)
    assert both.shape == rgb.shape
    assert np.abs(both[:, :48].astype(int).mean(axis=(0, 1)) - rgb.mean(axis=(0, 1))).max() < 1
    assert np.abs(both[:, 48:].astype(int).mean(axis=(0, 1)) - square.mean(axis=(0, 1))).max() < 1
    with pytest.raises(ValueError, match=r"unknown view 'both': .*known: image, masked, cell, side_by_side"):
        method(VIEWS, "both", "view")
