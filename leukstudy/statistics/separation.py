"""How far do images fall apart by class, and how much of that is the group's or the source's doing?

Projections for the eye, a silhouette for the distances, and a linear probe for what can be learned: once tested on groups
that it has never seen, once with the images of each group on both sides. The gap between the two is what recognising
patients is worth. Test rows have no place here: pass training and validation rows only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    labels, columns = np.asarray(labels, dtype=str), np.asarray(columns)
    by = {"class": labels, unit: rows["group_id"].to_numpy(), "source": rows["source"].to_numpy()}
    chosen = sample_by_group(rows["group_id"], most, seed=seed)
    standard = standardise(columns[chosen]) if columns.size else np.empty((0, 0))
    if len(standard) < 4 or standard.shape[1] < 2 or len(np.unique(labels)) < 2:
        return Separation(by, {}, {}, {}, unit, len(rows))
    projection, groups = project(standard, seed=seed), rows["group_id"]
    probes = {"class": probe(columns, labels, groups, rows["fold"], seed=seed)}
    if blind is not None and np.size(blind):
        probes["blind"] = probe(np.asarray(blind), labels, groups, rows["fold"], seed=seed)
    if rows["source"].nunique() > 1:
        probes["source"] = probe(columns, by["source"], groups, _source_folds(rows), seed=seed)
    by = {criterion: np.asarray(names, dtype=str)[chosen] for criterion, names in by.items()}
    pca = "PCA ({:.0%} and {:.0%} of the variance)".format(*projection.explained)
    projections = {pca: projection.pca, "t-SNE": projection.tsne}
    return Separation(by, projections, silhouettes(standard, by), probes, unit, len(rows))


def sentence(separation: Separation) -> str:
    """Say what separates the images, and how much of it is the group's or the source's doing."""
    images, unit, probes = separation.images, separation.unit, separation.probes
    if not probes:
        return f"Nothing to separate: {images} image(s), or features that are the same in all of them."
    finite = {name: score for name, score in separation.silhouettes.items() if np.isfinite(score)}
    scores = ", ".join(f"{name} {round(score, 2) + 0.0:.2f}" for name, score in finite.items())
    own = probes["class"]
    gap = own.torn - own.value
    worth = (
        f"so {gap:.2f} of that would have been recognising the {unit}"
        if gap >= 0.005
        else f"so recognising the {unit} helps little here"
    )
    sentences = [
        f"Mean silhouettes of {len(separation.by['class']):,} images (1 is far apart, 0 and below is mixed): {scores}.",
        f"A linear probe names the class of images of a {unit} that it has never seen with a balanced accuracy of "
        f"{own.value:.2f} [{own.low:.2f}, {own.high:.2f}], over {images:,} images of the training and "
        f"validation splits; chance is {own.chance:.2f}. With the images of each {unit} torn apart it would have "
        f"read {own.torn:.2f}, {worth}.",
    ]
    if blind := probes.get("blind"):
        sentences.append(
            "The colours and corners of the whole image, which know nothing of cells, tell the class of unseen "
            f"{unit}s with {blind.value:.2f} [{blind.low:.2f}, {blind.high:.2f}]: as much of the separation "
            "may be stain and light."
        )
    if source := probes.get("source"):
        sentences.append(
            f"The same probe names the source with {source.value:.2f} (chance {source.chance:.2f}): where sources hold "
            "different classes, telling laboratories apart passes for telling classes apart."
        )
    else:
        sentences.append(
            "All images come from one source, so another laboratory's look cannot be told from this."
        )
    return " ".join(sentences)


def _source_folds(rows: pd.DataFrame, count: int = 5) -> np.ndarray:
    """Folds (N,) of whole groups in which every source stands on both sides, which the manifest's need not give."""
    pairs = rows[["source", "group_id"]].drop_duplicates().sort_values(["source", "group_id"])
    number = pd.Series(pairs.groupby("source").cumcount().to_numpy() % count, index=pairs["group_id"])
    return rows["group_id"].map(number[~number.index.duplicated()]).to_numpy()


