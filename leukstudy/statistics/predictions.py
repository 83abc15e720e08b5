"""The table of predictions of an experiment: its columns, its file, and the checks that every table passes.

A table has one row an image: image_id, group_id, split, y_true and y_pred (class names), and one column `p_<class>` a
class. `Predictions` holds the rows of one split as the arrays that are scored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.study.files import write_atomically

COLUMNS = ("image_id", "group_id", "split", "y_true", "y_pred")
OF_THE_IMAGE = ("group_id", "split", "y_true")  # the same, whichever experiment predicts the image
DIGITS = 6  # of a written probability: more than it is worth
SUM_TOLERANCE = 1e-3  # of a row of probabilities, rounded once on their way through CSV
ADVICE = "run the train stage of this experiment again"


class BadPredictions(ValueError):
    """A table of predictions that is missing, damaged, of other images or of another task; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Checked predictions of N images for a task of K classes; make them with `Predictions.of`."""

    table: pd.DataFrame
    classes: list[str]
    positive: str | None
    """The class that recall, specificity and the ROC curve are about; None for a task of more than two classes."""
    truth: np.ndarray
    """(N, K) bool: the class of each image."""
    guess: np.ndarray
    """(N, K) bool: the predicted class of each image."""
    probabilities: np.ndarray
    """(N, K) float64, in the order of `classes`."""

    @classmethod
    def of(cls, table: pd.DataFrame, classes: Iterable[str], positive: str | None) -> "Predictions":
        """Check that a table can answer every metric of a task with these `classes`, and give its arrays.

        Raises BadPredictions for a task that contradicts itself, no rows, a class name that the task does not have, a
        class of the task without an image, and what `read` refuses.
        """
        classes = [str(name) for name in classes]
        binary = len(classes) == 2
        if len(classes) < 2 or binary != (positive in classes) or positive not in (None, *classes):
            raise BadPredictions(
                f"the task has the classes {classes} and the positive one {positive}; expected at least 2 classes, one of "
                "them positive where there are two, and none where there are more."
            )
        if table.empty:
            raise BadPredictions("the table of predictions has no rows: no image is in this split.")
        probabilities = _checked_probabilities(table, classes, "the table")
        for column in ("y_true", "y_pred"):
            if foreign := sorted({str(name) for name in table[column]} - set(classes)):
                raise BadPredictions(f"{column} holds {foreign}; the task's classes are {classes}.")
        truth, guess = (table[name].to_numpy()[:, None] == np.array(classes) for name in ("y_true", "y_pred"))
        if absent := [name for name, held in zip(classes, truth.any(axis=0), strict=True) if not held]:
            counts = table["y_true"].value_counts().sort_index().to_dict()
            raise BadPredictions(
                f"no image of class {absent} is in this split (found {counts}): recall and AUROC have no answer. "
                "Bring more groups of that class, choose another split seed, or take the class out of the task."
            )
        return cls(table, classes, positive, truth, guess, probabilities)


def _checked_probabilities(table: pd.DataFrame, classes: list[str], name: str) -> np.ndarray:
    """Check what every table must hold, whatever its task, and give the probabilities of `classes`: (N, K) float64."""
    columns = [f"p_{label}" for label in classes]
    missing = [column for column in (*COLUMNS, *columns) if column not in table]
    if missing or len(columns) < 2:
        raise BadPredictions(
            f"{name} lacks {missing or 'the p_<class> columns'}; found the columns {list(table.columns)}. "
            f"Was it made for another task? If so, {ADVICE}."
        )
    _check_unique(table, name)
    values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE))
    if bad.any():
        row = table.iloc[int(np.argmax(bad))]
        raise BadPredictions(
            f"{name}: the probabilities of image '{row['image_id']}' are {row[columns].tolist()}; expected numbers from 0 "
            f"to 1 that sum to 1 ({int(bad.sum())} such image(s)); {ADVICE}."
        )
    return values


def _check_unique(table: pd.DataFrame, name: str) -> None:
    repeated = table["image_id"][table["image_id"].duplicated()]
    if len(repeated):
        raise BadPredictions(f"{name} holds image '{repeated.iloc[0]}' more than once; {ADVICE}.")


def table(rows: pd.DataFrame, y: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Lay out predictions: image_id, group_id, split, y_true, y_pred and one p_<class> a class.

    `rows` are manifest rows (n), `y` (n,) class indices, `probabilities` (n, K) in the order of `classes`. Each row of
    probabilities is scaled to a sum of 1 in float64 and rounded to 6 digits; the prediction is the most probable class,
    the first of equals.
    """
    exact = probabilities.astype(np.float64)
    exact = np.round(exact / exact.sum(axis=1, keepdims=True), DIGITS)
    names = np.array(classes)
    images = rows[["image_id", "group_id", "split"]].reset_index(drop=True)
    images = images.assign(y_true=names[y], y_pred=names[exact.argmax(axis=1)])
    return images.assign(**{f"p_{name}": exact[:, index] for index, name in enumerate(classes)})


