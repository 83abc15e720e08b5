"""Splits: no group on two sides, every class on every side, near the fractions, whatever the order of rows."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukstudy.data import DataProblem
from leukstudy.data.split import SPLITS, assign


def table(groups: list[tuple[str, str, int]], excluded: int = 0) -> pd.DataFrame:
    """Rows of a manifest, as far as splitting reads them, from (group, label, images)."""
    rows = [(group, label) for group, label, images in groups for _ in range(images)]
    frame = pd.DataFrame(rows, columns=["group_id", "label"], dtype="str")
    frame["source"] = "own"
    frame["excluded"] = ["tiny"] * excluded + [""] * (len(frame) - excluded)
    return frame


classes_of_groups = st.lists(
    st.lists(st.integers(1, 12), min_size=3, max_size=20), min_size=2, max_size=5
).map(
    lambda sizes: [
        (f"c{label}g{group:02d}", f"c{label}", images)
        for label, groups in enumerate(sizes)
        for group, images in enumerate(groups)
    ]
)


@settings(max_examples=30, deadline=None)
@given(groups=classes_of_groups, seed=st.integers(0, 2**32 - 1))
def test_grouped_stratified_and_near(groups, seed):
    frame = table(groups)
    result = assign(frame, folds=3, seed=seed)
    assert set(result["split"]) == set(SPLITS)
    assert (result.groupby("group_id")["split"].nunique() == 1).all()
    assert (result.groupby("group_id")["fold"].nunique() == 1).all()
    for _, rows in result.groupby("label"):
        assert set(rows["split"]) == set(SPLITS)
        sizes = rows.groupby("group_id").size()
        for name, fraction in zip(SPLITS, (0.70, 0.15, 0.15), strict=True):
            # one group is the grain of the split; where groups are few, a side has at least one of them
            assert abs((rows["split"] == name).sum() - fraction * len(rows)) <= 2 * sizes.max()
    assert (result.loc[result["split"] == "test", "fold"] == -1).all()
    assert set(result.loc[result["split"] != "test", "fold"]) <= {0, 1, 2}


@settings(max_examples=12, deadline=None)
@given(groups=classes_of_groups, seed=st.integers(0, 99), shuffle=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(groups, seed, shuffle):
    frame = table(groups)
    frame["row"] = range(len(frame))
    mixed = frame.sample(frac=1, random_state=shuffle)
    a = assign(frame, seed=seed)
    b = assign(mixed, seed=seed)
    assert b["row"].tolist() == mixed["row"].tolist()
    pd.testing.assert_frame_equal(a, b.sort_values("row"))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 999),
    images=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=12, max_size=25),
)
def test_groups_of_several_classes(seed, images):
    groups = [
        (f"g{i:02d}", label, n) for i, pair in enumerate(images) for label, n in zip("ab", pair, strict=True)
    ]
    groups += [(f"only-{label}{i}", label, 3) for label in "ab" for i in range(3)]
    result = assign(table(groups), seed=seed)
    assert (result.groupby("group_id")["split"].nunique() == 1).all()
    assert (result.groupby("label")["split"].nunique() == 3).all()


def test_equal_groups_hit_the_fractions():
    groups = [(f"{label}{i}", label, 10) for label in ("healthy", "ALL") for i in range(20)]
    result = assign(table(groups), seed=1)
    assert result.groupby(["label", "split"]).size().unstack().to_dict("list") == {
        "test": [30, 30], "train": [140, 140], "val": [30, 30],
    }  # fmt: skip
    folds = result[result["fold"] >= 0].groupby(["label", "fold"]).size().unstack()
    assert folds.shape == (2, 5) and folds.to_numpy().min() >= 30 and folds.to_numpy().max() <= 40


def test_seeds_differ_and_repeat():
    frame = table([(f"{label}{i}", label, 5) for label in "ab" for i in range(20)])
    first, again, other = (assign(frame, seed=seed)["split"].tolist() for seed in (1, 1, 2))
    assert first == again and first != other


def test_another_class_leaves_the_others_as_they_were():
    groups = [(f"{label}{i}", label, 5) for label in "abc" for i in range(9)]
    two, three = assign(table(groups[:18]), seed=4), assign(table(groups), seed=4)
    assert two["split"].tolist() == three["split"].tolist()[:90]


@settings(max_examples=30, deadline=None)
@given(
    groups=classes_of_groups,
    seed=st.integers(0, 999),
    more=st.lists(st.integers(1, 12), max_size=8),
    grown=st.integers(0, 9),
    scheme_folds=st.integers(2, 5),
)
def test_images_added_at_the_end_change_nothing_for_those_before(groups, seed, more, grown, scheme_folds):
    before = assign(table(groups), seed=seed, folds=scheme_folds)
    # the last group of a class gets more images, and further groups follow, of known classes and of a new one
    last = [(groups[-1][0], groups[-1][1], grown)] if grown else []
    later = [(f"c{i % 2}g{90 + i}", f"c{i % 2}", images) for i, images in enumerate(more)]
    new = [(f"z{i}", "new", 4) for i in range(3)]
    after = assign(table([*groups, *last, *later, *new]), seed=seed, folds=scheme_folds)
    rows = len(before)
    assert after["split"].tolist()[:rows] == before["split"].tolist()
    assert after["fold"].tolist()[:rows] == before["fold"].tolist()


def test_the_split_says_which_it_is():
    frame = table([(f"{label}{i}", label, 5) for label in "ab" for i in range(9)])
    one, again, other = (assign(frame, seed=seed) for seed in (1, 1, 2))
    assert one["split_seed"].unique().tolist() == [1] and one["split_hash"].nunique() == 1
    assert one["split_hash"].iloc[0] == again["split_hash"].iloc[0] != other["split_hash"].iloc[0]
    assert len(one["split_hash"].iloc[0]) == 16


def sources(**images: int) -> pd.DataFrame:
    """Two classes of four groups in each source named."""
    rows = [
        (f"{source}:{label}{i}", label, source)
        for source, count in images.items()
        for label in "ab"
        for i in range(4)
        for _ in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["group_id", "label", "source"], dtype="str")
    return frame.assign(excluded="", official_split="")


def test_external_sources_are_never_dealt_and_change_nothing():
    frame = sources(**{"folder-here": 3, "folder-there": 5})
    result = assign(frame, seed=1, external=["folder-there"])
    assert (result["split"] == "external").equals(result["source"] == "folder-there")
    assert (result.loc[result["source"] == "folder-there", "fold"] == -1).all()
    alone = assign(frame[frame["source"] == "folder-here"], seed=1)
    assert result.loc[result["source"] == "folder-here", "split"].tolist() == alone["split"].tolist()


def test_a_source_with_the_same_patients_is_not_external():
    frame = sources(taleqani=2, blood_cell_cancer_4class=2)
    with pytest.raises(DataProblem, match=r"holds images or patients of taleqani: .*no external validation"):
        assign(frame, seed=1, external=["blood_cell_cancer_4class"])


def test_leave_one_source_out():
    frame = sources(**{"folder-1": 3, "folder-2": 3, "folder-3": 3})
    result = assign(frame, seed=1, scheme="leave_one_source_out", held_out="folder-2")
    assert (result["split"] == "test").equals(result["source"] == "folder-2")
    assert set(result.loc[result["source"] != "folder-2", "split"]) == {"train", "val"}
    folds = result.groupby("source")["fold"].unique().map(list).to_dict()
    assert folds == {"folder-1": [0], "folder-3": [1], "folder-2": [-1]}
    with pytest.raises(DataProblem, match="held_out is 'none'"):
        assign(frame, seed=1, scheme="leave_one_source_out", held_out="none")


def test_an_official_split_is_kept_and_completed():
    frame = sources(cnmc=4)
    frame["official_split"] = ["test" if group[-1] == "3" else "train" for group in frame["group_id"]]
    result = assign(frame, seed=1, scheme="official")
    assert (result["split"] == "test").equals(frame["official_split"] == "test")
    assert result.groupby("label")["split"].unique().map(set).tolist() == [{"train", "val", "test"}] * 2
    whole = frame.assign(official_split=["train", "train", "val", "test"] * 8)
    with pytest.raises(DataProblem, match=r"puts group 'cnmc:a0' on two sides \(8 groups"):
        assign(whole, seed=1, scheme="official")
    with pytest.raises(DataProblem, match="no source here has an official split"):
        assign(sources(cnmc=4), seed=1, scheme="official")


def test_excluded_rows_take_no_part():
    groups = [(f"{label}{i}", label, 2) for label in "ab" for i in range(6)]
    result = assign(table(groups, excluded=2), seed=0)
    gone = result[result["excluded"] != ""]
    assert len(gone) == 2 and (gone["split"] == "").all() and (gone["fold"] == -1).all()
    assert (result.loc[result["excluded"] == "", "split"] != "").all()


def test_too_few_groups_name_class_count_and_need():
    groups = [(f"a{i}", "a", 2) for i in range(5)] + [("b1", "b", 9), ("b2", "b", 9)]
    with pytest.raises(DataProblem, match=r"class 'b' has 2 group\(s\).*at least 3"):
        assign(table(groups), seed=0)


@pytest.mark.parametrize("fractions", [(0.7, 0.3, 0.0), (0.5, 0.2, 0.2), (0.8, 0.2)])
def test_impossible_fractions(fractions):
    with pytest.raises(ValueError, match="fractions are"):
        assign(table([(f"a{i}", "a", 2) for i in range(5)]), fractions=fractions, seed=0)
