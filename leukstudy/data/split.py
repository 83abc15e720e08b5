"""Grouped, stratified splits: no group on two sides, every class on every side, images near the fractions.

Groups are dealt one after the other, in natural order of their ids, and each decision looks at earlier groups only:
a split stays as it was when images are added at the end.
"""

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.group import group_counts
from leukstudy.data.sources import external_conflicts

SPLITS = ("train", "val", "test")
"""What models learn from, choose by, and are judged on; `external` comes beside them where sources are kept out."""

EXTERNAL = "external"
SCHEMES = ("grouped", "official", "leave_one_source_out")


def assign(
    manifest: pd.DataFrame,
    *,
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    folds: int = 5,
    seed: int,
    scheme: str = "grouped",
    external: Sequence[str] = (),
    held_out: str | None = None,
) -> pd.DataFrame:
    """The manifest with `split`, `fold`, `split_seed` and `split_hash` filled in; rows keep their order.

    Groups, never images, are dealt out (see `_deal`); the outcome depends on group ids, labels, sizes and seed alone.
    Split is train, val or test, `external` for every image of the sources in `external`, '' where excluded.

    - `grouped`: all groups are dealt by `fractions`.
    - `official`: a group goes where its source's publisher put it (column `official_split`); where the publisher gave
      no validation or no test split, it is dealt from the training groups by the fractions.
    - `leave_one_source_out`: the source `held_out` is the test split, the others are dealt to train and val, and each
      of them is a fold of its own.

    `fold` numbers `folds` cross-validation folds, dealt in the same way among training and validation rows; all other
    rows have -1, so that no tuning can see them. A class with fewer groups than folds is missing from some.

    Raises DataProblem where a class has too few groups or the official split tears a group apart, ValueError for
    impossible arguments.
    """
    if len(fractions) != len(SPLITS) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions are {tuple(fractions)}; expected three positive numbers that sum to 1")
    if folds < 2 or scheme not in SCHEMES:
        raise ValueError(
            f"folds is {folds} and scheme {scheme!r}; expected at least 2, and one of {', '.join(SCHEMES)}"
        )
    _check_apart(manifest, [*external, *filter(None, [held_out])])
    outside = manifest["source"].isin(list(external))
    inside = (manifest["excluded"] == "") & ~outside
    kept = manifest[inside]
    fixed = _fixed_places(kept, scheme, held_out)
    counts = group_counts(kept)
    side = _deal(counts, np.asarray(fractions, dtype=float), seed, fixed)
    _check_covered(counts, side)
    result = manifest.copy()
    names = side.map(dict(enumerate(SPLITS)))
    result["split"] = result["group_id"].map(names).where(inside, "").astype("str")
    result.loc[outside & (manifest["excluded"] == ""), "split"] = EXTERNAL
    developing = inside & (result["split"] != "test")
    if scheme == "leave_one_source_out":
        sources = sorted(result.loc[developing, "source"].unique())
        number = result["source"].map({name: index for index, name in enumerate(sources)})
    else:
        number = _deal(counts[(side != SPLITS.index("test")).to_numpy()], np.full(folds, 1 / folds), seed + 1)
        number = result["group_id"].map(number)
    result["fold"] = number.where(developing, -1).astype("int64")
    return result.assign(split_seed=seed, split_hash=split_hash(result))


def split_hash(manifest: pd.DataFrame) -> str:
    """Hash who is where: the kept images with their groups, splits and folds (16 hex digits), in whatever order."""
    kept = manifest[manifest["excluded"] == ""].sort_values(
        "image_id" if "image_id" in manifest else "group_id"
    )
    columns = [name for name in ("image_id", "group_id", "split", "fold") if name in kept]
    text = kept[columns].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_apart(manifest: pd.DataFrame, tested: Sequence[str]) -> None:
    """Raise DataProblem where a source to be tested on holds the images or patients of one that is learned from."""
    here = set(manifest["source"])
    learned = sorted(here - set(tested))
    for name in [name for name in tested if name in here]:
        same = external_conflicts(name, learned)
        if same:
            raise DataProblem(
                f"{name!r} holds images or patients of {', '.join(same)}: a test on it is no external validation. Leave one "
                "of them out of data.sources"
            )


