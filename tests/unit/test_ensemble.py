"""Ensembles: means are means, stacking learns from the validation rows alone, and members must fit together."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from leukstudy.evaluate.ensemble import PENALTY, average, combine, composition, stacking_weights
from leukstudy.statistics.metrics import score
from leukstudy.statistics.predictions import BadPredictions, Predictions, table

CLASSES = ["healthy", "ALL", "AML"]
SPLITS = ("train", "val", "test", "external")


def member(
    skill: float,
    *,
    seed: int,
    classes: list[str] = CLASSES,
    groups: int = 20,
    images: int = 5,
    boast: float = 1.0,
) -> pd.DataFrame:
    """Predictions of `groups` groups a class and split, right with `skill`; the images are those of every other member."""
    rng = np.random.default_rng(seed)
    rows, y = [], []
    for split in SPLITS:
        for k, name in enumerate(classes):
            for group in range(groups):
                for image in range(images):
                    rows.append((f"{split}/{name}{group}_{image}", f"{split}{name}{group}", split))
                    y.append(k)
    y = np.array(y)
    logits = rng.normal(0, 1, (len(y), len(classes)))
    logits[np.arange(len(y)), y] += skill
    chances = np.exp(boast * logits)
    given = pd.DataFrame(rows, columns=["image_id", "group_id", "split"])
    return table(given, y, chances, classes)


def chances(predictions: pd.DataFrame, classes: list[str] = CLASSES) -> np.ndarray:
    return predictions[[f"p_{name}" for name in classes]].to_numpy()


def test_mean_is_the_mean_and_its_most_probable_class():
    first, second = member(1.0, seed=1), member(1.0, seed=2)
    found = combine({"a": first, "b": second}, "mean", CLASSES)
    assert list(found.columns) == list(first.columns)
    np.testing.assert_allclose(chances(found), (chances(first) + chances(second)) / 2, atol=2e-6)
    assert (found["y_pred"] == np.array(CLASSES)[chances(found).argmax(axis=1)]).all()
    pd.testing.assert_frame_equal(
        found[["image_id", "split", "y_true"]], first[["image_id", "split", "y_true"]]
    )


def test_equal_members_give_the_member():
    only = member(1.0, seed=1)
    found = combine({"a": only, "b": only, "c": only}, "mean", CLASSES)
    np.testing.assert_allclose(chances(found), chances(only), atol=2e-6)
    # stacked, the member's confidence is set right, and which class stands before which stays
    found = combine({"a": only, "b": only}, "stacked", CLASSES)
    assert (found["y_pred"] == only["y_pred"]).mean() > 0.999
    both = stacking_weights({"a": only, "b": only}, CLASSES)
    assert both["a"] == pytest.approx(both["b"], abs=1e-5)


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]])
def test_stacking_learns_to_ignore_a_member_that_is_noise(classes):
    good, noise = member(2.0, seed=1, classes=classes), member(0.0, seed=2, classes=classes)
    weights = stacking_weights({"noise": noise, "good": good}, classes)
    assert weights["noise"] < 0.1
    assert weights["good"] > 0.8

    def auroc(predictions: pd.DataFrame) -> float:
        test = predictions[predictions["split"] == "test"]
        return score(Predictions.of(test, classes, "ALL" if len(classes) == 2 else None))["auroc"]

    mean, stacked = (combine({"good": good, "noise": noise}, name, classes) for name in ("mean", "stacked"))
    assert auroc(mean) < auroc(good) - 0.02 < auroc(stacked)


def test_weights_are_the_minimum_of_the_penalised_loss():
    members = {"a": member(1.5, seed=1), "b": member(0.7, seed=2), "c": member(1.0, seed=3, boast=2.0)}
    found = np.array(list(stacking_weights(members, CLASSES).values()))
    val = (members["a"]["split"] == "val").to_numpy()
    y = np.array([CLASSES.index(name) for name in members["a"].loc[val, "y_true"]])

    def loss(weights) -> float:
        powers = np.prod(
            [chances(m)[val] ** w for m, w in zip(members.values(), weights, strict=True)], axis=0
        )
        right = powers[np.arange(len(y)), y] / powers.sum(axis=1)
        return -np.log(right).sum() / 5 + PENALTY / 2 * ((weights - 1 / 3) ** 2).sum()  # 5 images a group

    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.01:
        assert loss(found) < loss(np.maximum(found + step, 0))


def test_few_groups_leave_the_weights_near_equal_and_images_do_not_stand_for_groups():
    def apart(groups: int, images: int) -> float:
        sizes = {"groups": groups, "images": images}
        members = {"good": member(2.0, seed=1, **sizes), "noise": member(0.0, seed=2, **sizes)}
        found = stacking_weights(members, CLASSES)
        return found["good"] - found["noise"]

    assert 0 < apart(1, 40) < apart(10, 4) - 0.2  # as many images
    alone = member(1.0, seed=1)
    noise = member(0.0, seed=2)
    rows = alone["split"] == "val"
    whole = stacking_weights({"a": alone, "b": noise}, CLASSES)
    # a group's images twice over are the same witness
    twice = [
        pd.concat([t, t[rows].assign(image_id=t["image_id"][rows] + "-again")], ignore_index=True)
        for t in (alone, noise)
    ]
    again = stacking_weights(dict(zip("ab", twice, strict=True)), CLASSES)
    assert again == pytest.approx(whole, abs=1e-5)


def test_only_validation_rows_are_learned_from():
    members = {"a": member(1.5, seed=1), "b": member(0.7, seed=2)}
    found = combine(members, "stacked", CLASSES)
    outside = members["a"]["split"] != "val"
    turned = {}
    for name, given in members.items():
        other = given["y_true"].map({"healthy": "ALL", "ALL": "AML", "AML": "healthy"})
        turned[name] = given.assign(y_true=given["y_true"].where(~outside, other))
    assert stacking_weights(turned, CLASSES) == stacking_weights(members, CLASSES)
    again = combine(turned, "stacked", CLASSES)
    np.testing.assert_array_equal(chances(again), chances(found))
    assert (again["y_true"] != found["y_true"]).sum() == outside.sum()
    inside = members["a"]["split"] == "val"
    for name, given in members.items():
        other = given["y_true"].map({"healthy": "ALL", "ALL": "AML", "AML": "healthy"})
        turned[name] = given.assign(y_true=given["y_true"].where(~inside, other))
    assert stacking_weights(turned, CLASSES) != stacking_weights(members, CLASSES)


def test_a_member_that_is_right_in_being_wrong_is_left_out_not_turned_round():
    bad = member(-2.0, seed=2)
    assert stacking_weights({"good": member(1.0, seed=1), "bad": bad}, CLASSES)["bad"] == 0


def test_overconfident_members_are_toned_down():
    loud = {"a": member(1.0, seed=1, boast=4.0), "b": member(1.0, seed=2, boast=4.0)}
    assert 0.1 < sum(stacking_weights(loud, CLASSES).values()) < 0.9


@pytest.mark.parametrize("combination", ["mean", "stacked"])
def test_neither_the_order_of_rows_nor_that_of_members_matters(combination):
    first, second = member(1.0, seed=1), member(0.5, seed=2)
    found = combine({"a": first, "b": second}, combination, CLASSES)
    shuffled = combine({"a": first, "b": second.sample(frac=1, random_state=3)}, combination, CLASSES)
    pd.testing.assert_frame_equal(shuffled, found)
    turned = combine({"b": second, "a": first}, combination, CLASSES)
    np.testing.assert_allclose(chances(turned), chances(found), atol=3e-6)


def test_seeds_are_averaged_and_a_single_one_stays_as_it_is():
    seeds = {7: member(1.0, seed=1), 8: member(1.0, seed=2), 9: member(1.0, seed=3)}
    found = average(seeds)
    np.testing.assert_allclose(
        chances(found), np.mean([chances(t) for t in seeds.values()], axis=0), atol=2e-6
    )
    assert average({7: seeds[7]}) is seeds[7]


def test_tables_name_the_members_and_their_weights():
    members = {"a": member(1.5, seed=1), "b": member(0.7, seed=2)}
    assert composition(members, "mean", CLASSES) == "mean of a, b"
    weights = stacking_weights(members, CLASSES)
    assert composition(members, "stacked", CLASSES) == f"stacked: {weights['a']:.2f} a, {weights['b']:.2f} b"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda t: t.iloc[1:], BadPredictions, r"b has 1199 images and a 1200; 1 are in one.*train/healthy0_0"),
        (lambda t: t.assign(y_true="ALL"), BadPredictions, "y_true of image.*'ALL' in b and 'healthy' in a"),
        (lambda t: t.assign(split="test"), BadPredictions, "split of image.*'test' in b and 'train' in a"),
        (lambda t: t.assign(y_true="CLL"), BadPredictions, "member b has the classes.*CLL"),
        (lambda t: t.drop(columns="p_AML"), BadPredictions, "member b has the classes .*one.task"),
    ],
)  # fmt: skip
def test_members_that_do_not_fit_together_are_refused(change, error, said):
    given = member(1.0, seed=1)
    with pytest.raises(error, match=said):
        combine({"a": given, "b": change(given)}, "mean", CLASSES)


def test_what_cannot_be_combined_is_said():
    given = member(1.0, seed=1)
    with pytest.raises(ValueError, match="at least two"):
        combine({"a": given}, "mean", CLASSES)
    with pytest.raises(ValueError, match="found 'median', expected one of mean, stacked"):
        combine({"a": given, "b": given}, "median", CLASSES)
    unseen = given[given["split"] != "val"]
    with pytest.raises(BadPredictions, match=r"validation split, which holds 0 image.*combine: mean"):
        combine({"a": unseen, "b": unseen}, "stacked", CLASSES)
    assert len(combine({"a": unseen, "b": unseen}, "mean", CLASSES)) == len(unseen)


def test_a_sure_error_is_not_a_logarithm_of_nothing():
    sure = member(1.0, seed=1, boast=60.0)  # probabilities of 0 and 1
    found = combine({"a": sure, "b": member(1.0, seed=2)}, "stacked", CLASSES)
    assert np.isfinite(chances(found)).all()


def test_no_tensorflow_is_imported():
    code = "import sys, leukstudy.evaluate.ensemble; sys.exit('tensorflow' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
