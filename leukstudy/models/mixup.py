"""MixUp: training examples that are two examples in one, with a target between theirs (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_MIXUP = 3  # last number of a seed, so that partners and augmentation draw apart


def mixup_draws(count: int, alpha: float, seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Each example's partner in its batch (n,), a permutation, and its own share (n,) float32 from Beta(alpha, alpha).

    A function of `seed`, such as (seed, epoch, step). Zhang et al. draw one share a batch; a share an example has
    the same distribution and less noise. A small alpha leaves most examples nearly as they are.
    """
    rng = np.random.default_rng([*seed, _MIXUP])
    return rng.permutation(count), rng.beta(alpha, alpha, count).astype(np.float32)


def mixed(values: np.ndarray, partner: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Each row (n, ...) float32 by its share, plus its partner's by the rest."""
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return values * share + values[partner] * (1 - share)


def mixed_images(images: np.ndarray, partner: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`mixed` of (n, H, W, 3) uint8 images, rounded to uint8: a quarter of the memory on the way to the network."""
    out = np.empty_like(images)
    for place, image, other, part in zip(out, images, images[partner], share.tolist(), strict=True):
        cv2.addWeighted(image, part, other, 1 - part, 0, dst=place)
    return out
