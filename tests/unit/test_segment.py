"""Segmentation on drawn cells whose truth is known, and on images that hold no cell at all."""

import cv2
import numpy as np
import pytest
from fabricate import blob_cell

from leukstudy.imaging.segment import METHODS, segment_cells, segment_nuclei


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def drawn():
    return [
        blob_cell(np.random.default_rng(i), size=size, kind=i % 3)
        for i in range(12)
        for size in (48, 96, 224)
    ]


def test_nuclei_and_cells_of_drawn_smears(drawn):
    nuclei = [dice(segment_nuclei(rgb), truth == 255) for rgb, truth in drawn]
    cells = [dice(segment_cells(rgb), truth > 0) for rgb, truth in drawn]
    assert np.mean(nuclei) > 0.95 and min(nuclei) > 0.85
    assert np.mean(cells) > 0.90 and min(cells) > 0.70


def test_cells_hold_their_nuclei(drawn):
    for rgb, _ in drawn:
        nuclei = segment_nuclei(rgb)
        cells = segment_cells(rgb, nuclei)
        assert cells.dtype == nuclei.dtype == np.bool_ and cells.shape == rgb.shape[:2]
        assert not (nuclei & ~cells).any()
        assert np.array_equal(cells, segment_cells(rgb))


@pytest.mark.parametrize("tint", [(1.0, 0.97, 0.55), (0.8, 0.82, 0.9), (0.6, 0.6, 0.6)])
def test_stain_and_light_do_not_shift_it(drawn, tint):
    scores = [dice(segment_nuclei((rgb * tint).astype(np.uint8)), truth == 255) for rgb, truth in drawn]
    assert np.mean(scores) > 0.93


def test_turned_images_give_turned_masks(drawn):
    rgb, _ = drawn[1]
    turned = np.ascontiguousarray(np.rot90(rgb))
    assert dice(np.rot90(segment_nuclei(rgb)), segment_nuclei(turned)) > 0.98


def test_red_cells_alone_hold_no_nucleus():
    rgb = np.full((96, 96, 3), (236, 226, 222), np.uint8)
    for centre in ((20, 20), (60, 30), (40, 75), (85, 80)):
        cv2.circle(rgb, centre, 12, (214, 150, 145), -1)
    assert not segment_nuclei(cv2.GaussianBlur(rgb, (0, 0), 1)).any()


def test_paper_a_takes_the_dark_side_now(drawn):
    rgb, truth = drawn[1]
    mask = segment_nuclei(rgb, "otsu_grey")
    bright = (truth == 0) & (rgb.mean(axis=2) > 215)
    assert mask[truth == 255].mean() > 0.9 and mask[bright].mean() < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_flat_images_are_empty(method):
    for value in (0, 128, 255):
        flat = np.full((50, 40, 3), value, np.uint8)
        assert not segment_nuclei(flat, method).any() and not segment_cells(flat, method=method).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 5000), (5000, 1), (64, 64)])
def test_hostile_images_give_a_mask(method, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    nuclei, cells = segment_nuclei(noise, method), segment_cells(noise, method=method)
    assert nuclei.shape == cells.shape == shape and nuclei.dtype == cells.dtype == np.bool_


def test_cells_cut_out_on_black_are_found():
    rgb, truth = blob_cell(np.random.default_rng(3), size=96)
    rgb[truth == 0] = 0  # as C-NMC delivers them
    nuclei = segment_nuclei(rgb)
    assert not nuclei[truth == 0].any() and dice(nuclei, truth == 255) > 0.8


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        segment_nuclei(np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        segment_cells(np.zeros((5, 5, 3)))
    with pytest.raises(ValueError, match="known are: stain"):
        segment_nuclei(np.zeros((5, 5, 3), np.uint8), "otsu")
