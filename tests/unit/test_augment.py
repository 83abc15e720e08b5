"""Augmentation: repeats, each operation does its own thing and no other, and views are the same in any slice."""

from types import SimpleNamespace

import numpy as np
import pytest

from leukstudy.imaging import stain
from leukstudy.models import augment as module
from leukstudy.models.augment import (
    DRAWS,
    AugmentedImages,
    augment_batch,
    augmented,
    changed,
    changes_images,
    restained,
)

OFF = {
    "flip": False,
    "rotate": False,
    "zoom": 0.0,
    "blur": 0.0,
    "stain": 0.0,
    "brightness": 0.0,
    "mixup": 0.0,
}
ON = {"flip": True, "rotate": True, "zoom": 0.2, "blur": 1.5, "stain": 0.2, "brightness": 0.1, "mixup": 0.0}


def only(**changes):
    return SimpleNamespace(**OFF | changes)


def drawn(**draws):
    return np.array([draws.get(name, 0.5) for name in DRAWS])


@pytest.fixture(scope="module")
def images():
    """Violet discs on a bright field, each elsewhere, with a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    pictures = rng.integers(225, 240, (24, 32, 32, 3))
    for picture, (top, left) in zip(pictures, rng.integers(8, 24, (24, 2)), strict=True):
        picture[(y - top) ** 2 + (x - left) ** 2 < 40] = (110, 60, 150)
    return pictures.astype(np.uint8)


@pytest.mark.parametrize("on", [*ON, "all"])
def test_repeats_for_a_seed_and_only_for_it(images, on):
    augment = SimpleNamespace(**ON) if on == "all" else only(**{on: ON[on]})
    before = images.copy()
    one, two, other = (augment_batch(images, augment, seed) for seed in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    assert one.dtype == np.uint8 and one.shape == images.shape and np.array_equal(images, before)
    assert np.array_equal(one, two)
    assert changes_images(augment) == (on != "mixup")
    assert np.array_equal(one, other) == np.array_equal(one, images) == (on == "mixup")


def test_off_is_the_identity(images):
    assert np.array_equal(augmented(images, only(), 1), images)
    assert augmented(images[:0], SimpleNamespace(**ON), 1).shape == (0, 32, 32, 3)
    with pytest.raises(ValueError, match="Do not scale them"):
        augmented(images / 255, only(), 1)


def test_flips_and_turns_are_the_eight_of_a_square(images):
    def symmetries(image, augment):
        copies = augmented(np.repeat(image[None], 100, axis=0), augment, 5)
        same = {(k, m): np.rot90(image, k)[:, ::m] for k in range(4) for m in (1, -1)}
        return {next(key for key, value in same.items() if np.array_equal(value, copy)) for copy in copies}

    assert symmetries(images[0], only(rotate=True)) == {(k, 1) for k in range(4)}
    assert symmetries(images[0], only(flip=True)) == {(0, 1), (0, -1), (2, 1), (2, -1)}
    assert len(symmetries(images[0], only(flip=True, rotate=True))) == 8


def test_an_operation_more_leaves_the_draws_of_the_others(images):
    """Blur and brightness do not care how an image is turned: so both orders must give the same picture."""
    for extra in ({"brightness": 0.2}, {"blur": 1.0}, {"stain": 0.2}):
        turned = augment_batch(images, only(flip=True, rotate=True), (3,))
        both = augment_batch(images, only(flip=True, rotate=True, **extra), (3,))
        draws = np.random.default_rng([3, 1]).random((len(images), 16))
        alone = [changed(image, only(**extra), draw) for image, draw in zip(turned, draws, strict=True)]
        assert np.array_equal(both, alone)
        assert not np.array_equal(both, turned)


def test_each_image_has_its_own_draw(images):
    same = np.repeat(images[:1], 12, axis=0)
    for on in ("zoom", "blur", "stain", "brightness"):
        assert len({copy.tobytes() for copy in augmented(same, only(**{on: ON[on]}), 1)}) > 6, on


def test_zoom_goes_in_and_brings_no_border(images):
    grey = np.full((20, 9, 9, 3), 100, np.uint8)
    assert (augmented(grey, only(zoom=0.5), 1) == 100).all()
    half = changed(images[0], only(zoom=0.5), drawn(side=1, top=0, left=1))
    corner = images[0][:16, 16:].astype(float)
    assert abs(half.mean() - corner.mean()) < 2
    assert np.array_equal(changed(images[0], only(zoom=0.5), drawn(side=0)), images[0])


def test_blur_is_a_gaussian_of_its_sigma():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    spread = changed(point, only(blur=2.0), drawn(blur=0.75))[..., 0].astype(float)
    y, x = np.mgrid[-20:21, -20:21]
    assert np.allclose(spread, 255 * np.exp(-(x**2 + y**2) / 2 / 1.5**2) / (2 * np.pi * 1.5**2), atol=1)
    assert np.array_equal(changed(point, only(blur=2.0), drawn(blur=0)), point)


def test_blur_lowers_detail_and_keeps_the_mean(images):
    for image, soft in zip(images, augmented(images, only(blur=1.5), 1), strict=True):
        assert abs(image.mean() - soft.mean()) < 2
        assert (
            np.abs(np.diff(soft.astype(float), axis=0)).sum()
            <= np.abs(np.diff(image.astype(float), axis=0)).sum()
        )


def test_brightness_scales_and_clips():
    grey = np.full((300, 2, 2, 3), 100, np.uint8)
    lit = augmented(grey, only(brightness=0.2), 1)
    assert 80 <= lit.min() < 83 and 117 < lit.max() <= 120
    assert (lit == lit[:, :1, :1, :1]).all()
    assert changed(np.full((2, 2, 3), 250, np.uint8), only(brightness=0.2), drawn(light=1)).min() == 255


def test_stain_vectors_are_those_of_the_imaging():
    assert np.allclose(module.AZURE_EOSIN, stain.AZURE_EOSIN)
    assert np.allclose(module._UNMIXING, stain.unmixing(stain.AZURE_EOSIN), atol=1e-6)


def test_stain_changes_one_dye_and_leaves_the_other():
    amounts = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.5]])
    pixels = np.rint(255 * np.exp(-amounts @ module.AZURE_EOSIN)).astype(np.uint8)[None]

    def dyes(picture):
        return -np.log(picture[0] / 255) @ module._UNMIXING.T

    assert np.allclose(dyes(pixels), amounts, atol=0.02)
    assert np.allclose(dyes(restained(pixels, 0.2, 0.0)), amounts * (1.2, 1), atol=0.03)
    assert np.allclose(dyes(restained(pixels, 0.0, -0.2)), amounts * (1, 0.8), atol=0.03)
    shifted = dyes(restained(pixels, 0.0, 0.0, 0.0, 0.3)) - amounts
    assert np.allclose(shifted[:, 0], 0, atol=0.03) and (shifted[:, 1] > 0.08).all()


def test_stain_leaves_the_background_and_black():
    ends = np.linspace(0, 1, 2)
    for azure in ends:
        for eosin in ends:
            draw = drawn(azure=azure, azure_shift=azure, eosin=eosin, eosin_shift=eosin)

            def after(level, draw=draw):
                return changed(np.full((2, 2, 3), level, np.uint8), only(stain=0.2), draw).astype(int)

            assert (after(255) == 255).all()
            assert np.abs(after(235) - 235).max() <= 10
            assert after(0).max() <= 2
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(restained(every, 0, 0), every)


def test_views_are_the_same_in_any_slice(images):
    views = AugmentedImages(images, SimpleNamespace(**ON), seed=1, views=3, size=24)
    assert views.shape == (72, 24, 24, 3) and len(views) == 72 and views.dtype == np.uint8
    whole = views[:]
    assert whole.shape == views.shape and whole.dtype == np.uint8
    for width in (1, 5, 32):
        assert np.array_equal(np.concatenate([views[i : i + width] for i in range(0, 72, width)]), whole)
    assert np.array_equal(views[np.array([70, 3])], whole[[70, 3]])
    assert len({view.tobytes() for view in whole}) == 72
    chosen = AugmentedImages(images, SimpleNamespace(**ON), seed=1, views=2, size=24, rows=np.array([4, 9]))
    assert np.array_equal(chosen[:], whole[[4, 9, 28, 33]]), "a view must depend on the image's row alone"
    assert views[72:].shape == (0, 24, 24, 3)


def test_views_know_themselves_without_being_made(images, monkeypatch):
    def views(pictures=images, **changes):
        how = {"seed": 1, "views": 2, "size": 24, "augment": SimpleNamespace(**ON)} | changes
        return AugmentedImages(pictures, how.pop("augment"), **how)

    other = images.copy()
    other[3, 3, 3, 1] ^= 1
    different = [
        views(seed=2), views(views=3), views(size=25), views(rows=np.arange(5)), views(other), views(images[::-1]),
        *(views(augment=SimpleNamespace(**ON | {name: OFF[name]})) for name in ON if name != "mixup"),
    ]  # fmt: skip
    monkeypatch.setattr(module, "changed", None)
    digests = [views().digest(), *(each.digest() for each in different)]
    assert len(set(digests)) == len(digests)
    assert views().digest() == digests[0]
    assert views(augment=SimpleNamespace(**ON | {"mixup": 0.3})).digest() == digests[0]


def test_views_go_through_embed(images):
    """`embed` takes them as it takes images; the runner stands in for the backbone."""
    from leukstudy.models import embed, onnx_engine

    def run(batch):
        return batch.reshape(len(batch), -1).astype(np.float32)

    views = AugmentedImages(images, SimpleNamespace(**ON), seed=1, views=2, size=24)
    embed.check_images(views)
    through = onnx_engine.in_threads(lambda part: run(views[part]), len(views), 24)
    assert np.array_equal(through, run(views[:]))


def test_what_cannot_be_viewed_is_said(images):
    with pytest.raises(ValueError, match=r"augment.views is 0; expected 1 or more"):
        AugmentedImages(images, only(), seed=1, views=0, size=24)
    with pytest.raises(ValueError, match="Do not scale them"):
        AugmentedImages(images / 255, only(), seed=1, views=1, size=24)
