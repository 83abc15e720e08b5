"""How far do images fall apart by class, and how much of that is the group's or the source's doing?

Projections for the eye, a silhouette for the distances, and a linear probe for what can be learned: once tested on groups
that it has never seen, once with the images of each group on both sides. The gap between the two is what recognising
patients is worth. Test rows have no place here: pass training and validation rows only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leukstudy.statistics.resampling import draw_groups

SHOWN = 1500  # images drawn and compared at most: t-SNE of so many takes a few seconds
NEIGHBOURS = 30.0  # t-SNE's perplexity, lowered where there are few images
ITERATIONS = 500  # of t-SNE: beyond them the phantom's picture no longer changes


@dataclass(frozen=True)
class Probe:
    """The balanced accuracy of a cross-validated linear probe; see `probe`."""

    value: float
    low: float
    """The lower bound, as `high` the upper one, over resamples of whole groups."""
    high: float
    torn: float
    """The same with the images dealt to the folds one by one, whatever their groups."""
    chance: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Separation:
    """What separates the images; see `separate`."""

    by: dict[str, np.ndarray]
    """class, the unit of grouping, source -> names (n,) of the images drawn."""
    projections: dict[str, np.ndarray]
    """PCA and t-SNE -> (n, 2) places of the images drawn."""
    silhouettes: dict[str, float]
    """Of the images drawn, for each entry of `by`."""
    probes: dict[str, Probe]
    """class; blind (the class, from what knows nothing of cells); source, where there are several."""
    unit: str
    images: int


def separate(
    columns: np.ndarray,
    rows: pd.DataFrame,
    labels: Sequence[str],
    *,
    unit: str,
    seed: int,
    blind: np.ndarray | None = None,
    most: int = SHOWN,
) -> Separation:
    """Look at images by the columns (N, D) measured on them: features, or an embedding.

    `rows` are their manifest rows, `labels` (N,) their classes, `unit` the group level as a noun. `blind` (N, B) are columns
    that know nothing of cells (colours of the whole image, its corners): what they tell of the class is no biology. Of more
    than `most` images, `most` are drawn, evenly over the groups; the probes see all. With fewer than 4 images, 2 columns
    that vary or 2 classes there is nothing to look at: no projections and no probes. Raises ValueError for rows of the
    test split or of external sources.
    """
    if unseen := sorted(set(rows["split"]) - {"train", "val"}):
        raise ValueError(f"rows of the split(s) {unseen}: exploration has training and validation rows only")
    labels, columns, groups = np.asarray(labels, dtype=str), np.asarray(columns), rows["group_id"]
    by = {"class": labels, unit: groups.to_numpy(), "source": rows["source"].to_numpy()}
    chosen = sample_by_group(groups, most, seed=seed)
    standard = standardise(columns[chosen]) if columns.size else np.empty((0, 0))
    if len(standard) < 4 or standard.shape[1] < 2 or len(np.unique(labels)) < 2:
        return Separation(by, {}, {}, {}, unit, len(rows))
    projections = project(standard, seed=seed)
    probes = {"class": probe(columns, labels, groups, rows["fold"], seed=seed)}
    if blind is not None and np.size(blind):
        probes["blind"] = probe(np.asarray(blind), labels, groups, rows["fold"], seed=seed)
    if rows["source"].nunique() > 1:
        probes["source"] = probe(columns, by["source"], groups, _source_folds(rows), seed=seed)
    by = {criterion: np.asarray(names, dtype=str)[chosen] for criterion, names in by.items()}
    return Separation(by, projections, silhouettes(standard, by), probes, unit, len(rows))


def sentence(separation: Separation) -> str:
    """Say what separates the images, and how much of it is the group's or the source's doing."""
    images, unit, probes = separation.images, separation.unit, separation.probes
    if not probes:
        return f"Nothing to separate: {images} image(s), or features that are the same in all of them."
    finite = {name: score for name, score in separation.silhouettes.items() if np.isfinite(score)}
    scores = ", ".join(f"{name} {round(score, 2) + 0.0:.2f}" for name, score in finite.items())
    classes = probes["class"]
    gap = classes.torn - classes.value
    worth = f"{gap:.2f} of that would have been recognising the {unit}"
    text = (
        f"Mean silhouettes of {len(separation.by['class']):,} images (1 is far apart, 0 and below is mixed): {scores}. "
        f"A linear probe names the class of images of a {unit} that it has never seen with a balanced accuracy of "
        f"{classes}, over {images:,} images of the training and validation splits; chance is {classes.chance:.2f}. "
        f"With the images of each {unit} torn apart it would have read {classes.torn:.2f}, so "
        f"{worth if gap >= 0.005 else f'recognising the {unit} helps little here'}. "
    )
    if "blind" in probes:
        text += (
            "The colours and corners of the whole image, which know nothing of cells, tell the class of unseen "
            f"{unit}s with {probes['blind']}: as much of the separation may be stain and light. "
        )
    if "source" not in probes:
        return (
            text + "All images come from one source, so another laboratory's look cannot be told from this."
        )
    return text + (
        f"The same probe names the source with {probes['source'].value:.2f} (chance {probes['source'].chance:.2f}): where "
        "sources hold different classes, telling laboratories apart passes for telling classes apart."
    )


def _source_folds(rows: pd.DataFrame, count: int = 5) -> np.ndarray:
    """Folds (N,) of whole groups in which every source stands on both sides, which the manifest's need not give."""
    pairs = rows[["source", "group_id"]].drop_duplicates().sort_values(["source", "group_id"])
    number = pd.Series(pairs.groupby("source").cumcount().to_numpy() % count, index=pairs["group_id"])
    return rows["group_id"].map(number[~number.index.duplicated()]).to_numpy()


