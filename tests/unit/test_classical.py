"""Models on features: see their families only, learn from training rows only, repeat to the byte."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukstudy.models.classical import parameters, pipeline, select, smote
from leukstudy.models.saved import BadModel
from leukstudy.models.train import fit, load

CLASSES = ["healthy", "leukaemia"]


def settings(**changes):
    base = {"task": "detection", "model": "logistic", "seed": 1, "baseline": False, "features": ["morph"]}
    own = {"trees": 40, "min_images_leaf": 3} if changes.get("model") == "forest" else {"c": 1.0}
    return SimpleNamespace(**base | own | {"class_weight": "balanced", "resample": "none"} | changes)


@pytest.fixture
def study():
    rng = np.random.default_rng(2)
    y = (rng.random(120) < 0.3).astype(int)
    features = pd.DataFrame(
        {
            "image_id": [f"i{n:03}" for n in range(120)],
            "morph_area": rng.normal(y * 3.0, 1.0),
            "colour_mean_r": rng.normal(0.0, 1.0, 120),
            "morph_ratio": rng.normal(0.0, 1.0, 120),
            "morphology": y,  # shares letters with a family, not its prefix
        }
    )
    split = np.array(["train"] * 80 + ["val"] * 20 + ["test"] * 20)
    return features, y, split


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_learns_and_predicts_every_row(study, model):
    features, y, split = study
    found = fit(settings(model=model), features=features, y=y, split=split, classes=CLASSES)
    assert found.probabilities.shape == (120, 2) and found.probabilities.dtype == np.float32
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    assert (found.probabilities.argmax(axis=1) == y)[split == "test"].mean() > 0.8
    assert found.columns == ["morph_area", "morph_ratio"]
    assert found.history.empty and found.cost["epochs"] == 0 and found.cost["fit_s"] > 0
    least = {"logistic": 3, "forest": 3 * 40}[
        model
    ]  # two slopes and an intercept; a root and two leaves a tree
    assert found.cost["parameters"] == parameters(found.model) >= least


@pytest.mark.parametrize("model", ["logistic", "forest"])
@pytest.mark.parametrize("resample", ["none", "smote"])
def test_same_fit_same_bytes_and_back(study, tmp_path, model, resample):
    features, y, split = study
    for name in ("one", "two"):
        found = fit(
            settings(model=model, resample=resample), features=features, y=y, split=split, classes=CLASSES
        )
        found.save(tmp_path / name)
    for file in ("model.joblib", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    back = load(tmp_path / "one")
    assert back.classes == CLASSES
    assert np.array_equal(back.predict(features=features), found.probabilities)
    with pytest.raises(ValueError, match="predicts from features"):
        back.predict()


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_test_and_validation_rows_change_nothing(study, model):
    features, y, split = study
    one = fit(settings(model=model, resample="smote"), features=features, y=y, split=split, classes=CLASSES)
    features = features.copy()
    features.loc[split != "train", ["morph_area", "morph_ratio"]] += 50.0
    y = np.where(split == "train", y, 1 - y)
    two = fit(settings(model=model, resample="smote"), features=features, y=y, split=split, classes=CLASSES)
    train = split == "train"
    assert np.array_equal(one.probabilities[train], two.probabilities[train])
    assert not np.array_equal(one.probabilities[~train], two.probabilities[~train])


def test_missing_and_infinite_values_are_filled(study):
    features, y, split = study
    features.loc[3, "morph_area"], features.loc[90, "morph_ratio"] = np.nan, np.inf
    features["morph_empty"] = np.nan
    found = fit(settings(), features=features, y=y, split=split, classes=CLASSES)
    assert np.isfinite(found.probabilities).all()


def test_a_forest_is_the_same_whatever_the_threads_and_another_with_another_seed(study, monkeypatch):
    features, y, split = study
    good = {"features": features, "y": y, "split": split, "classes": CLASSES}
    one = fit(settings(model="forest"), **good)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert one.model["model"].n_jobs == 1
    assert np.array_equal(one.probabilities, fit(settings(model="forest"), **good).probabilities)
    other = fit(settings(model="forest", seed=2), **good)
    assert not np.array_equal(one.probabilities, other.probabilities)


def test_a_forests_leaf_holds_the_images_asked_for_and_classes_weigh_alike(study):
    features, y, split = study
    good = {"features": features, "y": y, "split": split, "classes": CLASSES}
    found = fit(settings(model="forest", min_images_leaf=40), **good)
    assert (
        found.cost["parameters"] == 40
    )  # 80 training images, bootstrapped unevenly: hardly a tree can split
    assert np.allclose(found.probabilities, 0.5, atol=0.1), "balanced weights make the roots even"
    plain = fit(settings(model="forest", min_images_leaf=40, class_weight="none"), **good)
    assert np.allclose(plain.probabilities[:, 1], y[split == "train"].mean(), atol=0.1)


def test_families(study):
    features = study[0]
    assert list(select(features, ["colour", "morph"])) == ["morph_area", "colour_mean_r", "morph_ratio"]
    with pytest.raises(ValueError, match=r"no column begins with 'texture_'.*'colour', 'morph'"):
        select(features, ["texture"])
    with pytest.raises(ValueError, match="the list is empty"):
        select(features, [])


def test_smote_balances_and_says_when_it_cannot():
    x = np.random.default_rng(0).normal(size=(13, 2))
    y = np.array([0] * 10 + [1] * 3)
    _, balanced = smote(y, 0).fit_resample(x, y)
    assert np.bincount(balanced).tolist() == [10, 10]
    with pytest.raises(ValueError, match="at least 2 training images"):
        pipeline(settings(resample="smote"), np.array([0, 0, 1]))


def test_a_damaged_model_is_not_loaded(study, tmp_path):
    features, y, split = study
    fit(settings(), features=features, y=y, split=split, classes=CLASSES).save(tmp_path)
    path = tmp_path / "model.joblib"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadModel, match=r"damaged or replaced"):
        load(tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(BadModel, match="no whole model"):
        load(tmp_path)


def test_inputs_that_do_not_fit_together(study):
    features, y, split = study
    good = {"features": features, "y": y, "split": split, "classes": CLASSES}
    for change, message in [
        ({"features": features[:50]}, "found 50 rows, expected 120"),
        ({"features": None}, "found none, expected 120"),
        ({"y": y.astype(float)}, "one integer a row"),
        ({"y": y + 1}, "expected 0 to 1"),
        ({"split": np.where(split == "val", "valid", split)}, r"split has \['valid'\]"),
        ({"y": np.where(split == "train", 0, y)}, r"no training image of \['leukaemia'\]"),
        ({"classes": ["healthy"]}, "at least two"),
        ({"groups": np.arange(120) % 7}, "7 groups are in more than one part"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(settings(), **good | change)
