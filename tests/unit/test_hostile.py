"""Images that hold no cell, or far too many, go through every function of leukstudy.imaging with a stated result."""

import cv2
import numpy as np
import pytest

from leukstudy.imaging import preprocess, stain
from leukstudy.imaging.dictionary import FEATURES
from leukstudy.imaging.features import all_features
from leukstudy.imaging.quality import judge
from leukstudy.imaging.segment import label_cells, segment_cells, segment_nuclei
from leukstudy.study.methods import SEGMENTATIONS, STAIN_NORMALISATIONS, VIEWS, method


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)


def smear(cells: int) -> np.ndarray:
    """Red cells, and so many white ones on a grid, 360 x 600."""
    rgb = np.full((360, 600, 3), (238, 230, 226), np.uint8)
    rng = np.random.default_rng(1)
    for x, y in rng.integers(0, (600, 360), (40, 2)):
        cv2.circle(rgb, (int(x), int(y)), 13, (216, 152, 146), -1)
    for k in range(cells):
        centre = (30 + 60 * (k % 10), 30 + 60 * (k // 10))
        cv2.circle(rgb, centre, 20, (190, 184, 222), -1)
        cv2.circle(rgb, centre, 14, (90, 42, 126), -1)
    rgb = cv2.GaussianBlur(rgb, (0, 0), 0.8).astype(float) + rng.normal(0, 2, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


# name -> image, cells found (None: any number), flags raised (None: any)
HOSTILE = {
    "black": (np.zeros((96, 96, 3), np.uint8), 0, {"nothing_found", "failed"}),
    "white": (np.full((96, 96, 3), 255, np.uint8), 0, {"nothing_found", "failed"}),
    "one colour": (np.full((96, 96, 3), (90, 42, 126), np.uint8), 0, {"nothing_found", "failed"}),
    "one pixel": (np.full((1, 1, 3), 77, np.uint8), 0, {"nothing_found", "failed"}),
    "four pixels in a column": (noise(4, 1), None, None),
    "pure noise": (noise(96, 96), None, None),
    "a row": (noise(1, 5000), None, None),
    "a column": (noise(5000, 1), None, None),
    "no white cells": (smear(0), 0, {"nothing_found", "failed"}),
    "60 white cells": (smear(60), 60, set()),
}


@pytest.fixture(params=HOSTILE)
def hostile(request):
    return HOSTILE[request.param]


@pytest.fixture(autouse=True)
def _numbers_are_sound():
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        yield


def test_segmentation_features_and_flags(hostile):
    rgb, cells, flags = hostile
    before = rgb.copy()
    nuclei = segment_nuclei(rgb)
    whole = segment_cells(rgb, nuclei)
    labels = label_cells(rgb, nuclei, whole)
    assert np.array_equal(labels > 0, whole) and not (nuclei & ~whole).any()
    assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
    values = all_features(rgb, nuclei, labels, rgb)
    assert set(values) == set(FEATURES) and np.isfinite(list(values.values())).all()
    judged = judge(rgb, nuclei, labels)
    raised = {name.removeprefix("quality_") for name, value in judged.items() if value} - {"cells"}
    assert judged["quality_cells"] == labels.max() and values["morph_found"] == float(nuclei.any())
    assert judged["quality_failed"] == float(bool(raised - {"failed"}))
    if cells is not None:
        assert labels.max() == cells and raised == flags
    assert np.array_equal(rgb, before)


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_every_method(hostile, name):
    mask = segment_nuclei(hostile[0], name)
    assert mask.shape == hostile[0].shape[:2] and mask.dtype == np.bool_


@pytest.mark.parametrize("name", VIEWS)
def test_every_view(hostile, name):
    rgb = hostile[0]
    nuclei = segment_nuclei(rgb)
    shown = method(VIEWS, name, "view")(rgb, nuclei, label_cells(rgb, nuclei))
    assert shown.shape == rgb.shape and shown.dtype == np.uint8
    if name == "image" or (not nuclei.any() and name != "side_by_side"):
        assert np.array_equal(shown, rgb)


@pytest.mark.parametrize(
    "step",
    [
        *(method(STAIN_NORMALISATIONS, name, "stain normalisation") for name in STAIN_NORMALISATIONS),
        stain.even_illumination,
        lambda rgb: preprocess.base(rgb, size=32, illumination=True),
        lambda rgb: preprocess.finish(rgb, gaussian_sigma=1.0, equalise="clahe", contrast=2.0),
        lambda rgb: preprocess.mask_boxes(rgb, [(0.5, 0.5, 1.0, 1.0)]),
        lambda rgb: preprocess.mask_corner(rgb, "top-left", 1.0, 1.0),
        preprocess.equalise_global,
    ],
)
def test_every_step_of_preprocessing(hostile, step):
    before = hostile[0].copy()
    image = step(hostile[0])
    assert image.ndim == 3 and image.dtype == np.uint8 and np.array_equal(hostile[0], before)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 42, 126)])
def test_flat_images_stay_flat(colour):
    flat = np.full((40, 30, 3), colour, np.uint8)
    for name in STAIN_NORMALISATIONS:
        step = method(STAIN_NORMALISATIONS, name, "stain normalisation")
        assert (step(flat) == step(flat)[0, 0]).all(), name
    assert np.array_equal(stain.even_illumination(flat), flat) and np.array_equal(stain.macenko(flat), flat)