def _fixed_places(kept: pd.DataFrame, scheme: str, held_out: str | None) -> dict[str, int]:
    """The places that a scheme gives groups before anything is dealt: group_id -> index into SPLITS.

    A place beyond SPLITS, -1, means: deal this group, but never to the test split.
    """
    if scheme == "grouped":
        return {}
    if scheme == "leave_one_source_out":
        test = kept["source"] == held_out
        if not test.any() or test.all():
            raise DataProblem(
                f"split.held_out is {held_out!r}; expected one of several: {sorted(kept['source'].unique())}"
            )
        return {group: 2 if tested else -1 for group, tested in zip(kept["group_id"], test, strict=True)}
    official = kept["official_split"] if "official_split" in kept else pd.Series("", index=kept.index)
    if not (official != "").any():
        raise DataProblem(
            "split.scheme is official, but no source here has an official split; use scheme: grouped"
        )
    table = pd.DataFrame({"group": kept["group_id"], "source": kept["source"], "split": official})
    torn = table.groupby("group")["split"].nunique()
    if (torn > 1).any():
        raise DataProblem(
            f"the official split puts group {torn[torn > 1].index[0]!r} on two sides ({(torn > 1).sum()} groups in all): "
            "it leaks; use scheme: grouped, or set join_near_duplicates: false if its near-duplicates are meant"
        )
    fixed: dict[str, int] = {}
    for _, rows in table[table["split"] != ""].groupby("source"):
        named = set(rows["split"])
        for group, split in zip(rows["group"], rows["split"], strict=True):
            # training groups stay in the hand where the publisher left a later split to us
            dealt = split == "train" and named != set(SPLITS)
            if not dealt:
                fixed[group] = SPLITS.index(split)
            elif "test" in named:
                fixed[group] = -1
    return fixed


def _check_covered(counts: pd.DataFrame, side: pd.Series) -> None:
    for label in counts.columns:
        groups = counts.index[counts[label] > 0]
        lacking = [name for place, name in enumerate(SPLITS) if place not in set(side[groups])]
        if lacking and len(groups) < len(SPLITS):
            raise DataProblem(
                f"class {label!r} has {len(groups)} group(s) of images; at least {len(SPLITS)} are needed, one "
                f"each for {', '.join(SPLITS)}: add patients, make block_size smaller, or leave the class out"
            )
        if lacking:
            raise DataProblem(
                f"class {label!r} has no group in {', '.join(lacking)}: its groups hold other classes too, or the scheme "
                "puts them elsewhere; give groups of one class each, another seed, or scheme: grouped"
            )


def _deal(
    counts: pd.DataFrame, fractions: np.ndarray, seed: int, fixed: dict[str, int] | None = None
) -> pd.Series:
    """The place (index into `fractions`) of every group, by group_id; `counts` is that of `group_counts`.

    Groups come in natural order. Each place is owed its fraction of the images so far; the next group goes at random
    to one of the places, the more likely the more it is owed, and surely where a whole group is owed. The first groups
    of a class go one to each place, in random order. Only earlier groups and their sizes are looked at, and each class
    has a generator of its own: neither later groups nor other classes change a place.
    """
    fixed = fixed or {}
    images, labels, places = counts.to_numpy(dtype=float), counts.columns, len(fractions)
    rngs = [np.random.default_rng([seed, zlib.crc32(label.encode())]) for label in labels]
    opening = [rng.permutation(places) for rng in rngs]
    held = np.zeros((places, len(labels)))  # images that each place holds of each class
    dealt = np.zeros(len(labels))  # groups dealt so far of each class
    place = np.full(len(counts), -1)
    for index, group in enumerate(counts.index):
        classes = np.flatnonzero(images[index] > 0)
        rarest = classes[np.argmin(dealt[classes])]
        draw = rngs[rarest].random()
        open_to = np.ones(places, bool)
        if fixed.get(group, 0) < 0:
            open_to[-1] = False
        elif group in fixed:
            place[index] = fixed[group]
            continue
        total, groups = held[:, classes].sum(axis=0), np.maximum(dealt[classes], 1)
        shares = np.where(open_to, fractions, 0) / fractions[open_to].sum()
        # The next group counts as a mean one.
        owed = shares[:, None] * (total + total / groups) - held[:, classes]
        owed = np.where(open_to, (owed / np.maximum(total / groups, 1)).mean(axis=1), -np.inf)
        empty = [p for p in opening[rarest] if open_to[p] and held[p, rarest] == 0]
        place[index] = empty[0] if empty else _choose(owed, draw)
        held[place[index]] += images[index]
        dealt[classes] += 1
    return pd.Series(place, index=counts.index)


def _choose(owed: np.ndarray, draw: float) -> int:
    """One of the places, `draw` in [0, 1) deciding: surely the one that is owed a whole group, else by what is owed."""
    if owed.max() >= 1:
        return int(np.argmax(owed))
    weights = np.maximum(owed, 0)
    if weights.sum() == 0:
        return int(np.argmax(owed))
    return int(np.searchsorted(np.cumsum(weights) / weights.sum(), draw, side="right").clip(0, len(owed) - 1))
