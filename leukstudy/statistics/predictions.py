"""The table of predictions: what every later stage reads of an experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.study.files import write_atomically

COLUMNS = ("image_id", "group_id", "split", "y_true", "y_pred")
GIVEN = ("group_id", "split", "y_true")  # what an image has whoever predicts it
SUM_TOLERANCE = 1e-3  # rows of probabilities, rounded once on their way through CSV


class BadPredictions(ValueError):
    """A table of predictions that is missing, damaged, or of other images; the message says what to do."""


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
    probabilities that are not numbers from 0 to 1 with a sum of 1. Which classes a task has is not asked here.
    """
    advice = "run the train stage of this experiment again"
    text = dict.fromkeys(COLUMNS, str)
    try:
        found = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={})
    except FileNotFoundError:
        raise BadPredictions(f"{path}: no such file; {advice}.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadPredictions(f"{path} is no table of predictions ({error}); {advice}.") from None
    classes = _classes(found)
    missing = [name for name in COLUMNS if name not in found]
    if missing or len(classes) < 2:
        raise BadPredictions(
            f"{path} lacks {missing or 'the p_<class> columns'}; found the columns {list(found.columns)}; {advice}."
        )
    twice = found["image_id"][found["image_id"].duplicated()]
    if len(twice):
        raise BadPredictions(f"{path} holds image '{twice.iloc[0]}' more than once; {advice}.")
    values = found[classes].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    off = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE))
    if off.any():
        row = int(np.argmax(off))
        raise BadPredictions(
            f"{path}: the probabilities of image '{found['image_id'].iloc[row]}' are "
            f"{found[classes].iloc[row].tolist()}; expected numbers from 0 to 1 that sum to 1; {advice}."
        )
    return found


def read_seeds(experiment: str, seeds: Sequence[int], build: Path) -> dict[int, pd.DataFrame]:
    """Read what each seed of an experiment predicts: seed -> table, in the order of `seeds`, rows in one order.

    The first seed's table is the contract's, `<build>/predictions/<experiment>.csv`; every further one is
    `<build>/models/<experiment>/seeds/<seed>.csv`. Raises BadPredictions as `read` does, and where two seeds were
    given other images, groups, splits or labels; ValueError for no seed or one that stands twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds of {experiment}: found {list(seeds)}, expected at least one, each once.")
    files = {seed: path(experiment, seed, seeds, build) for seed in seeds}
    named = {f"seed {seed} of {experiment}": read(file) for seed, file in files.items()}
    return dict(zip(seeds, aligned(named).values(), strict=True))


def aligned(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Give tables of the same images with their rows in the order of the first table, numbered from 0.

    Raises BadPredictions, with the names of the two tables, where they differ in images, groups, splits, true labels or
    classes: numbers of different images can be neither averaged nor combined.
    """
    placed: dict[str, pd.DataFrame] = {}
    first, reference = "", pd.DataFrame()
    for name, given in tables.items():
        if not given["image_id"].is_unique:
            raise BadPredictions(f"{name} holds an image more than once. Run the train stage again.")
        if not placed:
            first, reference = name, given.reset_index(drop=True)
            placed[name] = reference
            continue
        if set(_classes(given)) != set(_classes(reference)):
            raise BadPredictions(
                f"{name} predicts {_classes(given)}, {first} {_classes(reference)}: expected one task's classes."
            )
        alone = sorted(set(reference["image_id"]).symmetric_difference(given["image_id"]))
        if alone or len(given) != len(reference):
            raise BadPredictions(
                f"{name} has {len(given)} images and {first} {len(reference)}; {len(alone)} are in one of them only"
                f"{f' (first: {alone[0]})' if alone else ''}. Were they trained on other data? Run the train stage again."
            )
        placed[name] = given.set_index("image_id").loc[reference["image_id"]].reset_index()[given.columns]
        for column in GIVEN:
            other = (placed[name][column] != reference[column]).to_numpy()
            if other.any():
                row = int(np.argmax(other))
                raise BadPredictions(
                    f"{column} of image '{reference['image_id'][row]}' is '{placed[name][column][row]}' in {name} and "
                    f"'{reference[column][row]}' in {first}: they answer different questions. Run the train stage again."
                )
    return placed


def _classes(predictions: pd.DataFrame) -> list[str]:
    return [name for name in predictions.columns if name.startswith("p_")]
