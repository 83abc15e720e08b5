"""Point estimates from a table of predictions: scores, per-class table, confusion matrix, ROC curve.

A table of predictions has one row an image: image_id, group_id, split, y_true, y_pred (class names) and one
column ``p_<class>`` a class. A task is a mapping: ``classes`` (ordered; class name -> source labels) and
``positive`` (the class that recall, specificity and the ROC curve are about; None where there are more than
two).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

COLUMNS = ("image_id", "group_id", "split", "y_true", "y_pred")
METRICS = ("auroc", "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")
PROBABILITY_TOLERANCE = 1e-3  # rows of float32 probabilities, rounded once on their way through CSV


class PredictionError(ValueError):
    """A table of predictions that cannot be scored; the message says what was found and what to do."""


def task_classes(task: Mapping) -> list[str]:
    """Give the task's class names in order; the place in the list is the class index."""
    return [str(name) for name in task["classes"]]


def check_predictions(predictions: pd.DataFrame, task: Mapping) -> None:
    """Raise `PredictionError` unless the table can answer every metric of the task.

    Refused: missing columns, no rows, an image twice, a class name the task does not have, a class of the
    task without a single image, probabilities that are not finite or whose rows do not sum to 1.
    """
    classes = task_classes(task)
    positive = task.get("positive")
    if len(classes) < 2:
        raise PredictionError(f"the task has {len(classes)} class(es) {classes}; at least 2 are needed.")
    if positive is not None and (positive not in classes or len(classes) != 2):
        raise PredictionError(
            f"the task names '{positive}' positive but its classes are {classes}; a binary task has "
            "two classes and one of them is positive; set positive to null for a task of several classes."
        )
    if positive is None and len(classes) == 2:
        raise PredictionError(
            f"the task has two classes {classes} and no positive one; name one in the task."
        )
    wanted = [*COLUMNS, *(f"p_{name}" for name in classes)]
    missing = [name for name in wanted if name not in predictions.columns]
    if missing:
        raise PredictionError(
            f"the predictions lack the column(s) {missing}; found {list(predictions.columns)}. "
            "Were they made for another task? Run the train stage of this experiment again."
        )
    if predictions.empty:
        raise PredictionError("the table of predictions has no rows: no image is in this split.")
    twice = predictions["image_id"][predictions["image_id"].duplicated()]
    if len(twice):
        raise PredictionError(f"image '{twice.iloc[0]}' is in the predictions more than once.")
    for column in ("y_true", "y_pred"):
        foreign = sorted({str(name) for name in predictions[column]} - set(classes))
        if foreign:
            raise PredictionError(f"{column} holds {foreign}; the task's classes are {classes}.")
    _check_probabilities(predictions, classes)
    absent = [name for name in classes if name not in set(predictions["y_true"])]
    if absent:
        counts = predictions["y_true"].value_counts().sort_index().to_dict()
        raise PredictionError(
            f"no image of class {absent} is in this split (found {counts}): recall and AUROC have no answer. "
            "Bring more groups of that class, choose another split seed, or take the class out of the task."
        )


def _check_probabilities(predictions: pd.DataFrame, classes: list[str]) -> None:
    try:
        values = probabilities(predictions, classes)
    except ValueError as error:
        raise PredictionError(f"a probability is not a number: {error}") from error
    off = ~np.isfinite(values).all(axis=1) | (np.abs(values.sum(axis=1) - 1) > PROBABILITY_TOLERANCE)
    off |= (values < 0).any(axis=1)
    if off.any():
        row = int(np.argmax(off))
        raise PredictionError(
            f"the probabilities of image '{predictions['image_id'].iloc[row]}' are {values[row].tolist()}; "
            f"expected numbers from 0 to 1 that sum to 1 ({int(off.sum())} such image(s)). "
            "Train the model again."
        )


