"""Oversampling by group: classes end even, no patient is repeated more than another, no row is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukstudy.models.resample import oversample

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 1000))
def test_even_classes_from_even_groups(rows, seed):
    y, group = np.array(rows).T
    groups = np.char.add(y.astype(str), np.char.add("-", group.astype(str)))
    chosen = oversample(y, groups, seed)
    assert np.array_equal(chosen[: len(y)], np.arange(len(y))), "every row is kept, first and in order"
    assert set(chosen.tolist()) <= set(range(len(y)))
    largest = np.bincount(y).max()
    assert all((y[chosen] == label).sum() == largest for label in np.unique(y))
    extra = chosen[len(y) :]
    for label in np.unique(y):
        per_group = [(groups[extra] == name).sum() for name in np.unique(groups[y == label])]
        assert max(per_group) - min(per_group) <= 1
        for name in np.unique(groups[y == label]):
            per_row = [(extra == row).sum() for row in np.flatnonzero(groups == name)]
            assert max(per_row) - min(per_row) <= 1
    assert np.array_equal(oversample(y, groups, seed), chosen)


def test_one_patient_with_many_images_does_not_dominate():
    y = np.array([0] * 40 + [1] * 13)
    groups = np.array(["a"] * 40 + ["many"] * 11 + ["few", "fewer"])
    extra = oversample(y, groups, 1)[53:]
    assert np.unique(groups[extra], return_counts=True)[1].tolist() == [9, 9, 9]
    assert len(set(extra[groups[extra] == "many"].tolist())) == 9


def test_without_groups_rows_are_repeated_evenly_and_by_lot():
    y = np.array([0] * 11 + [1] * 4)
    extra = oversample(y, None, 1)[15:]
    counts = np.bincount(extra - 11, minlength=4)
    assert counts.sum() == 7 and counts.max() == 2 and counts.min() == 1
    assert any(
        not np.array_equal(np.sort(oversample(y, None, seed)[15:]), np.sort(extra)) for seed in range(2, 9)
    )
    assert np.array_equal(oversample(np.array([0, 1]), None, 1), [0, 1])


def test_groups_of_another_length():
    with pytest.raises(ValueError, match="found 2 groups for 3 rows"):
        oversample(np.zeros(3, int), np.zeros(2, int), 1)
