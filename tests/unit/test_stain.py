"""Light and stain: what is mixed is unmixed, what differs between laboratories comes together, cells on black stay so."""

import numpy as np
import pytest
from fabricate import blob_cell

from leukstudy.imaging import stain
from leukstudy.imaging.stain import AZURE_EOSIN, even_illumination
from leukstudy.study.methods import STAIN_NORMALISATIONS, method

TINT = (0.95, 0.80, 0.70)


def normalised(rgb, name):
    return method(STAIN_NORMALISATIONS, name, "stain normalisation")(rgb)


@pytest.fixture
def rgb():
    return blob_cell(np.random.default_rng(5), size=96)[0]


def dyed(azure: np.ndarray, eosin: np.ndarray) -> np.ndarray:
    """An image of known amounts of the two dyes, on a background of 250."""
    density = azure[..., None] * AZURE_EOSIN[0] + eosin[..., None] * AZURE_EOSIN[1]
    return np.rint(250 * np.exp(-density)).astype(np.uint8)


def test_dyes_are_told_apart():
    azure, eosin = np.zeros((2, 60, 60))
    azure[10:20, 10:20], eosin[10:20, 30:40] = 0.8, 0.6
    azure[30:40, 10:20] = eosin[30:40, 10:20] = 0.5
    density = stain.optical_density(dyed(azure, eosin))
    found = density @ stain.unmixing(AZURE_EOSIN).T
    assert density.shape == (60, 60, 3) and density.dtype == np.float32
    assert np.abs(found[..., 0] - azure).max() < 0.03 and np.abs(found[..., 1] - eosin).max() < 0.03


def test_density_does_not_see_the_lamp(rgb):
    dim = (rgb * TINT).astype(np.uint8)
    assert np.abs(stain.optical_density(rgb) - stain.optical_density(dim)).mean() < 0.02


def test_grey_world_makes_channels_equal(rgb):
    grey = stain.grey_world((rgb * TINT).astype(np.uint8))
    means = grey.reshape(-1, 3).mean(axis=0)
    assert np.ptp(means) < 4 < np.ptp((rgb * TINT).reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize("name", ["reinhard", "macenko"])
def test_two_laboratories_come_closer(rgb, name):
    other = (255 * (rgb / 255.0) ** 1.3 * TINT).astype(np.uint8)
    before = np.abs(rgb.astype(float) - other).mean()
    after = np.abs(normalised(rgb, name).astype(float) - normalised(other, name)).mean()
    assert after < 0.6 * before


def test_reinhard_reaches_its_reference(rgb):
    import cv2

    lab = cv2.cvtColor(stain.reinhard(rgb).astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    # Colours that no screen can show are clipped, so not exactly.
    assert np.abs(lab.mean(axis=0) - stain.REFERENCE_LAB[0]).max() < 4
    assert np.abs(lab.std(axis=0) - stain.REFERENCE_LAB[1]).max() < 5


def test_macenko_finds_the_stains_of_an_image():
    rng = np.random.default_rng(0)
    azure, eosin = rng.uniform(0, 1, (2, 80, 80)) * (rng.uniform(size=(2, 80, 80)) < 0.6)
    found = stain.own_stains(stain.optical_density(dyed(azure, eosin)).reshape(-1, 3))
    assert (found * AZURE_EOSIN).sum(axis=1) == pytest.approx(1, abs=0.01)
    assert stain.own_stains(np.zeros((500, 3), np.float32)) is None


@pytest.mark.parametrize("name", STAIN_NORMALISATIONS)
def test_black_around_a_cell_stays_black_and_weighs_nothing(name):
    rgb, truth = blob_cell(np.random.default_rng(3), size=96)
    rgb[truth == 0] = 0
    wide = np.zeros((150, 150, 3), np.uint8)
    wide[27:123, 27:123] = rgb
    normal = normalised(wide, name)
    assert not normal[:20].any()
    assert np.abs(normal[27:123, 27:123].astype(int) - normalised(rgb, name)).max() <= 1


def test_names():
    image = np.full((4, 4, 3), 9, np.uint8)
    assert np.array_equal(normalised(image, "none"), image) and normalised(image, "none") is not image
    with pytest.raises(ValueError, match="'vahadane': known: none, grey_world, reinhard, macenko"):
        normalised(image, "vahadane")


def test_uneven_light_is_evened(rgb):
    y, x = np.mgrid[:96, :96] / 95.0
    light = (0.65 + 0.35 * x * (0.5 + 0.5 * y))[..., None]
    shaded = (rgb * light).astype(np.uint8)
    even = even_illumination(shaded)
    background = rgb.min(axis=2) > 215
    spread = [image[background].astype(float).std(axis=0).mean() for image in (rgb, shaded, even)]
    assert spread[1] > 3 * spread[0] and spread[2] < 0.4 * spread[1]


def test_even_light_is_left_nearly_alone(rgb):
    assert np.abs(even_illumination(rgb).astype(int) - rgb).mean() < 1.5
