"""Augmentation of training images: flips, quarter turns, zoom, blur, stain and brightness, from an explicit seed.

A cell has no up or down, so flips and turns are free; blur stands for the focus, stain for the laboratory, brightness for
the lamp. It acts on uint8 images on their way to the network, never in it: an exported model must not hold it. Each image
has its own draws, and each operation its own among them, so that switching one on leaves what the others do. OpenCV does
the work: at 224 px it is over ten times as fast as the same operations on TensorFlow tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from leukstudy.imaging.resize import resize_all
from leukstudy.models.embed import check_images, images_digest
from leukstudy.models.store import digest
from leukstudy.study.experiments import Augment

DRAWS = (
    "turn", "mirror", "upend", "side", "top", "left", "blur", "azure", "eosin", "azure_shift", "eosin_shift", "light",
)  # fmt: skip
"""What is drawn for an image, each uniform in [0, 1), whether its operation is on or not."""
FORMAT = "1"
"""Part of every key of views: raise it when this module changes what it computes."""
_WIDTH = 16  # numbers drawn an image: an operation added later takes a free one, and the others keep theirs
_IMAGES, _VIEWS = 1, 2  # last number of a seed, so that batches and views draw apart

AZURE_EOSIN = np.array([[0.834750, 0.513556, 0.196330], [0.092789, 0.954111, 0.283111]])
"""Optical densities of the dyes in R, G and B: those of `leukstudy.imaging.stain` (Ruifrok and Johnston 2001). They are
written here again, and a test compares them, because training must not run anew when segmentation changes."""
_UNMIXING = np.linalg.pinv(np.stack([*AZURE_EOSIN, np.cross(*AZURE_EOSIN)]).T)[:2]
_LEVELS = np.arange(256) + 0.5  # half a level up, so that black has a density too
_DENSITY = np.float32(-np.log(_LEVELS / 255.5))[None, :, None].repeat(3, axis=2)
_ABSORBED = np.float32(1 - np.arange(256) / 255)[None, :, None].repeat(3, axis=2)
_TURNS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


def changes_images(augment: Augment) -> bool:
    """Whether any operation on single images is on (MixUp is none)."""
    return any((augment.flip, augment.rotate, augment.zoom, augment.blur, augment.stain, augment.brightness))


def augmented(images: np.ndarray, augment: Augment, seed: int) -> np.ndarray:
    """(N, S, S, 3) uint8 images as a training step would see them, uint8: for figures.

    augment: flip and rotate (bool), zoom, stain and brightness (fractions), blur (pixels); see `changed`. Raises
    ValueError for images of another form.
    """
    check_images(images)
    return augment_batch(images, augment, (seed,))


def augment_batch(batch: np.ndarray, augment: Augment, seed: Sequence[int]) -> np.ndarray:
    """Augment (N, S, S, 3) uint8 images, each by its own draws; a function of `seed`, such as (seed, epoch, step)."""
    draws = np.random.default_rng([*seed, _IMAGES]).random((len(batch), _WIDTH))
    return _stacked(
        batch.shape, (changed(image, augment, draw) for image, draw in zip(batch, draws, strict=True))
    )


def changed(image: np.ndarray, augment: Augment, draw: np.ndarray) -> np.ndarray:
    """One image (S, S, 3) uint8 as the numbers in `draw` (as `DRAWS` names them, 0 to 1) say; uint8.

    In this order: quarter turns and flips; zoom, in only (a window of 1 - zoom to 1 of the side, in whole pixels, anywhere
    in the image: zooming out would invent a border that the smears do not have); a Gaussian of sigma 0 to `blur` pixels;
    stain (see `restained`), amounts of each dye by 1 - stain to 1 + stain; brightness by 1 - brightness to 1 + brightness.
    """
    u = dict(zip(DRAWS, draw.tolist(), strict=False))
    if augment.rotate and (turns := int(4 * u["turn"])):
        image = cv2.rotate(image, _TURNS[turns - 1])
    if augment.flip and u["mirror"] < 0.5:
        image = cv2.flip(image, 1)
    if augment.flip and u["upend"] < 0.5:
        image = cv2.flip(image, 0)
    if augment.zoom:
        height, width = image.shape[:2]
        share = 1 - augment.zoom * u["side"]
        high, wide = max(1, round(height * share)), max(1, round(width * share))
        top, left = round((height - high) * u["top"]), round((width - wide) * u["left"])
        window = image[top : top + high, left : left + wide]
        image = cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR)
    if augment.blur * u["blur"] > 0.1:  # less is no change of an 8-bit image
        image = cv2.GaussianBlur(image, (0, 0), augment.blur * u["blur"])
    if augment.stain:
        names = ("azure", "eosin", "azure_shift", "eosin_shift")
        image = restained(image, *(augment.stain * (2 * u[name] - 1) for name in names))
    if augment.brightness:
        image = cv2.convertScaleAbs(image, alpha=1 + augment.brightness * (2 * u["light"] - 1))
    return image


def restained(
    image: np.ndarray, azure: float, eosin: float, azure_shift: float = 0.0, eosin_shift: float = 0.0
) -> np.ndarray:
    """An image (H, W, 3) uint8 with the amount c of each dye in each pixel changed to c (1 + dye) + shift, uint8.

    Stain jitter after Tellez et al. (2018), on azure B and eosin Y instead of haematoxylin and eosin; what is neither dye
    stays. The shift is weighed by the share of light that the pixel absorbs, so that the background gets no stain.
    """
    scale = np.eye(3) + np.array([azure, eosin]) * AZURE_EOSIN.T @ _UNMIXING
    shift = np.outer(np.array([azure_shift, eosin_shift]) @ AZURE_EOSIN, np.full(3, 1 / 3))
    density = cv2.transform(cv2.LUT(image, _DENSITY), -scale)
    density = cv2.add(density, cv2.transform(cv2.LUT(image, _ABSORBED), -shift))
    return cv2.convertScaleAbs(cv2.exp(density), alpha=255.5, beta=-0.5)


class AugmentedImages:
    """`views` augmented copies of each image, made when they are asked for: what `embed` takes, in flat memory.

    Behaves as an array (views x N, size, size, 3) uint8: all images once, then all again. A copy depends on the image's
    pixels and row, the view, the seed and `augment`, and not on the slice it is asked for in. Images are brought to `size`
    first, so that a blur in pixels means what it does in the other modes.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        images: np.ndarray,
        augment: Augment,
        *,
        seed: int,
        views: int,
        size: int,
        rows: np.ndarray | None = None,
    ) -> None:
        """images: (M, H, W, 3) uint8, may be memory-mapped; rows: the N of them to take (default: all)."""
        check_images(images)
        if views < 1:
            raise ValueError(f"augment.views is {views}; expected 1 or more copies of each training image.")
        self._images, self._augment, self._seed, self._size = images, augment, seed, size
        self._rows = np.arange(len(images)) if rows is None else np.asarray(rows)
        self._views = views
        self.shape = (views * len(self._rows), size, size, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        numbers = np.arange(len(self))[which]
        views, places = np.divmod(numbers, max(1, len(self._rows)))
        rows = self._rows[places]
        images = resize_all(self._images[rows], self._size)
        return _stacked(images.shape, map(self._copy, images, rows.tolist(), views.tolist()))

    def digest(self) -> str:
        """SHA-256 of what the copies are made from: a cache's key, without making them."""
        names = ("flip", "rotate", "zoom", "blur", "stain", "brightness")
        recipe = [f"{name}={float(getattr(self._augment, name))!r}" for name in names]
        recipe += [repr((self._seed, self._views, self._size, self._rows.tolist()))]
        return digest([FORMAT, *recipe, str(self._images.shape), images_digest(self._images)])

    def _copy(self, image: np.ndarray, row: int, view: int) -> np.ndarray:
        draw = np.random.default_rng([self._seed, row, view, _VIEWS]).random(_WIDTH)
        return changed(image, self._augment, draw)


def _stacked(shape: tuple[int, ...], images: Any) -> np.ndarray:
    out = np.empty(shape, np.uint8)
    for place, image in zip(out, images, strict=True):
        place[:] = image
    return out