def probabilities(predictions: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Give the (N, K) float64 probabilities in the order of `classes`."""
    return predictions[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64)


def score(predictions: pd.DataFrame, task: Mapping) -> dict[str, float]:
    """Score all rows given: one float a metric, all proportions from 0 to 1.

    Binary tasks: precision, recall (sensitivity), specificity and F1 are those of the positive class, AUROC
    ranks by its probability. Tasks of several classes: macro averages, AUROC is the mean over one-vs-rest;
    specificity is left out. A class that is never predicted has precision 0 and F1 0. Raises
    `PredictionError`.
    """
    check_predictions(predictions, task)
    table = per_class(predictions, task).set_index("class")
    truth, guess = predictions["y_true"].to_numpy(), predictions["y_pred"].to_numpy()
    scores = {"accuracy": float(np.mean(truth == guess)), "balanced_accuracy": float(table["recall"].mean())}
    positive = task.get("positive")
    names = ("precision", "recall", "f1", "auroc")
    if positive is None:
        scores |= {name: float(table[name].mean()) for name in names}
    else:
        scores |= {name: float(table.loc[positive, name]) for name in (*names, "specificity")}
    return {name: scores[name] for name in METRICS if name in scores}


def per_class(predictions: pd.DataFrame, task: Mapping) -> pd.DataFrame:
    """Score each class against the rest: class, precision, recall, specificity, f1, auroc, images, groups."""
    # here and below: scikit-learn takes a second, and stages that only read predictions need none of it
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score  # noqa: PLC0415

    check_predictions(predictions, task)
    classes = task_classes(task)
    truth, guess = predictions["y_true"].to_numpy(), predictions["y_pred"].to_numpy()
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, guess, labels=classes, zero_division=0.0
    )
    values = probabilities(predictions, classes)
    rows = []
    for index, name in enumerate(classes):
        member = truth == name
        rows.append(
            {
                "class": name,
                "precision": precision[index],
                "recall": recall[index],
                "specificity": np.mean(guess[~member] != name),
                "f1": f1[index],
                "auroc": roc_auc_score(member, values[:, index]),
                "images": int(support[index]),
                "groups": int(predictions["group_id"][member].nunique()),
            }
        )
    return pd.DataFrame(rows)


def confusion(predictions: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Count images: rows are the true classes, columns the predicted ones, both in the order of `classes`."""
    from sklearn.metrics import confusion_matrix  # noqa: PLC0415

    counts = confusion_matrix(predictions["y_true"], predictions["y_pred"], labels=classes)
    return pd.DataFrame(
        counts, index=pd.Index(classes, name="true"), columns=pd.Index(classes, name="predicted")
    )


def roc(predictions: pd.DataFrame, task: Mapping, of: str | None = None) -> pd.DataFrame:
    """Give the ROC curve: fpr, tpr (proportions), threshold (probability; infinite at the first point).

    `of` is the class against the rest; without it, the positive class of a binary task, or the macro-average
    of all one-vs-rest curves (vertical averaging, Fawcett 2006), whose threshold is NaN and whose area is
    the macro AUROC. Raises `PredictionError`.
    """
    from sklearn.metrics import roc_curve  # noqa: PLC0415

    check_predictions(predictions, task)
    classes = task_classes(task)
    of = of if of is not None else task.get("positive")
    if of is not None and of not in classes:
        raise PredictionError(f"no class '{of}' in the task; its classes are {classes}.")
    truth, values = predictions["y_true"].to_numpy(), probabilities(predictions, classes)
    curves = [roc_curve(truth == name, values[:, classes.index(name)]) for name in ([of] if of else classes)]
    if of is not None:
        return pd.DataFrame(dict(zip(("fpr", "tpr", "threshold"), curves[0], strict=True)))
    grid = np.unique(np.concatenate([fpr for fpr, _, _ in curves]))
    # Both ends of every vertical step are kept, so that the averaged curve has exactly the averaged area.
    limits = np.mean([_limits(fpr, tpr, grid) for fpr, tpr, _ in curves], axis=0)
    start = np.zeros((1, 2))
    points = np.vstack([start, np.column_stack([np.repeat(grid, 2), limits.T.ravel()])])
    keep = np.append(True, np.any(np.diff(points, axis=0) != 0, axis=1))
    return pd.DataFrame({"fpr": points[keep, 0], "tpr": points[keep, 1], "threshold": np.nan})


def _limits(fpr: np.ndarray, tpr: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Give the (2, len(grid)) lower and upper ends of a stepped curve at each false positive rate."""
    knots, first = np.unique(fpr, return_index=True)
    low, high = tpr[first], tpr[np.append(first[1:], len(fpr)) - 1]
    at = np.searchsorted(knots, grid, side="right") - 1
    after = np.minimum(at + 1, len(knots) - 1)
    span = np.where(after > at, knots[after] - knots[at], 1.0)
    between = high[at] + (grid - knots[at]) / span * (low[after] - high[at])
    exact = knots[at] == grid
    return np.array([np.where(exact, low[at], between), np.where(exact, high[at], between)])
