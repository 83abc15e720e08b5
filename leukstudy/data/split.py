"""Grouped, stratified splits: no group on two sides, every class on every side, images near the fractions."""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukstudy.data import DataProblem

SPLITS = ("train", "val", "test")
# Groups differ in size, so one shuffle may miss the fractions by a group; the best of a few seldom does.
SHUFFLES = 16


def assign(
    manifest: pd.DataFrame, *, fractions: Sequence[float] = (0.70, 0.15, 0.15), folds: int = 5, seed: int
) -> pd.DataFrame:
    """The manifest with `split` (train, val, test; '' where excluded) and `fold` filled in.

    Groups, never images, are dealt out. Within each class (the rarest first) the groups are shuffled by
    `seed` and each goes where most images of its class are still missing, except that a split still without
    the class has the last groups kept for it; of several shuffles the one nearest to `fractions` is taken.
    A group of several classes counts for all of them. The outcome depends on group ids, labels and seed
    alone; the rows keep their order.

    `fold` numbers `folds` cross-validation folds, dealt in the same way among the training and validation
    rows; test rows have fold -1, as excluded rows have, so that no tuning can see them. A class with fewer
    groups than folds is missing from some folds.

    Raises DataProblem where a class has fewer groups than splits, ValueError for impossible arguments.
    """
    if len(fractions) != len(SPLITS) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions are {tuple(fractions)}; expected three positive numbers that sum to 1")
    if folds < 2:
        raise ValueError(f"folds is {folds}; expected at least 2")
    kept = manifest["excluded"] == ""
    counts = _counts(manifest[kept])
    for label in counts.columns:
        groups = int((counts[label] > 0).sum())
        if groups < len(SPLITS):
            raise DataProblem(
                f"class {label!r} has {groups} group(s) of images; at least {len(SPLITS)} are needed, one "
                f"each for {', '.join(SPLITS)}: add patients, make block_size smaller, or leave the class out"
            )
    side = _deal(counts, np.asarray(fractions, dtype=float), seed)
    for label in counts.columns:
        present = set(side[counts[label] > 0])
        lacking = [name for place, name in enumerate(SPLITS) if place not in present]
        if lacking:
            raise DataProblem(
                f"class {label!r} cannot be dealt to {', '.join(lacking)}: its groups hold other classes "
                "too; give groups of one class each, or another seed"
            )
    result = manifest.copy()
    names = side.map(dict(enumerate(SPLITS)))
    result["split"] = result["group_id"].map(names).where(kept, "").astype("str")
    developing = counts[(side != SPLITS.index("test")).to_numpy()]
    number = _deal(developing, np.full(folds, 1 / folds), seed + 1)
    number = result["group_id"].map(number).where(kept & (result["split"] != "test"), -1)
    result["fold"] = number.astype("int64")
    return result


def _counts(kept: pd.DataFrame) -> pd.DataFrame:
    """Images by group (sorted) and label (sorted)."""
    return kept.groupby(["group_id", "label"]).size().unstack(fill_value=0).sort_index().sort_index(axis=1)


def _deal(counts: pd.DataFrame, fractions: np.ndarray, seed: int) -> pd.Series:
    """The place (index into `fractions`) of every group, by group_id."""
    images = counts.to_numpy()
    missing = np.outer(fractions, images.sum(axis=0))  # (places, classes): images still wanted there
    place = np.full(len(counts), -1)
    for column in sorted(range(images.shape[1]), key=lambda c: ((images[:, c] > 0).sum(), counts.columns[c])):
        # A generator a class: adding a class to the study leaves the others' shuffles as they were.
        rng = np.random.default_rng([seed, zlib.crc32(counts.columns[column].encode())])
        waiting = np.flatnonzero((images[:, column] > 0) & (place < 0))
        tries = [_fill(images, rng.permutation(waiting), column, missing, place) for _ in range(SHUFFLES)]
        missing, place = min(tries, key=lambda result: float(np.abs(result[0][:, column]).sum()))
    return pd.Series(place, index=counts.index)


def _fill(
    images: np.ndarray, order: np.ndarray, column: int, missing: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What is missing where, and who is where, after dealing the groups in `order` for one class."""
    missing, place = missing.copy(), place.copy()
    covered = np.isin(np.arange(len(missing)), place[images[:, column] > 0])
    for done, group in enumerate(order):
        gain = missing @ images[group]
        if not covered.all() and (~covered).sum() >= len(order) - done:
            gain = np.where(covered, -np.inf, gain)
        best = int(np.argmax(gain))
        place[group] = best
        missing[best] -= images[group]
        covered[best] = True
    return missing, place
