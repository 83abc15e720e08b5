"""Point estimates from predictions: scores, scores of each class, confusion matrix, ROC curve.

Every score is defined once, for rows of weights: a resample's weights are how often each image was drawn, and the plain
estimate is that of equal weights.
"""

import numpy as np
import pandas as pd

from leukstudy.statistics.predictions import Predictions
from leukstudy.statistics.resampling import weighted_auroc

METRICS = ("auroc", "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")


def score(predictions: Predictions) -> dict[str, float]:
    """Score all images: one float a metric, all proportions from 0 to 1 (see `weighted_scores`)."""
    scores = weighted_scores(predictions, np.ones((1, len(predictions.table))))
    return {name: float(values[0]) for name, values in scores.items()}


def weighted_scores(predictions: Predictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Score the images once a row of `weights` (R, N): metric -> (R,) float64; an image of weight 2 counts as two.

    Binary tasks: precision, recall (sensitivity), specificity and F1 are those of the positive class, AUROC ranks by its
    probability. Tasks of several classes: macro averages, AUROC is the mean over one-vs-rest; specificity is left out. A
    class that is never predicted has precision 0 and F1 0. Every class must have a positive weight in every row.
    """
    truth, right = predictions.truth, predictions.truth & predictions.guess
    classes = predictions.classes if predictions.positive is None else [predictions.positive]
    by_class = _class_scores(predictions, weights, classes)
    if predictions.positive is None:
        del by_class["specificity"]
    scores = {name: values.mean(axis=1) for name, values in by_class.items()}
    scores["accuracy"] = (weights @ right).sum(axis=1) / weights.sum(axis=1)
    scores["balanced_accuracy"] = ((weights @ right) / (weights @ truth)).mean(axis=1)
    return {name: scores[name] for name in METRICS if name in scores}


def _class_scores(predictions: Predictions, weights: np.ndarray, classes: list[str]) -> dict[str, np.ndarray]:
    """Score each of `classes` against the rest under each row of weights: metric -> (R, classes) float64."""
    place = [predictions.classes.index(name) for name in classes]
    truth, guess = predictions.truth[:, place], predictions.guess[:, place]
    probabilities = predictions.probabilities[:, place]
    hits, actual, predicted = weights @ (truth & guess), weights @ truth, weights @ guess
    total = weights.sum(axis=1, keepdims=True)
    curves = [weighted_auroc(truth[:, k], probabilities[:, k], weights) for k in range(len(classes))]
    return {
        "precision": np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0),
        "recall": hits / actual,
        "specificity": 1 - (predicted - hits) / (total - actual),
        "f1": 2 * hits / (actual + predicted),
        "auroc": np.stack(curves, axis=1),
    }


def per_class(predictions: Predictions) -> pd.DataFrame:
    """Score each class against the rest: class, precision, recall, specificity, f1, auroc, images, groups."""
    scores = _class_scores(predictions, np.ones((1, len(predictions.table))), predictions.classes)
    table = pd.DataFrame({name: values[0] for name, values in scores.items()})
    groups = predictions.table.groupby("y_true")["group_id"].nunique()
    table = table.assign(images=predictions.truth.sum(axis=0), groups=groups[predictions.classes].to_numpy())
    table.insert(0, "class", predictions.classes)
    return table


def confusion(predictions: Predictions) -> np.ndarray:
    """Count images: (K, K) int64, rows the true classes, columns the predicted ones, both in the order of `classes`."""
    return predictions.truth.T.astype(np.int64) @ predictions.guess


def roc(predictions: Predictions) -> pd.DataFrame:
    """Give the ROC curve: fpr, tpr (proportions), threshold (probability; infinite at the first point).

    It is that of the positive class; of several classes the macro-average of all one-vs-rest curves (vertical averaging,
    Fawcett 2006), whose threshold is NaN and whose area is the macro AUROC.
    """
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - it takes a second, and few stages need it

    classes = predictions.classes if predictions.positive is None else [predictions.positive]
    place = [predictions.classes.index(name) for name in classes]
    curves = [roc_curve(predictions.truth[:, k], predictions.probabilities[:, k]) for k in place]
    if len(curves) == 1:
        return pd.DataFrame(dict(zip(("fpr", "tpr", "threshold"), curves[0], strict=True)))
    grid = np.unique(np.concatenate([fpr for fpr, _, _ in curves]))
    # Both ends of every vertical step are kept, so that the averaged curve has exactly the averaged area.
    ends = np.mean([_vertical_ends(fpr, tpr, grid) for fpr, tpr, _ in curves], axis=0)
    points = np.vstack([np.zeros((1, 2)), np.column_stack([np.repeat(grid, 2), ends.T.ravel()])])
    keep = np.append(True, np.any(np.diff(points, axis=0) != 0, axis=1))
    return pd.DataFrame({"fpr": points[keep, 0], "tpr": points[keep, 1], "threshold": np.nan})


def _vertical_ends(fpr: np.ndarray, tpr: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Give the (2, len(grid)) lower and upper ends of a stepped curve at each false positive rate; `fpr` is in the grid."""
    knots, first = np.unique(fpr, return_index=True)
    last = np.append(first[1:], len(fpr)) - 1
    ends = np.tile(np.interp(grid, fpr, tpr), (2, 1))
    ends[:, np.isin(grid, knots)] = tpr[first], tpr[last]
    return ends
