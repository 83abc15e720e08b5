"""Do the classes differ? Balance, and tests and effect sizes of features in which the group counts, not the image.

Cells of one patient (slide, block) resemble each other, so a test on cells finds "differences between classes" wherever
patients differ, which is everywhere. Here a group's mean is one observation: the number of groups is the number of
observations, and stands beside every result. A group that holds several classes gives a mean to each; what its cells
share then makes the tests too careful rather than too sure.
"""

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukstudy.statistics.resampling import draw_groups, weighted_auroc

_SHAPE = r"circularity|solidity|convexity|clefts|cleft_depth|bending|roughness"
_STAIN = r"red|green|blue|hue|saturation|value|lightness|a|b|azure|eosin|basophilia"
_CHROMATIN = r"texture_(?!cytoplasm|granule)\w+"
CLAIMS = {
    "nuclear irregularity": rf"morph_nucleus_({_SHAPE})",
    "N:C ratio": r"morph_nc_ratio",
    "staining": rf"morph_(nucleus|cytoplasm)_({_STAIN})",
    "chromatin texture": rf"{_CHROMATIN}(?<!_spread)",
    "variability of chromatin texture": rf"{_CHROMATIN}_spread",
}
"""What paper B says that its exploration showed to differ by class, and the features that measure it (pattern of names)."""

SIGNIFICANT = 0.05
BLOCK_VALUES = 250_000  # numbers held at a time: they stay in the processor's cache


def balance(labels: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Count the images of each class as they are, as class weights make them count, and after SMOTE.

    Give the training rows. Columns: class, images, groups, weight (rows / (classes x rows of the class), scikit-learn's
    `balanced`), weighted (images x weight: what the class counts for in the loss), smote (imbalanced-learn's default:
    every class as large as the largest; NaN where a class of one image leaves SMOTE nothing to interpolate).
    """
    table = pd.DataFrame({"class": np.asarray(labels, dtype=str), "group": np.asarray(groups, dtype=str)})
    counts = table.groupby("class")["group"].agg(images="size", groups="nunique").reset_index()
    counts["weight"] = counts["images"].sum() / (len(counts) * counts["images"])
    counts["weighted"] = counts["images"] * counts["weight"]
    counts["smote"] = float(counts["images"].max()) if counts["images"].min() > 1 else np.nan
    return counts


def measured(features: pd.DataFrame) -> list[str]:
    """Name the features of cells that say something: `morph_` and `texture_` columns that are not constant."""
    names = [name for name in features.columns if name.startswith(("morph_", "texture_"))]
    return [name for name in names if name != "morph_found" and features[name].nunique() > 1]


def group_means(features: pd.DataFrame, labels: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Give the observations of the tests: one row a group and class, sorted by both.

    Columns: group_id, y_true (the class), images, the mean of every measured feature and, as `<name>_spread`, the
    standard deviation between the group's cells of every `texture_` feature (NaN where it has one cell). Leave out the
    test rows and images without a nucleus beforehand. Values that are missing or infinite are left out of the means.
    """
    names = measured(features)
    values = features[names].astype(np.float64).replace([np.inf, -np.inf], np.nan)
    keys = [np.asarray(groups, dtype=str), np.asarray(labels, dtype=str)]
    by = values.groupby(keys, sort=True)
    spread = by[[name for name in names if name.startswith("texture_")]].std(ddof=1).add_suffix("_spread")
    table = pd.concat([by.size().rename("images").to_frame(), by.mean(), spread], axis=1)
    return table.rename_axis(["group_id", "y_true"]).reset_index()


def claimed(columns: Sequence[str]) -> dict[str, str]:
    """Find which of the columns measure one of paper B's claims: feature -> claim, in the order of the claims."""
    return {
        name: claim for claim, pattern in CLAIMS.items() for name in columns if re.fullmatch(pattern, name)
    }


def class_differences(
    means: pd.DataFrame, columns: Sequence[str] | None = None, *, permutations: int = 9999, seed: int
) -> pd.DataFrame:
    """Test each feature for a difference between classes by Kruskal and Wallis' statistic (1952) on group means.

    p is the share of permutations of the classes between the groups whose statistic is as large (Phipson & Smyth 2010:
    the data as they are count as one), exact for any number of groups and ties; p_holm is corrected for all `columns`
    (Holm 1979; default, those that measure a claim). Columns: feature, groups, share (of the variance of ranks that lies
    between the classes, 0-1; chance alone gives about (classes - 1) / (groups - 1)), p, p_holm. A feature that fewer than
    two classes have, or that is the same everywhere, has share 0 and p 1.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - takes a second, and few stages need it

    columns = list(claimed(means.columns) if columns is None else columns)
    values = means[columns].to_numpy(np.float64)
    codes = pd.factorize(means["y_true"], sort=True)[0]
    finite = np.isfinite(values)
    share, p = np.zeros(len(columns)), np.ones(len(columns))
    for mask in np.unique(finite, axis=1).T if finite.size else []:
        same = np.flatnonzero((finite == mask[:, None]).all(axis=0))  # these are permuted together
        present, code = np.unique(codes[mask], return_inverse=True)
        if len(present) > 1:
            ranks = rankdata(values[mask][:, same], axis=0)
            share[same], p[same] = _permutation_test(ranks, code, permutations, seed)
    table = pd.DataFrame({"feature": columns, "groups": finite.sum(axis=0), "share": share, "p": p})
    return table.assign(p_holm=holm(p))


def _permutation_test(
    ranks: np.ndarray, code: np.ndarray, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the rank variance between classes, and p, of each column of ranks (n, F), for classes code (n,)."""
    centred = ranks - ranks.mean(axis=0)  # multiples of a half over n: sums are exact enough to compare
    sizes = np.bincount(code)
    total = np.maximum((centred**2).sum(axis=0), 1e-12)

    def between(codes: np.ndarray) -> np.ndarray:
        member = (codes[:, None, :] == np.arange(len(sizes))[None, :, None]).astype(np.float64)
        return ((member @ centred) ** 2 / sizes[None, :, None]).sum(axis=1) / total

    observed = between(code[None, :])[0]
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_VALUES // (len(code) * len(sizes)))
    as_large = np.zeros(ranks.shape[1])
    for start in range(0, permutations, block):
        drawn = np.tile(code, (min(block, permutations - start), 1))
        as_large += (between(rng.permuted(drawn, axis=1)) >= observed - 1e-9).sum(axis=0)
    return observed, (1 + as_large) / (1 + permutations)


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p values for their number by Holm's step-down method (1979), valid under any dependence."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def effect_sizes(
    means: pd.DataFrame,
    columns: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int,
) -> pd.DataFrame:
    """Give Cliff's delta (1993) of each feature between the groups of a class and all other groups.

    delta is the chance that a group mean of the class is the larger one, less the chance that it is the smaller: 0 for
    equal distributions, 1 or -1 for apart. low and high are percentile bounds over resamples of whole groups within
    classes (`resampling.draw_groups`), NaN where a class has a single group. Columns: feature, label, delta, low, high.
    Of two classes the second is compared with the first, and the mirror image is left out.
    """
    columns = list(claimed(means.columns) if columns is None else columns)
    labels = sorted(means["y_true"].unique())
    counts, place = draw_groups(means, resamples=resamples, seed=seed)
    drawn = np.concatenate([np.ones((1, len(means))), counts[:, place]])
    tail = (1 - confidence) / 2
    rows = []
    for feature, label in itertools.product(columns, labels[1:] if len(labels) == 2 else labels):
        values = means[feature].to_numpy(np.float64)
        finite = np.isfinite(values)
        member = (means["y_true"] == label).to_numpy()[finite]
        delta, low, high = np.nan, np.nan, np.nan
        if member.any() and not member.all():
            with np.errstate(invalid="ignore", divide="ignore"):  # a resample may lack the feature in a class
                deltas = 2 * weighted_auroc(member, values[finite], drawn[:, finite]) - 1
            delta = deltas[0]
            if min(member.sum(), (~member).sum()) > 1:
                low, high = np.nanquantile(deltas[1:], [tail, 1 - tail])
        rows.append((feature, label, delta, low, high))
    return pd.DataFrame(rows, columns=["feature", "label", "delta", "low", "high"])