class Projection(NamedTuple):
    """Images in the plane."""

    pca: np.ndarray
    """(N, 2) float64: the first two principal components of the standardised columns."""
    explained: np.ndarray
    """(2,) their shares of the variance."""
    tsne: np.ndarray
    """(N, 2) float64: t-SNE (van der Maaten & Hinton 2008), started from the principal components."""


def sample_by_group(groups: Sequence[str], most: int, *, seed: int) -> np.ndarray:
    """Choose at most `most` rows, as evenly over the groups as can be; gives their positions in ascending order.

    Each group's rows are put in random order, and groups give one row a turn until there are enough.
    """
    groups = np.asarray(groups, dtype=str)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    turn = pd.Series(groups[shuffled]).groupby(groups[shuffled]).cumcount().to_numpy()
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:most]])


def standardise(columns: np.ndarray) -> np.ndarray:
    """(N, D) to (N, D') float64 of mean 0 and variance 1: gaps take the median, constant columns go."""
    values = np.array(columns, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    values = values[:, np.isfinite(values).any(axis=0)]
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    spread = values.std(axis=0)
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(values).max(axis=0, initial=0.0))
    return (values[:, varies] - values[:, varies].mean(axis=0)) / spread[varies]


def project(standardised: np.ndarray, *, seed: int) -> Projection:
    """Project (N, D) standardised rows into the plane, in one thread: the same picture on every machine's cores.

    Raises ValueError for fewer than 4 rows or 2 columns.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - scikit-learn takes seconds, and few stages need it
    from sklearn.manifold import TSNE  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    rows, columns = standardised.shape
    if rows < 4 or columns < 2:
        raise ValueError(
            f"a projection of {rows} images with {columns} columns that vary; expected at least 4 and 2"
        )
    with threadpool_limits(1):
        components = min(50, rows - 1, columns)
        pca = PCA(components, svd_solver="full").fit(standardised)
        scores = pca.transform(standardised)
        perplexity = min(NEIGHBOURS, (rows - 1) / 3)
        tsne = TSNE(init="pca", perplexity=perplexity, max_iter=ITERATIONS, random_state=seed, n_jobs=1)
        return Projection(scores[:, :2], pca.explained_variance_ratio_[:2], tsne.fit_transform(scores))


def silhouettes(standardised: np.ndarray, by: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Give the mean silhouette (Rousseeuw 1987) of the rows for each criterion that sorts them, -1 to 1.

    0 and below: an image is as near to others as to its own. NaN where all rows are of one sort, or each of its own.
    """
    from sklearn.metrics import silhouette_score  # noqa: PLC0415

    scores = {}
    for criterion, sorts in by.items():
        names = np.asarray(sorts, dtype=str)
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
    hit = _out_of_fold(columns, y, folds) == y
    table = pd.DataFrame({"group_id": groups.astype(str), "y_true": y})
    counts, place = draw_groups(table, resamples=resamples, seed=seed)
    member = (y[:, None] == classes).astype(np.float64)
    weights = np.concatenate([np.ones((1, len(y))), counts[:, place]])
    recalls = (weights @ (member * hit[:, None])) / (weights @ member)
    scores = recalls.mean(axis=1)
    low, high = np.quantile(scores[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    torn_hit = _out_of_fold(columns, y, _image_folds(y, len(np.unique(folds)), seed)) == y
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
    with threadpool_limits(1):
        for fold in np.unique(folds):
            inside = folds != fold
            if len(np.unique(y[inside])) < 2:
                predicted[~inside] = y[inside][0] if inside.any() else ""
                continue
            model = make_pipeline(
                SimpleImputer(strategy="median", keep_empty_features=True),
                StandardScaler(),
                LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000),
            )
            predicted[~inside] = model.fit(columns[inside], y[inside]).predict(columns[~inside])
    return predicted


def _image_folds(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Deal rows to folds one by one, each class evenly, whatever their groups."""
    shuffled = np.random.default_rng(seed).permutation(len(y))
    folds = np.empty(len(y), dtype=np.int64)
    folds[shuffled] = pd.Series(y[shuffled]).groupby(y[shuffled]).cumcount().to_numpy() % max(2, count)
    return folds
