"""Two scikit-learn models made to repeat. Importing this module imports scikit-learn: do it where one is built."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits


class BalancedCalibration(CalibratedClassifierCV):
    """Platt's calibration (1999) in which every class weighs the same, as it did for the model that is calibrated.

    Without it, calibration would bring back the class frequencies that `class_weight: balanced` took out.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> BalancedCalibration:
        """Fit the model and its calibration on X (N, F) and class indices y (N,)."""
        with warnings.catch_warnings():
            # A pipeline takes no weights of rows, so they go to the calibration alone, as is wanted here.
            warnings.filterwarnings(
                "ignore", message=".*sample weights will only be used for the calibration"
            )
            return super().fit(X, y, sample_weight=compute_sample_weight("balanced", y))


class SteadyBoosting(HistGradientBoostingClassifier):
    """Gradient boosting that gives the same trees on every number of cores.

    Several threads add up gradients in parts, and sums in another order differ in the last digit.
    """

    def fit(self, X: np.ndarray, y: np.ndarray, **others: Any) -> SteadyBoosting:
        """Fit on X (N, F) and class indices y (N,), in one thread."""
        with threadpool_limits(1, user_api="openmp"):
            return super().fit(X, y, **others)

    @property
    def node_count(self) -> int:
        """Nodes of all trees."""
        return sum(len(tree.nodes) for step in self._predictors for tree in step)
