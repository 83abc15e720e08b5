"""Oversampling that counts patients, not images: rare classes are repeated, and no patient speaks for all."""

from __future__ import annotations

import numpy as np


def oversample(y: np.ndarray, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Row numbers in which every class of y (n,) has as many rows as the largest: all n rows, then the repeats.

    Within a class the repeats are dealt to its groups (n,) evenly, one more to some by lot where they do not divide; within
    a group its rows are taken in turn, in an order by lot. A patient with many images is so repeated no oftener
    than one with few. Without groups each row is its own. Equal arguments give equal rows; give training rows only.
    """
    y = np.asarray(y)
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    if len(groups) != len(y):
        raise ValueError(f"oversample: found {len(groups)} groups for {len(y)} rows; expected one a row.")
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(y, return_counts=True)
    repeats = [np.arange(len(y))]
    for label, count in zip(classes, counts, strict=True):
        rows, extra = np.flatnonzero(y == label), counts.max() - count
        members = [rng.permutation(rows[groups[rows] == group]) for group in np.unique(groups[rows])]
        each, rest = divmod(extra, len(members))
        lucky = set(rng.permutation(len(members))[:rest].tolist())
        repeats += [np.resize(own, each + (number in lucky)) for number, own in enumerate(members)]
    return np.concatenate(repeats)
