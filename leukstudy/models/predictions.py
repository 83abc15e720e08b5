"""The table of predictions: what every later stage reads of an experiment."""

import os
from pathlib import Path

import numpy as np
import pandas as pd


def table(rows: pd.DataFrame, y: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Lay out predictions: image_id, group_id, split, y_true, y_pred and one p_<class> a class.

    `rows` are manifest rows (n), `y` (n,) class indices, `probabilities` (n, K) in the order of `classes`. Rows of
    probabilities are brought to a sum of exactly 1 in float64 and rounded to 6 digits, which is more than they are
    worth; the prediction is the most probable class, the first of equals.
    """
    exact = probabilities.astype(np.float64)
    exact = np.round(exact / exact.sum(axis=1, keepdims=True), 6)
    names = np.array(classes)
    given = rows[["image_id", "group_id", "split"]].reset_index(drop=True)
    given = given.assign(y_true=names[y], y_pred=names[exact.argmax(axis=1)])
    return given.assign(**{f"p_{name}": exact[:, index] for index, name in enumerate(classes)})


def write(predictions: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV by way of a temporary file, so that a killed run leaves no half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    predictions.to_csv(part, index=False, lineterminator="\n")
    os.replace(part, path)
