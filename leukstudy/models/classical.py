"""Logistic regression and random forest on hand-crafted features: the statistical models, the shortcut baselines.

Which columns it may see is decided by family (`features: [colour, morph]` takes `colour_*` and `morph_*`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leukstudy.models.zoo import model_spec


def select(features: pd.DataFrame, families: list[str]) -> pd.DataFrame:
    """The float64 columns of the families asked for, in the table's order; index and row order are kept.

    Infinite values become missing (an area divided by nothing). Raises ValueError for a family with no
    columns, naming the families there are.
    """
    columns = []
    for family in families:
        own = [name for name in features.columns if name.startswith(f"{family}_")]
        if not own:
            found = sorted(
                {name.split("_")[0] for name in features.columns if name != "image_id"} - {"image"}
            )
            raise ValueError(
                f"features: no column begins with '{family}_'; the families in the table are {found}. "
                "Correct `features:` of this experiment, or have the prepare stage compute that family."
            )
        columns += own
    if not columns:
        raise ValueError("features: the list is empty; give at least one family, such as [morph, texture].")
    chosen = features[[name for name in features.columns if name in set(columns)]].astype(np.float64)
    return chosen.replace([np.inf, -np.inf], np.nan)


def pipeline(settings: Any, y: np.ndarray) -> Any:
    """An unfitted scikit-learn pipeline: median imputation, standardisation, SMOTE if asked, the model.

    y: the training rows' class indices, (N,) int; they decide how many neighbours SMOTE can have. Everything
    in it learns from the rows it is fitted on alone. Raises ValueError when SMOTE has too few rows.
    """
    from imblearn.pipeline import Pipeline
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    model_spec(settings.model, kind="classical")
    steps: list[tuple[str, Any]] = [
        # A cell without a segmented nucleus has no outline to measure; the other features still tell.
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("standardise", StandardScaler()),
    ]
    if settings.resample == "smote":
        steps.append(("smote", smote(y, settings.seed)))
    return Pipeline([*steps, ("model", _classifier(settings))])


def _classifier(settings: Any) -> Any:
    weight = "balanced" if settings.class_weight == "balanced" else None
    if settings.model == "forest":
        from sklearn.ensemble import RandomForestClassifier

        # One thread: several would add up the trees' votes in whatever order they end, and sums would differ in the
        # last digit. 500 trees on the 560 training images of the demo grow in about a second.
        return RandomForestClassifier(
            n_estimators=settings.trees,
            min_samples_leaf=settings.min_images_leaf,
            class_weight=weight,
            random_state=settings.seed,
            n_jobs=1,
        )
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=settings.c, class_weight=weight, max_iter=5000, random_state=settings.seed)


def parameters(model: Any) -> int:
    """Count what a fitted pipeline learned: coefficients and intercepts, or the nodes of all trees."""
    last = model["model"]
    if hasattr(last, "estimators_"):
        return int(sum(tree.tree_.node_count for tree in last.estimators_))
    return int(last.coef_.size + last.intercept_.size)


def smote(y: np.ndarray, seed: int) -> Any:
    """SMOTE (Chawla et al. 2002) with 5 neighbours, fewer where the smallest class has 5 rows or fewer.

    Raises ValueError when a class has a single row: there is nothing between one point and itself.
    """
    from imblearn.over_sampling import SMOTE

    smallest = int(np.unique(y, return_counts=True)[1].min())
    if smallest < 2:
        raise ValueError(
            "resample: smote needs at least 2 training images of every class, and the smallest has "
            f"{smallest}. Set `resample: none` (class weights do the balancing), or add images."
        )
    return SMOTE(k_neighbors=min(5, smallest - 1), random_state=seed)
