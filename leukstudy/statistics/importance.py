"""Which features carry a classical model: permutation importance of families of correlated features.

A feature that is permuted alone loses nothing where its twin still tells the same, so features that rise and fall together
are permuted together, and the family gets the score.
"""

from typing import Any

import numpy as np
import pandas as pd

from leukstudy.statistics.correlation import family_name
from leukstudy.statistics.resampling import weighted_auroc


def importance(
    model: Any, table: pd.DataFrame, y: np.ndarray, families: list[list[str]], *, repeats: int = 20, seed: int
) -> pd.DataFrame:
    """Permute each family of columns `repeats` times and see how far the AUROC falls (Breiman 2001).

    model: a fitted scikit-learn pipeline; table: (N, F) the columns it reads, of validation rows; y (N,) class indices;
    families: lists of columns of the table. Columns of the result, greatest loss first: family (a readable
    name), features (all of them), drop (the mean), low and high (the middle 95% of the repeats: how much the result
    depends on the shuffle, not on which patients are in the split). AUROC is that of the second of two classes, or the
    mean of one against the rest. Raises ValueError where y holds one class only.
    """
    values, n = table.to_numpy(), len(table)
    if len(np.unique(y)) < 2:
        raise ValueError("permutation importance needs images of two classes or more in the validation split")
    whole = auroc(model.predict_proba(values), y)
    # Every family meets the same shuffles. All repeats of a family are predicted in one call: scikit-learn's
    # permutation_importance, which asks for each by itself, takes a forest of 500 trees over ten times as long.
    shuffles = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (repeats, 1)), axis=1)
    drops = np.zeros((len(families), repeats))
    for drop, family in zip(drops, families, strict=True):
        places = [table.columns.get_loc(name) for name in family]
        if not np.ptp(np.nan_to_num(values[:, places]), axis=0).any():
            continue  # the same in every image: nothing to shuffle
        shuffled = np.tile(values, (repeats, 1))
        shuffled[:, places] = values[shuffles.ravel()][:, places]
        chances = model.predict_proba(shuffled).reshape(repeats, n, -1)
        drop[:] = [whole - auroc(part, y) for part in chances]
    low, high = np.quantile(drops, [0.025, 0.975], axis=1)
    result = pd.DataFrame({"family": map(family_name, families), "features": map(", ".join, families)})
    result = result.assign(drop=drops.mean(axis=1), low=low, high=high)
    return result.sort_values("drop", ascending=False, kind="stable", ignore_index=True)


def most_missed(table: pd.DataFrame, most: int = 5) -> str:
    """List the `most` families of `importance` that the model misses most, all their features named, in Markdown."""
    missed = table[table["low"] > 0].head(most)
    if missed.empty:
        return "No family of features is missed in more than 97.5% of the shuffles."
    names = missed["features"].str.replace(", ", "`, `")
    rows = zip(names, missed["drop"], missed["low"], missed["high"], strict=True)
    return "\n".join(f"- `{name}`: {drop:.3f} [{low:.3f}, {high:.3f}]" for name, drop, low, high in rows)


def auroc(chances: np.ndarray, y: np.ndarray) -> float:
    """AUROC of (N, K) probabilities: of the second of two classes, else the mean over the classes that y has."""
    classes = [1] if chances.shape[1] == 2 else np.unique(y).tolist()
    weights = np.ones((1, len(y)))
    return float(np.mean([weighted_auroc(y == k, chances[:, k], weights)[0] for k in classes]))
