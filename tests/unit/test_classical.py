"""Models on features: see their families only, learn from training rows only, repeat to the byte."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from leukstudy.models.classical import embedding_columns, parameters, pipeline, select, smote
from leukstudy.models.fit import fit
from leukstudy.models.saved import BadModel, load, save
from leukstudy.study.experiments import ClassicalSettings, Embedding
from leukstudy.study.zoo import ZOO

CLASSES = ["healthy", "leukaemia"]
TAKES = {name: spec.takes for name, spec in ZOO.items() if spec.kind == "classical"}


def settings(**changes):
    base = {
        "task": "detection",
        "model": "logistic",
        "seeds": [changes.pop("seed", 1)],
        "baseline": False,
        "features": ["morph"],
        "embedding": None,
    }
    own = {
        "c": 1.0, "gamma": "scale", "max_depth": 4, "trees": 40, "min_images_leaf": 3, "rounds": 20, "max_leaves": 7,
        "learning_rate": 0.1,
    }  # fmt: skip
    own = {key: own[key] for key in TAKES[changes.get("model", "logistic")]}
    return ClassicalSettings(**base | own | {"class_weight": "balanced", "resample": "none"} | changes)


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


@pytest.mark.parametrize("model", list(TAKES))
def test_learns_and_predicts_every_row(study, model):
    features, y, split = study
    found = fit(settings(model=model), features=features, y=y, split=split, classes=CLASSES)
    assert found.probabilities.shape == (120, 2) and found.probabilities.dtype == np.float32
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    assert (found.probabilities.argmax(axis=1) == y)[split == "test"].mean() > 0.8
    assert found.columns == ["morph_area", "morph_ratio"]
    assert found.history.empty and found.cost["epochs"] == 0 and found.cost["fit_s"] > 0
    # two slopes and an intercept; a root and two leaves; that for each tree; two support vectors, what they weigh, an
    # intercept and a calibration
    least = {"logistic": 3, "tree": 3, "forest": 3 * 40, "boosting": 3 * 20, "svm": 2 * 2 + 2 + 1 + 2}[model]
    assert found.cost["parameters"] == parameters(found.model) >= least


@pytest.mark.parametrize("model", list(TAKES))
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


@pytest.mark.parametrize("model", list(TAKES))
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
    with pytest.raises(
        ValueError, match=r"smallest class has 1 training images.*expected at least 2 of every class"
    ):
        pipeline(settings(model="svm"), np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="expected at least 4 of every class"):
        pipeline(settings(model="svm", resample="smote"), np.array([0] * 9 + [1, 1]))


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


def test_the_settings_of_each_are_data():
    assert TAKES == {
        "logistic": ("c",),
        "tree": ("max_depth", "min_images_leaf"),
        "forest": ("trees", "min_images_leaf"),
        "svm": ("c", "gamma"),
        "boosting": ("rounds", "learning_rate", "max_leaves", "min_images_leaf"),
    }
    code = (
        "import sys, leukstudy.models.classical; print('sklearn' in sys.modules, 'imblearn' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False False"


@pytest.mark.parametrize("model", list(TAKES))
def test_settings_arrive(model):
    y = np.array([0, 1] * 20)
    own = {
        "logistic": {"c": 0.25}, "tree": {"max_depth": 2, "min_images_leaf": 5}, "forest": {"trees": 7},
        "svm": {"c": 0.25, "gamma": 0.5}, "boosting": {"rounds": 6, "learning_rate": 0.3, "max_leaves": 4},
    }[model]  # fmt: skip
    whole = pipeline(settings(model=model, **own), y)
    last = (whole.estimator if model == "svm" else whole)["model"]
    names = {
        "c": "C", "gamma": "gamma", "max_depth": "max_depth", "min_images_leaf": "min_samples_leaf",
        "trees": "n_estimators", "rounds": "max_iter", "learning_rate": "learning_rate", "max_leaves": "max_leaf_nodes",
    }  # fmt: skip
    assert {key: last.get_params()[names[key]] for key in own} == own
    assert last.get_params()["class_weight"] == "balanced"


def test_boosting_is_the_same_whatever_the_threads():
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 20)), rng.integers(0, 3, 3000)
    trained = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="openmp"):
            trained.append(pipeline(settings(model="boosting"), y).fit(x, y))
    one, two = (model.predict_proba(x) for model in trained)
    assert np.array_equal(one, two) and parameters(trained[0]) == parameters(trained[1]) > 20 * 3 * 3


def test_an_svm_is_calibrated_on_patients_it_did_not_see():
    # Twenty patients whose rows are copies of each other, and labels that have nothing to do with the features.
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 6)
    x, y = rng.normal(size=(20, 8))[groups] + rng.normal(0, 0.01, (120, 8)), (groups % 2)
    apart = pipeline(settings(model="svm", c=10.0), y, groups).fit(x, y)
    mixed = pipeline(settings(model="svm", c=10.0), y).fit(x, y)
    for train, test in apart.cv:
        assert not set(groups[train]) & set(groups[test])
    truth = [model.predict_proba(x)[np.arange(120), y].mean() for model in (apart, mixed)]
    assert truth[0] < 0.6, "what was learned by heart is not trusted"
    assert truth[1] > 0.9


def test_an_svm_weighs_classes_alike_and_holds_resampled_rows_apart():
    rng = np.random.default_rng(0)
    y = np.array([0] * 160 + [1] * 40)
    x = rng.normal(size=(200, 2)) + 0.8 * y[:, None]
    for changes, expected in [
        ({}, 0.5), ({"class_weight": "none"}, 0.2), ({"class_weight": "none", "resample": "smote"}, 0.5)
    ]:  # fmt: skip
        model = pipeline(settings(model="svm", **changes), y).fit(x, y)
        chances = model.predict_proba(x)[:, 1]
        level = (
            chances.mean() if expected == 0.2 else np.mean([chances[y == 0].mean(), chances[y == 1].mean()])
        )
        assert level == pytest.approx(expected, abs=0.07)


def test_a_patient_alone_in_its_class_does_not_stop_an_svm():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 0, 0, 1, 2, 2], 8)
    groups = np.repeat(np.arange(6), 8)
    x = rng.normal(size=(48, 2)) + 3 * y[:, None]
    model = pipeline(settings(model="svm"), y, groups).fit(x, y)
    assert (model.predict_proba(x).argmax(axis=1) == y).mean() > 0.9


@pytest.mark.parametrize("model", ["svm", "boosting"])
def test_on_an_embedding(model, tmp_path):
    from leukstudy.models.embed import embed

    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    images = rng.integers(0, 100, (40, 32, 32, 3)).astype(np.uint8)
    images[y == 1, 8:24, 8:24, 0] += 120
    source = {"model": "efficientnet_lite0", "weights": "imagenet", "scaling": "imagenet", "image_size": 32}
    given = settings(model=model, features=[], embedding=Embedding(**source))
    table = embedding_columns(embed(images, **source, cache=tmp_path / "cache"))
    assert list(table.columns[[0, -1]]) == ["embedding_0000", "embedding_1279"]
    assert (table.dtypes == np.float64).all()
    trained = pipeline(given, y).fit(table.to_numpy(), y)
    save(trained, tmp_path, settings=given, classes=CLASSES, columns=list(table.columns))
    back = load(tmp_path)
    chances = back.predict(images=images, cache=tmp_path / "cache")
    assert np.array_equal(chances, trained.predict_proba(table.to_numpy()).astype(np.float32))
    assert (chances.argmax(axis=1) == y).mean() > 0.9
    assert back.predict(images=images[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match=f"{model} predicts from images"):
        back.predict(features=table)
