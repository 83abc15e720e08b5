"""Permutation importance: what carries a model is found, twins are not hidden behind each other, seeds repeat."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from leukstudy.statistics.correlation import families
from leukstudy.statistics.importance import auroc, importance, most_missed


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    signal = y + rng.normal(0, 0.7, 400)
    table = pd.DataFrame(
        {
            "morph_one": signal,
            "morph_twin": signal + rng.normal(0, 0.05, 400),
            "texture_weak": 0.4 * y + rng.normal(0, 1, 400),
            "texture_noise": rng.normal(0, 1, 400),
            "morph_found": 1.0,
        }
    )
    return LogisticRegression().fit(table[:200].to_numpy(), y[:200]), table[200:], y[200:]


def test_twins_are_permuted_together_and_noise_is_worth_nothing(study):
    model, table, y = study
    groups = families(table)
    assert groups[0] == ["morph_one", "morph_twin"]
    found = importance(model, table, y, groups, seed=0).set_index("features")
    assert found.index[0] == "morph_one, morph_twin"
    assert found.loc["morph_one, morph_twin", "low"] > 0.15
    assert abs(found.loc["texture_noise", "drop"]) < 0.02
    assert found.loc["morph_found", ["drop", "low", "high"]].tolist() == [0, 0, 0]
    alone = importance(model, table, y, [[name] for name in table], seed=0).set_index("features")
    assert alone.loc["morph_one", "drop"] < found.loc["morph_one, morph_twin", "drop"]
    assert (found["low"] <= found["drop"]).all() and (found["drop"] <= found["high"]).all()


def test_it_is_what_scikit_learn_gives_column_by_column(study):
    model, table, y = study
    ours = importance(model, table, y, [[name] for name in table], repeats=200, seed=0).set_index("features")
    theirs = permutation_importance(
        model, table.to_numpy(), y, scoring="roc_auc", n_repeats=200, random_state=1
    )
    for name, mean in zip(table.columns, theirs.importances_mean, strict=True):
        assert ours.loc[name, "drop"] == pytest.approx(mean, abs=0.01)


def test_equal_seeds_give_equal_tables_and_the_list_names_every_feature(study):
    model, table, y = study
    groups = families(table)
    one, two = (importance(model, table, y, groups, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(importance(model, table, y, groups, seed=4))
    lines = most_missed(one).splitlines()
    assert lines[0].startswith("- `morph_one`, `morph_twin`: 0.")
    assert not any("found" in line for line in lines)
    assert most_missed(one[one["features"] == "morph_found"]).startswith("No family of features is missed")
    with pytest.raises(ValueError, match="two classes or more"):
        importance(model, table, np.zeros_like(y), groups, seed=0)


def test_auroc_of_two_and_of_several_classes():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    chances = rng.dirichlet(np.ones(3), 90)
    assert auroc(chances, y) == pytest.approx(roc_auc_score(y, chances, multi_class="ovr"))
    two = np.stack([1 - chances[:, 0], chances[:, 0]], axis=1)
    assert auroc(two, y == 1) == pytest.approx(roc_auc_score(y == 1, chances[:, 0]))
