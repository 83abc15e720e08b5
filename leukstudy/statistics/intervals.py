"""Confidence intervals of all metrics: percentile intervals (Efron 1981) over resamples of whole groups."""

from collections.abc import Sequence

import numpy as np

from leukstudy.statistics.metrics import score, weighted_scores
from leukstudy.statistics.predictions import BadPredictions, Predictions
from leukstudy.statistics.resampling import draw_groups, strata

BLOCK_VALUES = 4_000_000  # weights held at a time: keeps memory flat for large test splits


def bootstrap(
    seeds: Sequence[Predictions], *, resamples: int = 1000, confidence: float = 0.95, seed: int
) -> dict[str, tuple[float, float]]:
    """Give metric -> (low, high), the percentile interval of each metric of `metrics.score`.

    `seeds` are the predictions of each training seed, of the same images in the same order. The interval is that of the
    mean over them, all of which score the same drawn groups (`resampling.draw_groups`): it covers the luck of the groups,
    not that of the training. The order of the rows does not matter; the same `seed` on the same images gives the same
    resamples for every model. A class of a single group cannot be resampled, and an interval without its share would be
    too sure: (nan, nan). Raises BadPredictions for seeds of other images, ValueError for impossible settings.
    """
    if resamples < 2 or not 0 < confidence < 1:
        raise ValueError(f"resamples {resamples}, confidence {confidence}: expected at least 2, and 0 to 1.")
    images = seeds[0].table
    if any(not np.array_equal(each.table["image_id"], images["image_id"]) for each in seeds):
        raise BadPredictions("the seeds of an experiment hold other images, or in another order.")
    counts, group_of_row = draw_groups(images, resamples=resamples, seed=seed)
    if min(map(len, strata(images, group_of_row).values())) == 1:
        return dict.fromkeys(score(seeds[0]), (float("nan"), float("nan")))
    block = max(1, BLOCK_VALUES // len(images))
    parts = []
    for start in range(0, resamples, block):
        weights = counts[start : start + block, group_of_row].astype(np.float64)
        by_seed = [weighted_scores(each, weights) for each in seeds]
        parts.append({name: np.mean([scores[name] for scores in by_seed], axis=0) for name in by_seed[0]})
    tail = (1 - confidence) / 2
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: tuple(np.quantile(scores, [tail, 1 - tail]).tolist()) for name, scores in drawn.items()}
