"""Shortcuts: how well light, borders, brightness or file size alone tell the classes apart.

A linear discriminant (Fisher 1936) sees a few numbers that know nothing of cells, and predicts images of groups that
it has not seen. What it reaches is compared with chance by permuting labels between groups, since a handful of
patients differ in light by chance alone.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from leukstudy.audit.findings import Finding, Thresholds
from leukstudy.data.measure import MEASURES

_COLOURS = ("red", "green", "blue")
SHORTCUTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "shortcut_background": ("The background's colour", tuple(f"background_{name}" for name in _COLOURS)),
    "shortcut_borders": (
        "Borders and corners",
        (
            *(f"border_{name}" for name in _COLOURS),
            *(name for name in MEASURES if name.startswith(("top_", "bottom_"))),
        ),
    ),
    "shortcut_brightness": ("Brightness and contrast", ("brightness", "contrast")),
    "shortcut_file_size": ("The file size", ("bytes",)),
    "shortcut_image_size": ("The image size", ("width", "height")),
}
"""Check -> what it is called, and what it looks at: columns of the manifest and of `MEASURES`."""

FOLDS, PERMUTATIONS, SAMPLE = 5, 199, 4000
"""Folds of the cross-validation, permutations of the labels, and the most images that are looked at."""

# Counted on a logarithmic scale: twice as large is as far from one as one from a half.
_LOG = ("bytes", "width", "height")


class Shortcut(NamedTuple):
    """What a shortcut reaches; an AUROC is that of one class against the rest, 0.5 by chance.

    auroc: the mean of the classes.
    best: the highest of them, which is what is judged: a shortcut to one class of five hides in the mean.
    p: the share of permutations whose highest is as high; 1 where none were made.
    classes: the AUROC of each class, by label.
    """

    auroc: float
    best: float
    p: float
    classes: dict[str, float]


def shortcuts(kept: pd.DataFrame, thresholds: Thresholds) -> list[Finding]:
    """The five checks `shortcut_...`; `kept` has the manifest's columns and those of `MEASURES`."""
    advice = {
        "shortcut_background": "Normalise the stain and white balance, keep this as a baseline beside every model",
        "shortcut_borders": "Mask what is burnt in, crop the borders, keep this as a baseline beside every model",
        "shortcut_brightness": "Equalise or augment brightness, keep this as a baseline beside every model",
        "shortcut_file_size": "Ask how the files were saved; compression leaves traces in the pixels too",
        "shortcut_image_size": "Resize to one size, and ask why sizes differ: magnification may differ with them",
    }
    found = []
    for check, (name, features) in SHORTCUTS.items():
        reached = shortcut(kept, features, threshold=thresholds.shortcut_auroc)
        if reached is None:
            text = "Fewer than two classes have two groups: nothing can be held out, so nothing is known."
            found.append(Finding(check, "pass", text))
            continue
        label = max(reached.classes, key=reached.classes.get)
        text = f"{name} alone: AUROC {reached.auroc:.2f} on held-out groups (mean of the classes), {label} {reached.best:.2f}"
        if reached.best < thresholds.shortcut_auroc:
            found.append(Finding(check, "pass", f"{text}; the limit is {thresholds.shortcut_auroc:.2f}."))
        elif reached.p > thresholds.shortcut_p:
            text += f"; not above chance (p = {reached.p:.3f}): groups are too few to tell."
            found.append(Finding(check, "pass", text))
        else:
            recognised = [
                name for name, auroc in reached.classes.items() if auroc >= thresholds.shortcut_auroc
            ]
            text += f"; limit {thresholds.shortcut_auroc:.2f}, p = {reached.p:.3f}. Tells {', '.join(recognised)} from the rest."
            words = f"{advice[check]}, and hold out what differs (a laboratory, a slide) as the test."
            rows = kept[kept["label"].isin(recognised)]
            details = [
                (image, "", reached.classes[label], label)
                for image, label in zip(rows["image_id"], rows["label"], strict=True)
            ]
            found.append(Finding(check, "warn", text, words, details))
    return found