def sample_by_group(groups: Sequence[str], most: int, *, seed: int) -> np.ndarray:
    """Choose at most `most` rows, as evenly over the groups as can be; gives their positions in ascending order.

    Each group's rows are put in random order, and groups give one row a turn until there are enough.
    """
    shuffled, turn = _shuffled_turns(np.asarray(groups, dtype=str), seed)
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:most]])


def _shuffled_turns(names: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions in random order, and for each how many of the same name come before it."""
    shuffled = np.random.default_rng(seed).permutation(len(names))
    return shuffled, pd.Series(names[shuffled]).groupby(names[shuffled]).cumcount().to_numpy()


def standardise(columns: np.ndarray) -> np.ndarray:
    """(N, D) to (N, D') float64 of mean 0 and variance 1: gaps take the median, constant columns go."""
    values = np.array(columns, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    values = values[:, np.isfinite(values).any(axis=0)]
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    spread = values.std(axis=0)
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(values).max(axis=0, initial=0.0))
    return (values[:, varies] - values[:, varies].mean(axis=0)) / spread[varies]


def project(standardised: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """Project (N, D) standardised rows into the plane: title -> (N, 2) float64.

    By the first two principal components, with their shares of the variance in the title, and by t-SNE (van der Maaten &
    Hinton 2008), started from them. In one thread: the same picture on every machine's cores. Expects 4 rows and 2 columns
    or more.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - scikit-learn takes seconds, and few stages need it
    from sklearn.manifold import TSNE  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    rows, columns = standardised.shape
    with threadpool_limits(1):
        pca = PCA(min(50, rows - 1, columns), svd_solver="full").fit(standardised)
        scores = pca.transform(standardised)
        perplexity = min(NEIGHBOURS, (rows - 1) / 3)
        tsne = TSNE(init="pca", perplexity=perplexity, max_iter=ITERATIONS, random_state=seed, n_jobs=1)
        title = "PCA ({:.0%} and {:.0%} of the variance)".format(*pca.explained_variance_ratio_[:2])
        return {title: scores[:, :2], "t-SNE": tsne.fit_transform(scores)}


def silhouettes(standardised: np.ndarray, by: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Give the mean silhouette (Rousseeuw 1987) of the rows for each criterion that sorts them, -1 to 1.

    0 and below: an image is as near to others as to its own. NaN where all rows are of one sort, or each of its own.
    """
    from sklearn.metrics import silhouette_score  # noqa: PLC0415

    scores = {}
    for criterion, names in by.items():
        defined = 1 < len(np.unique(names)) < len(standardised)
        scores[criterion] = float(silhouette_score(standardised, names)) if defined else np.nan
    return scores


def probe(
    columns: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str],
    folds: Sequence[int],
    *,
    seed: int,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Probe:
    """Ask what a linear probe can tell: the balanced accuracy of a cross-validated logistic regression.

    `columns` (N, D) as measured; gaps and scales are learned within each fold. `folds` (N,) are the manifest's, so a
    group is never on both sides; `torn` is what one would have read without grouping. Chance is 1 / classes.
    """
    y, groups, folds = (np.asarray(part) for part in (labels, groups, folds))
    classes = np.unique(y)
    member = (y[:, None] == classes).astype(np.float64)
    table = pd.DataFrame({"group_id": groups.astype(str), "y_true": y})
    counts, place = draw_groups(table, resamples=resamples, seed=seed)
    weights = np.concatenate([np.ones((1, len(y))), counts[:, place]])
    hit = _out_of_fold(columns, y, folds) == y
    scores = ((weights @ (member * hit[:, None])) / (weights @ member)).mean(axis=1)
    low, high = np.quantile(scores[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    shuffled, turn = _shuffled_turns(y, seed)
    image_folds = np.empty(len(y), dtype=np.int64)
    image_folds[shuffled] = turn % max(2, len(np.unique(folds)))  # each class evenly, whatever the groups
    torn_hit = _out_of_fold(columns, y, image_folds) == y
    torn = np.mean([torn_hit[y == name].mean() for name in classes])
    return Probe(*map(float, (scores[0], low, high, torn, 1 / len(classes))))


def _out_of_fold(columns: np.ndarray, y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    columns = np.where(np.isfinite(columns), columns, np.nan)
    predicted = np.empty(len(y), dtype=y.dtype)
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000),
    )
    with threadpool_limits(1):
        for fold in np.unique(folds):
            inside = folds != fold
            if len(np.unique(y[inside])) > 1:
                predicted[~inside] = model.fit(columns[inside], y[inside]).predict(columns[~inside])
            else:
                predicted[~inside] = y[inside][0] if inside.any() else ""
    return predicted
