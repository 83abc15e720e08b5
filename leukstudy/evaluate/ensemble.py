"""Ensembles: one table of predictions from those of several experiments, as their mean or stacked.

`mean` is the mean of the members' probabilities. `stacked` weighs the members by how well they do on the validation
split (stacked generalisation, Wolpert 1992): the log-probability of a class is the weighted sum of the members', brought
to a sum of 1. That is a logistic regression (of several classes: McFadden's conditional logit, 1974) with one coefficient
a member. Few validation groups are the reason for what it leaves out:

- One weight a member, not one a member and class, and no intercept: the balance between the classes stays as trained.
- Weights are at least 0 (Breiman 1996, "Stacked regressions"): no member is believed to be right in being wrong.
- Each group counts once, its images sharing its weight: images of one patient are no independent witnesses.
- A ridge penalty pulls the weights to 1/M each, the members' geometric mean, not to 0. It is worth `PENALTY` times half a
  squared distance against a loss that is a sum over groups: a handful of groups moves the weights little, and dozens decide.

Networks stop early by the same validation split, so stacking sees them a little better than they are; the pull towards equal
weights bounds what that does, and `mean` has no such trouble. Test and external rows have no part in any of it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from leukstudy.statistics.predictions import BadPredictions, aligned, classes_of, table

COMBINATIONS = ("mean", "stacked")
PENALTY = 1.0
FLOOR = 1e-6  # the resolution of the tables: a probability of 0 has no logarithm
DIGITS = 6  # of the weights, so that another machine's last bits do not show


def average(seeds: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Give the table of an experiment's mean probability over its seeds; a single seed's table comes back as it is."""
    tables = {f"seed {seed}": predictions for seed, predictions in seeds.items()}
    first = next(iter(tables.values()))
    if len(tables) == 1:
        return first
    tables, classes = aligned(tables), classes_of(first)
    return _table(tables, _probabilities(tables, classes).mean(axis=0), classes)


def combine(members: Mapping[str, pd.DataFrame], combination: str, classes: list[str]) -> pd.DataFrame:
    """Combine the predictions of at least two experiments of one task into a table of the same columns.

    `members`: experiment -> its table of predictions (`average` of its seeds), with the probabilities p_<class> of the
    task's `classes`. `combination`: mean | stacked, as the module says; stacked is fitted on the rows of split `val` alone
    and applied to all. Rows come in the order of the first member. Raises ValueError for another `combination` or a lone
    member, BadPredictions for members of other images, labels or classes, or without the validation rows that stacking
    needs.
    """
    if combination not in COMBINATIONS:
        raise ValueError(f"combine: found '{combination}', expected one of {', '.join(COMBINATIONS)}.")
    members = _aligned_members(members, classes)
    chances = _probabilities(members, classes)
    if combination == "mean":
        return _table(members, chances.mean(axis=0), classes)
    weights = np.array(list(stacking_weights(members, classes).values()))
    scores = np.tensordot(weights, np.log(np.maximum(chances, FLOOR)), 1)
    return _table(members, np.exp(scores - scores.max(axis=1, keepdims=True)), classes)


def stacking_weights(members: Mapping[str, pd.DataFrame], classes: list[str]) -> dict[str, float]:
    """Fit the weight of each member on the validation rows, as the module says: member -> weight, 0 or more.

    They need not sum to 1: below it, the members together are surer than they should be. Raises as `combine` does.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - scipy takes a second, and `mean` does without
    from scipy.special import log_softmax  # noqa: PLC0415

    members = _aligned_members(members, classes)
    first = next(iter(members.values()))
    val = (first["split"] == "val").to_numpy()
    held = first.loc[val, "y_true"].nunique()
    if held < 2:
        raise BadPredictions(
            f"stacking is fitted on the validation split, which holds {int(val.sum())} image(s) of "
            f"{held} class(es); expected two classes or more. Use combine: mean."
        )
    logs = np.log(np.maximum(_probabilities(members, classes)[:, val], FLOOR))
    y = pd.Index(classes).get_indexer(first.loc[val, "y_true"])
    share = group_shares(first.loc[val, "group_id"])
    even, rows = 1 / len(members), np.arange(len(y))
    right = logs[:, rows, y]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        log_chances = log_softmax(np.tensordot(weights, logs, 1), axis=1)
        expected = (np.exp(log_chances) * logs).sum(axis=2)
        pull = weights - even
        value = -(share * log_chances[rows, y]).sum() + PENALTY / 2 * (pull**2).sum()
        return value, ((expected - right) * share).sum(axis=1) + PENALTY * pull

    start, bounds = np.full(len(members), even), [(0, None)] * len(members)
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000}
    fit = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return {name: round(float(weight), DIGITS) + 0.0 for name, weight in zip(members, fit.x, strict=True)}


def group_shares(groups: pd.Series) -> np.ndarray:
    """The weight of each row (N,), where each group counts once and its rows share its weight."""
    return 1 / groups.map(groups.value_counts()).to_numpy(np.float64)


def composition(members: Mapping[str, pd.DataFrame], combination: str, classes: list[str]) -> str:
    """Say what an ensemble is made of: `mean of a, b`, or `stacked: 0.81 a, 0.12 b` with the weights."""
    if combination == "mean":
        return f"mean of {', '.join(members)}"
    weights = stacking_weights(members, classes)
    return f"stacked: {', '.join(f'{weight:.2f} {name}' for name, weight in weights.items())}"


def _aligned_members(members: Mapping[str, pd.DataFrame], classes: list[str]) -> dict[str, pd.DataFrame]:
    if len(members) < 2:
        raise ValueError(f"an ensemble of {list(members)}; expected at least two experiments.")
    for name, predictions in members.items():
        present = [*classes_of(predictions), *sorted(set(predictions["y_true"]) - set(classes))]
        if present != list(classes):
            raise BadPredictions(
                f"member {name} has the classes {present}, the ensemble's task has {list(classes)}; name experiments of "
                "one task."
            )
    return aligned(members)


def _table(members: Mapping[str, pd.DataFrame], chances: np.ndarray, classes: list[str]) -> pd.DataFrame:
    rows = next(iter(members.values()))
    return table(rows, pd.Index(classes).get_indexer(rows["y_true"]), chances, classes)


def _probabilities(members: Mapping[str, pd.DataFrame], classes: list[str]) -> np.ndarray:
    """(M, N, K) float64, in the order of the members, the first member's rows and `classes`."""
    columns = [f"p_{name}" for name in classes]
    return np.stack([predictions[columns].to_numpy(np.float64) for predictions in members.values()])
