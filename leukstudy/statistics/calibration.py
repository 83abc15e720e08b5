"""Whether probabilities mean what they say: Brier score and expected calibration error, with weights for a bootstrap."""

import numpy as np


def brier(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squared distance of probabilities from what was the case (Brier 1950): (R,) float64, 0 is best.

    `truth` (N, K) bool, one column true a row; `probabilities` (N, K); `weights` (R, N), a resample a row. For two
    classes this sum over both is twice the common one-column form, so 0.5 is what a coin's probabilities score.
    """
    return weights @ np.square(probabilities - truth).sum(axis=1) / weights.sum(axis=1)


def expected_calibration_error(
    truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, *, bins: int = 10
) -> np.ndarray:
    """Mean gap between confidence and accuracy: (R,) float64, 0 is best (Naeini et al. 2015, top label).

    Images are parted into `bins` of about equal number by the probability of the predicted class; a bin's gap counts by its
    images. Arguments as in `brier`. Even a calibrated model of few images scores above 0.
    """
    confidence = probabilities.max(axis=1)
    right = truth[np.arange(len(truth)), probabilities.argmax(axis=1)]
    edges = np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1])
    member = np.searchsorted(edges, confidence, side="right")[:, None] == np.arange(bins)
    gaps = np.abs(weights @ (member * (confidence - right)[:, None]))
    return gaps.sum(axis=1) / weights.sum(axis=1)
