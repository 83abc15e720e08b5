"""Labels to classes, predictions to tables, tables to what went wrong, and where it all comes from."""

import numpy as np
import pandas as pd
import pytest

from leukstudy.data.labels import rows_of_task
from leukstudy.data.provenance import data_hash, describe, is_synthetic
from leukstudy.evaluate.mistakes import counts, surest
from leukstudy.explain.cases import choose
from leukstudy.statistics import predictions

CLASSES = {"healthy": ["healthy"], "leukaemia": ["ALL", "AML"]}


@pytest.fixture
def manifest() -> pd.DataFrame:
    labels = ["healthy", "ALL", "AML", "odd", "healthy"]
    return pd.DataFrame(
        {
            "image_id": [f"i{i}" for i in range(5)],
            "source": "phantom",
            "label": labels,
            "group_id": [f"g{i}" for i in range(5)],
            "sha256": [f"{i:064d}" for i in range(5)],
            "excluded": ["", "", "", "", "tiny: 3 x 3"],
            "split": ["train", "val", "test", "test", ""],
        }
    )


def test_rows_of_a_task_are_positions_among_the_kept(manifest):
    rows, y = rows_of_task(manifest.iloc[::-1], CLASSES, task="detection")
    assert rows.tolist() == [1, 2, 3]  # the excluded row is not counted, 'odd' belongs to no class
    assert y.tolist() == [1, 1, 0]


def test_a_label_that_nobody_has_is_named(manifest):
    with pytest.raises(
        ValueError, match=r"tasks.typing.classes names the label 'CLL'.*data/ has ALL, AML, healthy, odd"
    ):
        rows_of_task(manifest, {**CLASSES, "c": ["CLL"]}, task="typing")


def test_predictions_sum_to_one_and_name_the_likeliest(manifest, tmp_path):
    chances = np.array([[0.25, 0.75], [0.6, 0.4], [0.1, 0.9]], dtype=np.float32) * np.float32(1.0001)
    table = predictions.table(manifest.iloc[[0, 1, 2]], np.array([0, 1, 1]), chances, list(CLASSES))
    assert list(table.columns) == [
        "image_id",
        "group_id",
        "split",
        "y_true",
        "y_pred",
        "p_healthy",
        "p_leukaemia",
    ]
    assert table["y_pred"].tolist() == ["leukaemia", "healthy", "leukaemia"]
    assert np.allclose(table[["p_healthy", "p_leukaemia"]].sum(axis=1), 1, atol=2e-6)
    predictions.write(table, tmp_path / "new" / "x.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "x.csv"), table, check_dtype=False)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.csv"]


@pytest.fixture
def judged() -> pd.DataFrame:
    rows = [
        ("a", "g1", "test", "healthy", "leukaemia", 0.05, 0.95),
        ("b", "g1", "test", "healthy", "leukaemia", 0.40, 0.60),
        ("c", "g2", "test", "leukaemia", "healthy", 0.92, 0.08),
        ("d", "g3", "test", "leukaemia", "leukaemia", 0.10, 0.90),
        ("e", "g4", "train", "healthy", "leukaemia", 0.01, 0.99),
    ]
    return pd.DataFrame(
        rows, columns=["image_id", "group_id", "split", "y_true", "y_pred", "p_healthy", "p_leukaemia"]
    )


def test_errors_are_of_the_test_split_the_surest_first(judged):
    assert surest(judged, 2)["image_id"].tolist() == ["a", "c"]
    row = counts({"m": judged}).loc["m"]
    assert row.tolist() == [4, 3, 2, 3, 2, 1]


def test_an_experiment_without_errors_counts_none(judged):
    right = judged.assign(y_pred=judged["y_true"])
    assert surest(right, 5).empty
    assert counts({"m": right}).loc["m"].tolist() == [4, 0, 0, 3, 0, 0]


def test_cases_are_the_surest_right_and_wrong_of_each_class(judged):
    cases = choose(judged, 1)
    assert cases["image_id"].tolist() == ["a", "d", "c"]
    assert cases["title"].tolist()[0] == "healthy\nas leukaemia, 0.95"


def test_the_hash_is_of_what_models_are_given(manifest):
    same = data_hash(manifest.sample(frac=1, random_state=1))
    assert data_hash(manifest) == same
    assert data_hash(manifest.assign(excluded="")) != same
    assert data_hash(manifest.assign(split="train")) != same


def test_drawings_are_called_drawings(manifest):
    assert is_synthetic(manifest)
    assert describe(manifest).startswith("SYNTHETIC DATA (drawings, not photographs): ")
    real = manifest.assign(source="taleqani")
    assert not is_synthetic(real)
    assert "SYNTHETIC" not in describe(real)
    assert "scale bar" in describe(real)
