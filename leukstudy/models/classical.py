"""Scikit-learn models on hand-crafted features or on embeddings: the statistical models, the shortcut baselines.

Which features a model may see is decided by family (`features: [colour, morph]` takes `colour_*` and `morph_*`); on an
embedding it sees all of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leukstudy.study.experiments import ClassicalSettings
from leukstudy.study.zoo import model_spec

CALIBRATION_FOLDS = 5


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


def embedding_columns(embeddings: np.ndarray) -> pd.DataFrame:
    """Embeddings (N, D) as a float64 table with the columns embedding_0000, embedding_0001, ..."""
    names = [f"embedding_{number:04}" for number in range(embeddings.shape[1])]
    return pd.DataFrame(np.asarray(embeddings, np.float64), columns=names)


def pipeline(settings: ClassicalSettings, y: np.ndarray, groups: np.ndarray | None = None) -> Any:
    """An unfitted scikit-learn pipeline: median imputation, standardisation, SMOTE if asked, the model.

    y: the training rows' class indices, (N,) int; they decide how many neighbours SMOTE can have. groups: (N,) their
    group ids, for the one model that holds rows out inside its training (`svm`, for calibration). Everything in it learns
    from the rows it is fitted on alone. Raises ValueError when SMOTE or the calibration has too few rows.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    if settings.resample == "smote":
        from imblearn.pipeline import Pipeline
    else:  # the same, and half a second of imports less
        from sklearn.pipeline import Pipeline

    model_spec(settings.model, kind="classical")
    folds = _folds(settings, y, groups) if settings.model == "svm" else []
    steps: list[tuple[str, Any]] = [
        # A cell without a segmented nucleus has no outline to measure; the other features still tell.
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("standardise", StandardScaler()),
    ]
    if settings.resample == "smote":
        learned = [y, *(y[train] for train, _ in folds)]
        fewest = min(learned, key=lambda labels: np.unique(labels, return_counts=True)[1].min())
        steps.append(("smote", smote(fewest, settings.seed)))
    whole = Pipeline([*steps, ("model", _classifier(settings))])
    return _calibrated(whole, settings, folds) if folds else whole


def _classifier(settings: ClassicalSettings) -> Any:
    weight = "balanced" if settings.class_weight == "balanced" else None
    same = {"class_weight": weight, "random_state": settings.seed}
    if settings.model == "forest":
        from sklearn.ensemble import RandomForestClassifier

        # One thread: several would add up the trees' votes in whatever order they end, and sums would differ in the
        # last digit. 500 trees on the 560 training images of the demo grow in about a second.
        return RandomForestClassifier(
            n_estimators=settings.trees, min_samples_leaf=settings.min_images_leaf, n_jobs=1, **same
        )
    if settings.model == "tree":
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(
            max_depth=settings.max_depth, min_samples_leaf=settings.min_images_leaf, **same
        )
    if settings.model == "svm":
        from sklearn.svm import SVC

        return SVC(C=settings.c, gamma=settings.gamma, class_weight=weight)
    if settings.model == "boosting":
        from leukstudy.models.estimators import SteadyBoosting

        return SteadyBoosting(
            max_iter=settings.rounds, learning_rate=settings.learning_rate, max_leaf_nodes=settings.max_leaves,
            min_samples_leaf=settings.min_images_leaf, early_stopping=False, **same,
        )  # fmt: skip
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=settings.c, max_iter=5000, **same)


def _calibrated(whole: Any, settings: ClassicalSettings, folds: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """The pipeline with Platt's calibration (1999) learned from rows that the pipeline of their fold did not see.

    Around the pipeline, not inside it: calibrated on rows that SMOTE made from its own training rows, it would be sure of
    everything.
    """
    from sklearn.calibration import CalibratedClassifierCV

    from leukstudy.models.estimators import BalancedCalibration

    balanced = settings.class_weight == "balanced" or settings.resample == "smote"
    kind = BalancedCalibration if balanced else CalibratedClassifierCV
    return kind(whole, method="sigmoid", cv=folds, ensemble=False)


def _folds(
    settings: ClassicalSettings, y: np.ndarray, groups: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Up to five (training rows, held-out rows), stratified by class, groups kept whole where every class has several.

    With a class that is one group, rows are dealt instead: a fold without a class cannot be learned from.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    least = 2 if settings.resample == "smote" else 1
    smallest = int(np.unique(y, return_counts=True)[1].min())
    rows = np.arange(len(y))
    for unit in ([] if groups is None else [np.asarray(groups)]) + [rows]:
        most = min(CALIBRATION_FOLDS, smallest, len(np.unique(unit)))
        for count in range(most, 1, -1):
            dealt = StratifiedGroupKFold(count, shuffle=True, random_state=settings.seed)
            folds = list(dealt.split(rows, y, unit))
            left = [np.unique(y[train], return_counts=True)[1] for train, _ in folds]
            kinds = len(np.unique(y))
            if all(len(test) for _, test in folds) and all(
                len(part) == kinds and part.min() >= least for part in left
            ):
                return folds
    raise ValueError(
        f"svm: the smallest class has {smallest} training images, and its probabilities are calibrated on held-out ones: "
        f"expected at least {2 * least} of every class. Add images, or use another model."
    )


def parameters(model: Any) -> int:
    """Count what a fitted pipeline learned.

    Coefficients and intercepts; the nodes of all trees; support vectors, their coefficients and the calibration.
    """
    if hasattr(model, "calibrated_classifiers_"):
        (calibrated,) = model.calibrated_classifiers_
        svc = calibrated.estimator["model"]
        learned = svc.support_vectors_.size + svc.dual_coef_.size + svc.intercept_.size
        return int(learned + 2 * len(calibrated.calibrators))
    last = model["model"]
    if hasattr(last, "node_count"):
        return int(last.node_count)
    if hasattr(last, "tree_"):
        return int(last.tree_.node_count)
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