def claim_sentences(differences: pd.DataFrame, effects: pd.DataFrame, *, unit: str) -> list[str]:
    """Say of each of paper B's claims whether it holds here, from the tests and effect sizes of its features.

    A claim holds where at least one of its features differs after correction for all features tested; a claim that no
    feature measures is called not measured. `unit` is the group level as a noun.
    """
    claim_of = claimed(differences["feature"])
    others = "the other class" if effects["label"].nunique() == 1 else "the rest"
    sentences = []
    for claim in CLAIMS:
        tests = differences[differences["feature"].map(claim_of) == claim]
        sizes = effects[effects["feature"].isin(tests["feature"])].dropna(subset="delta")
        if tests.empty:
            verdict = "not measured"
        elif sizes.empty:
            verdict = "a single class, nothing to compare"
        else:
            verdict = f"{_verdict(tests)} ({_strongest(tests, sizes, others, unit)})"
        sentences.append(f"**{claim[0].upper() + claim[1:]}**: {verdict}.")
    return sentences


def _verdict(tests: pd.DataFrame) -> str:
    """Say in how many of a claim's features the classes differ."""
    measures, different = len(tests), int((tests["p_holm"] < SIGNIFICANT).sum())
    if different:
        return f"differs by class in {f'{different} of {measures} measures' if measures > 1 else 'its one measure'}"
    plural = "s" * (measures > 1)
    return f"no difference shown in {measures} measure{plural}, which is not the same as none"


def _strongest(tests: pd.DataFrame, sizes: pd.DataFrame, others: str, unit: str) -> str:
    """Quote what a claim rests on: the smallest p and, of equal ones, the largest effect."""
    both = sizes.merge(tests, on="feature").assign(size=sizes["delta"].abs().to_numpy())
    best = both.sort_values(["p_holm", "size"], ascending=[True, False]).iloc[0]
    interval = f" [{best['low']:.2f}, {best['high']:.2f}]" if np.isfinite(best["low"]) else ""
    p = f"{best['p_holm']:.3f}" if best["p_holm"] >= 0.001 else "below 0.001"
    return (
        f"`{best['feature']}`, {best['label']} against {others}: Cliff's delta {best['delta']:.2f}{interval}, "
        f"Holm-corrected p = {p}, {best['groups']:.0f} {unit}s"
    )
