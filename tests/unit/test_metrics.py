"""Point estimates: hand-computed values, agreement with the definitions, and tables that must be refused."""

import numpy as np
import pandas as pd
import pytest

from leukstudy.statistics.metrics import confusion, per_class, roc, score
from leukstudy.statistics.predictions import BadPredictions, Predictions
from leukstudy.statistics.predictions import table as predictions_table

DETECTION = {"classes": ["healthy", "leukaemia"], "positive": "leukaemia"}
TYPING = {"classes": ["a", "b", "c"], "positive": None}


def binary_table(truth: str, probability: list[float], threshold: float = 0.5) -> pd.DataFrame:
    """One image a letter of `truth` (h, l), with the probability of leukaemia."""
    p = np.array(probability)
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(len(p))],
            "group_id": [f"g{k // 2}" for k in range(len(p))],
            "split": "test",
            "y_true": [{"h": "healthy", "l": "leukaemia"}[letter] for letter in truth],
            "y_pred": np.where(p >= threshold, "leukaemia", "healthy"),
            "p_healthy": 1 - p,
            "p_leukaemia": p,
        }
    )


def typing_table(rows: list[tuple[str, str, tuple[float, float, float]]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"image_id": k, "group_id": f"g{k}", "split": "test", "y_true": t, "y_pred": g}
            | dict(zip(("p_a", "p_b", "p_c"), p, strict=True))
            for k, (t, g, p) in enumerate(rows)
        ]
    )


def test_binary_scores_by_hand():
    # positives 0.9 0.8 0.3, negatives 0.1 0.6 0.2 0.4: TP 2, FN 1, FP 1, TN 3
    predictions = Predictions.of(binary_table("lllhhhh", [0.9, 0.8, 0.3, 0.1, 0.6, 0.2, 0.4]), **DETECTION)
    scores = score(predictions)
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(3 / 4)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 3 / 4) / 2)
    # of 12 pairs, 0.3 loses to 0.6 and 0.4
    assert scores["auroc"] == pytest.approx(10 / 12)
    assert confusion(predictions).tolist() == [[3, 1], [1, 2]]


def test_ties_count_half():
    assert score(Predictions.of(binary_table("lh", [0.5, 0.5]), **DETECTION))["auroc"] == pytest.approx(0.5)


def test_macro_scores_by_hand():
    table = typing_table(
        [
            ("a", "a", (0.8, 0.1, 0.1)),
            ("a", "b", (0.3, 0.4, 0.3)),
            ("b", "b", (0.1, 0.8, 0.1)),
            ("c", "b", (0.2, 0.5, 0.3)),
        ]
    )
    predictions = Predictions.of(table, **TYPING)
    scores = score(predictions)
    assert "specificity" not in scores
    assert scores["accuracy"] == pytest.approx(0.5)
    assert scores["recall"] == scores["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert scores["precision"] == pytest.approx((1 + 1 / 3 + 0) / 3)  # c is never predicted: 0
    assert scores["f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    # a: 4 of 4 pairs; b: 3 of 3; c: 0.3 against 0.1, 0.3 (a tie), 0.1
    assert scores["auroc"] == pytest.approx((1 + 1 + 2.5 / 3) / 3)
    classes = per_class(predictions).set_index("class")
    assert classes.loc["b", "specificity"] == pytest.approx(1 / 3)
    assert classes["images"].tolist() == [2, 1, 1]
    assert classes["groups"].tolist() == [2, 1, 1]


def test_roc_has_the_scored_area():
    rng = np.random.default_rng(3)
    binary = Predictions.of(binary_table("lh" * 30, rng.uniform(size=60).round(1).tolist()), **DETECTION)
    curve = roc(binary)
    assert list(curve.columns) == ["fpr", "tpr", "threshold"]
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(score(binary)["auroc"])
    p = rng.dirichlet(np.ones(3), 90).round(1)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    p = np.abs(p.round(6))
    names = np.array(list("abc"))
    rows = [(names[k % 3], names[q.argmax()], tuple(q)) for k, q in enumerate(p)]
    several = Predictions.of(typing_table([row for row in rows if abs(sum(row[2]) - 1) < 1e-6]), **TYPING)
    curve = roc(several)
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(score(several)["auroc"])
    assert (np.diff(curve["fpr"]) >= 0).all()
    assert (np.diff(curve["tpr"]) >= -1e-12).all()
    assert curve[["fpr", "tpr"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("task", [DETECTION, TYPING])
def test_scores_are_those_of_scikit_learn(task):
    """Of each class, with ties, an unequal split of classes and a class that is hardly predicted."""
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    rng, classes = np.random.default_rng(5), np.array(task["classes"])
    y = rng.choice(len(classes), 200, p=np.array([6, 3, 1][: len(classes)]) / sum([6, 3, 1][: len(classes)]))
    chances = rng.dirichlet(np.arange(len(classes), 0, -1), 200)
    rows = pd.DataFrame({"image_id": np.arange(200), "group_id": np.arange(200) // 4, "split": "test"})
    predictions = Predictions.of(predictions_table(rows, y, chances.round(2), list(classes)), **task)
    truth, guess = predictions.table["y_true"], predictions.table["y_pred"]
    by_class = per_class(predictions)
    theirs = precision_recall_fscore_support(truth, guess, labels=classes, zero_division=0.0)
    np.testing.assert_allclose(by_class[["precision", "recall", "f1", "images"]].T, theirs)
    for k, name in enumerate(classes):
        assert by_class["auroc"][k] == pytest.approx(
            roc_auc_score(truth == name, predictions.probabilities[:, k])
        )
        assert by_class["specificity"][k] == pytest.approx((guess[truth != name] != name).mean())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t[t["y_true"] == "healthy"], "leukaemia.*healthy.: 2"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.drop(columns="p_leukaemia"), "p_leukaemia"),
        (lambda t: t.assign(y_pred="CML"), "CML"),
        (lambda t: t.assign(p_healthy=np.nan), "i0.*sum to 1"),
        (lambda t: t.assign(p_healthy=0.9), "i0.*sum to 1"),
        (lambda t: t.assign(p_healthy="x"), "i0.*x.*expected numbers"),
        (lambda t: t.assign(y_true="CML"), "CML"),
        (lambda t: pd.concat([t, t]), "i0.*more than once"),
    ],
)
def test_tables_that_cannot_be_scored_are_refused(change, said):
    table = binary_table("lhlh", [0.9, 0.2, 0.7, 0.4])
    with pytest.raises(BadPredictions, match=said):
        Predictions.of(change(table), **DETECTION)


@pytest.mark.parametrize("task", [{**TYPING, "positive": "a"}, {**DETECTION, "positive": None}])
def test_tasks_that_contradict_themselves_are_refused(task):
    with pytest.raises(BadPredictions, match="positive"):
        Predictions.of(binary_table("lh", [0.9, 0.2]), **task)


def test_a_task_of_one_class_is_no_question():
    with pytest.raises(BadPredictions, match="at least 2"):
        Predictions.of(binary_table("hh", [0.9, 0.2]), ["healthy"], None)