def shortcut(
    rows: pd.DataFrame, features: tuple[str, ...], *, threshold: float, seed: int = 0
) -> Shortcut | None:
    """The grouped, cross-validated AUROC of `features` for the labels of `rows` (label, group_id, the features).

    Groups are dealt to folds, so no group is in both training and test. Permutations are made only where the
    highest AUROC reaches `threshold`. Of many images an even sample of each group is taken. None where fewer than two
    classes have two groups: nothing can be held out. The result depends on the rows, not on their order.
    """
    rows = _sample(rows.dropna(subset=list(features)))
    groups = rows.groupby("label")["group_id"].nunique()
    rows = rows[rows["label"].isin(groups.index[groups >= 2])]
    if rows["label"].nunique() < 2:
        return None
    labels, y = np.unique(rows["label"].to_numpy(dtype=str), return_inverse=True)
    # One patient under two labels is two units: what is permuted must have one label.
    unit = rows.groupby(["group_id", "label"], sort=True).ngroup().to_numpy()
    y_unit = np.zeros(unit.max() + 1, int)
    y_unit[unit] = y
    fold = _deal(rows, np.random.default_rng([seed, 1]))
    x = _standardised(rows, features)
    fits = _prepare(x, fold)
    aurocs = _aurocs(_predict(x, y, fold, fits, len(labels)), y, len(labels))
    observed, p = float(aurocs.max()), 1.0
    if observed >= threshold:
        rng = np.random.default_rng([seed, 2])
        reached = 0
        for _ in range(PERMUTATIONS):
            permuted = rng.permutation(y_unit)[unit]
            score = _predict(x, permuted, fold, fits, len(labels))
            reached += _aurocs(score, permuted, len(labels)).max() >= observed
        p = (1 + reached) / (1 + PERMUTATIONS)
    return Shortcut(
        float(aurocs.mean()), observed, p, dict(zip(labels.tolist(), aurocs.tolist(), strict=True))
    )


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    """At most about `SAMPLE` rows, every so manieth of each group, sorted by group and image."""
    rows = rows.sort_values(["label", "group_id", "image_id"], ignore_index=True)
    step = -(-len(rows) // SAMPLE)
    place = rows.groupby(["label", "group_id"]).cumcount()
    return rows[place % step == 0].reset_index(drop=True)


def _deal(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """A fold for each row: groups shuffled and dealt in turn, class by class, at most as many folds as groups."""
    first = rows.drop_duplicates("group_id")
    folds = max(2, min(FOLDS, int(first.groupby("label").size().min())))
    fold: dict[str, int] = {}
    for _, groups in first.groupby("label", sort=True)["group_id"]:
        for group in rng.permutation(groups.to_numpy(dtype=object)):
            fold[group] = len(fold) % folds
    return rows["group_id"].map(fold).to_numpy()


def _standardised(rows: pd.DataFrame, features: tuple[str, ...]) -> np.ndarray:
    x = np.column_stack(
        [
            np.log1p(rows[name].to_numpy(float)) if name in _LOG else rows[name].to_numpy(float)
            for name in features
        ]
    )
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)


def _prepare(x: np.ndarray, fold: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Training rows, test rows and the training rows' X'X of each fold: what no permutation changes."""
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    return [(train, test, x[train].T @ x[train]) for train, test in folds]


def _predict(x: np.ndarray, y: np.ndarray, fold: np.ndarray, fits: list, classes: int) -> np.ndarray:
    """Held-out posteriors (n, classes) of a linear discriminant with a little ridge.

    All classes count as equally common: shares that differ from fold to fold would order the pooled predictions.
    """
    posterior = np.zeros((len(x), classes))
    for train, test, square in fits:
        member = np.eye(classes)[y[train]]
        count = np.maximum(member.sum(axis=0), 1e-9)
        centre = member.T @ x[train] / count[:, None]
        within = (square - (centre * count[:, None]).T @ centre) / len(train)
        axes = np.linalg.solve(within + 1e-3 * np.eye(x.shape[1]), centre.T)
        score = x[test] @ axes - 0.5 * (centre.T * axes).sum(axis=0)
        score = np.exp(score - score.max(axis=1, keepdims=True))
        posterior[test] = score / score.sum(axis=1, keepdims=True)
    return posterior


def _aurocs(score: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """The AUROC of each class against the rest, by ranks, ties counting half."""
    ranks = pd.DataFrame(score).rank().to_numpy()
    positives = np.bincount(y, minlength=classes)
    total = np.array([ranks[y == k, k].sum() for k in range(classes)])
    return (total - positives * (positives + 1) / 2) / np.maximum(positives * (len(y) - positives), 1)
