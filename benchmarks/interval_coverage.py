"""How often 95% group-bootstrap intervals of the AUROC hold the truth, by the number of groups a class.

    python benchmarks/interval_coverage.py

Each of 300 studies has two classes and three images a group; images of one group share a normal offset of their
logit (sd 1) beside their own noise (sd 1), and the classes lie 1.5 apart, so the true AUROC is known. Takes a minute.
"""

from math import erf, sqrt

import numpy as np
import pandas as pd

from leukstudy.statistics.intervals import bootstrap
from leukstudy.statistics.predictions import Predictions

CLASSES, POSITIVE = ("healthy", "leukaemia"), "leukaemia"
STUDIES, IMAGES, DISTANCE = 300, 3, 1.5
# P(x > y) of two normals, variance 2 each, means DISTANCE apart
TRUTH = 0.5 * (1 + erf(DISTANCE / sqrt(4) / sqrt(2)))


def study(groups: int, seed: int) -> Predictions:
    """The predictions of one simulated study, `groups` groups a class."""
    rng = np.random.default_rng([groups, seed])
    rows = []
    for k, name in enumerate(CLASSES):
        offsets = np.repeat(rng.normal(0, 1, groups), IMAGES)
        logit = DISTANCE * (k - 0.5) + offsets + rng.normal(0, 1, groups * IMAGES)
        p = 1 / (1 + np.exp(-logit))
        for i, value in enumerate(p):
            guess = "leukaemia" if value >= 0.5 else "healthy"
            rows.append((f"{name}{i}", f"{name}{i // IMAGES}", "test", name, guess, 1 - value, value))
    columns = ["image_id", "group_id", "split", "y_true", "y_pred", "p_healthy", "p_leukaemia"]
    return Predictions.of(pd.DataFrame(rows, columns=columns), CLASSES, POSITIVE)


def main() -> None:
    print(f"true AUROC {TRUTH:.3f}; {STUDIES} studies a row")
    print("| groups a class | intervals that hold the truth |\n| ---: | ---: |")
    for groups in (2, 3, 5, 10, 20):
        held = 0
        for seed in range(STUDIES):
            intervals = bootstrap([study(groups, seed)], resamples=500, confidence=0.95, seed=seed)
            low, high = intervals["auroc"]
            held += low <= TRUTH <= high
        print(f"| {groups} | {held / STUDIES:.0%} |", flush=True)


if __name__ == "__main__":
    main()