def write(predictions: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV in one step, so that a killed run leaves no half of one."""
    write_atomically(path, lambda part: predictions.to_csv(part, index=False, lineterminator="\n"))


def path(experiment: str, seed: int, seeds: Sequence[int], build: Path) -> Path:
    """Where a seed's table lies: the first of `seeds` is the contract's, the others' are kept beside the model."""
    if seed == seeds[0]:
        return build / "predictions" / f"{experiment}.csv"
    return build / "models" / experiment / "seeds" / f"{seed}.csv"


def read(path: Path) -> pd.DataFrame:
    """Read a table of predictions with names as text: a class or group called `NA` or `007` keeps its name.

    Raises BadPredictions where the file is missing or no CSV, lacks columns, holds an image twice, or holds
    probabilities that are not numbers from 0 to 1 with a sum of 1. `Predictions.of` checks the classes of a task.
    """
    try:
        predictions = pd.read_csv(path, dtype=dict.fromkeys(COLUMNS, str), keep_default_na=False)
    except FileNotFoundError:
        raise BadPredictions(f"{path}: no such file; {ADVICE}.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadPredictions(f"{path} is no table of predictions ({error}); {ADVICE}.") from None
    _checked_probabilities(predictions, classes_of(predictions), str(path))
    return predictions


def read_seeds(experiment: str, seeds: Sequence[int], build: Path) -> dict[int, pd.DataFrame]:
    """Read what each seed of an experiment predicts: seed -> table, in the order of `seeds`, rows in one order.

    `path` says where they lie. Raises BadPredictions as `read` does, and where two seeds differ in images, groups, splits
    or labels.
    """
    tables = {f"seed {seed} of {experiment}": read(path(experiment, seed, seeds, build)) for seed in seeds}
    return dict(zip(seeds, aligned(tables).values(), strict=True))


def aligned(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Give tables of the same images with their rows in the order of the first table, numbered from 0.

    Raises BadPredictions, with the names of the two tables, where they differ in images, groups, splits, true labels or
    classes: numbers of different images can be neither averaged nor combined.
    """
    first, reference = next(iter(tables.items()))
    reference = reference.reset_index(drop=True)
    ordered = {}
    for name, table in tables.items():
        _check_unique(table, name)
        if set(classes_of(table)) != set(classes_of(reference)):
            raise BadPredictions(
                f"{name} predicts {classes_of(table)}, {first} {classes_of(reference)}: expected one task's classes."
            )
        if alone := sorted(set(reference["image_id"]).symmetric_difference(table["image_id"])):
            raise BadPredictions(
                f"{name} has {len(table)} images and {first} {len(reference)}; {len(alone)} are in one of them only "
                f"(first: {alone[0]}). Were they trained on other data? Run the train stage again."
            )
        rows = table.set_index("image_id").loc[reference["image_id"]].reset_index()[table.columns]
        for column in OF_THE_IMAGE:
            different = rows[column] != reference[column]
            if different.any():
                row = int(different.argmax())
                raise BadPredictions(
                    f"{column} of image '{reference['image_id'][row]}' is '{rows[column][row]}' in {name} and "
                    f"'{reference[column][row]}' in {first}: they answer different questions. Run the train stage again."
                )
        ordered[name] = rows
    return ordered


def classes_of(predictions: pd.DataFrame) -> list[str]:
    """Name the classes whose probabilities a table holds, in the order of its columns."""
    return [name.removeprefix("p_") for name in predictions.columns if name.startswith("p_")]
