"""The search over a head's settings: no test rows, no group on both sides, equal results, honest differences."""

import json

import numpy as np
import pandas as pd
import pytest

from leukstudy.models.fit import fit
from leukstudy.report.search_plots import plot_search, search_table, to_write
from leukstudy.search import heads, search
from leukstudy.study import params, presets
from leukstudy.study.tune import Tune, at_point

TASK = {"classes": {"healthy": ["healthy"], "leukaemia": ["ALL"]}, "positive": "leukaemia"}
STUDY = presets.study_of("smoke")
OWN = {"mode": "frozen", "model": "efficientnet_lite0", "image_size": 32, "head_units": 8, "epochs": 3}
OWN |= {"dropout": 0.2, "batch_size": 16, "learning_rate": 0.01, "seeds": [3]}
SETTINGS = at_point(STUDY.train["detection-efficientnet_lite0"], OWN)
GRID = {"learning_rate": [0.001, 0.01], "dropout": [0.0, 0.2]}


def asked(**changes) -> Tune:
    ranges = {"learning_rate": [0.0001, 0.1], "dropout": [0.0, 0.6], "head_units": [0, 4, 8]}
    block = {"experiment": "e", "method": "grid", "grid": GRID, "trials": 4, "ranges": ranges}
    return Tune(**block | {"metric": "auroc", "seed": 5} | changes)


def manifest(folds=3, groups=6, images=4) -> pd.DataFrame:
    """Groups of one label each; the last sixth of each class is the test split."""
    rows = []
    for label in ("healthy", "ALL"):
        for group in range(groups):
            test = group == groups - 1
            where = {"split": "test" if test else "train", "fold": -1 if test else group % folds}
            rows += [
                {"image_id": f"{label}{group}{n}", "group_id": f"{label}{group}", "label": label} | where
                for n in range(images)
            ]
    return pd.DataFrame(rows).assign(excluded="")


def smears(table: pd.DataFrame) -> np.ndarray:
    """Grey noise; leukaemia is a little brighter."""
    rng = np.random.default_rng(0)
    level = 120 + 12 * (table["label"] == "ALL").to_numpy()[:, None, None, None]
    return np.clip(rng.normal(level, 40, (len(table), 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(cache, table=None, images=None, *, block=None, settings=SETTINGS, say=len):
    table = manifest() if table is None else table
    images = smears(manifest()) if images is None else images
    rows, kept, y = search.developing_rows(table, TASK["classes"], task="detection")
    given = {"images": images[rows], "rows": kept, "y": y, "task": TASK, "cache": cache}
    return search.search(settings, block or asked(), **given, say=say)


@pytest.fixture(scope="module")
def found(cache):
    return run(cache)


def test_the_table_holds_every_point_the_best_first_and_the_own_setting(found):
    assert found.keys == ["dropout", "learning_rate"]
    assert list(found.table) == [
        "dropout", "learning_rate", "auroc", "log_loss", "accuracy", "fold_0", "fold_1", "fold_2", "difference", "low",
        "high", "current",
    ]  # fmt: skip
    assert set(map(tuple, found.table[found.keys].to_numpy())) == {
        (0.0, 0.001), (0.0, 0.01), (0.2, 0.001), (0.2, 0.01)
    }  # fmt: skip
    assert found.table["auroc"].is_monotonic_decreasing
    own = found.table[found.table["current"]]
    assert own[found.keys].to_numpy().tolist() == [[0.2, 0.01]]
    assert (own[["difference", "low", "high"]] == 0).all(axis=None)
    inside = found.table[["low", "high"]].to_numpy()
    assert (inside[:, 0] <= inside[:, 1]).all() and np.ptp(inside) > 0


def test_equal_inputs_give_equal_tables_in_whatever_order_the_points_stand(cache, found):
    turned = {key: values[::-1] for key, values in reversed(GRID.items())}
    pd.testing.assert_frame_equal(run(cache, block=asked(grid=turned)).table, found.table)


def test_a_point_scores_the_same_alone_as_after_others(cache, found):
    alone = run(cache, block=asked(grid={"dropout": [0.0], "learning_rate": [0.001]})).table
    both = found.table.merge(alone, on=found.keys, suffixes=("", "_alone"))
    assert len(both) == 2  # the point and the experiment's own
    assert (both["log_loss"] == both["log_loss_alone"]).all()


def test_poisoned_test_rows_change_nothing(cache, found):
    table, images = manifest(), smears(manifest())
    test = (table["split"] == "test").to_numpy()
    images[test] = np.random.default_rng(9).integers(0, 256, images[test].shape)
    flipped = table["label"].map({"healthy": "ALL", "ALL": "healthy"})
    poisoned = table.assign(label=table["label"].where(~test, flipped))
    assert test.any() and not poisoned.equals(table)
    pd.testing.assert_frame_equal(run(cache, poisoned, images).table, found.table)


def test_a_flipped_training_label_does_change_it(cache, found):
    table = manifest()
    table.loc[table["group_id"] == "ALL0", "label"] = "healthy"
    assert not run(cache, table).table.equals(found.table)


@pytest.mark.parametrize(
    ("change", "watched"), [({"early_stopping": 4}, 1), ({"early_stopping": 0, "schedule": "constant"}, 0)]
)
def test_no_group_is_on_two_sides_of_a_fold(cache, change, watched):
    rows, kept, y = search.developing_rows(manifest(), TASK["classes"], task="detection")
    many = heads.Heads(
        SETTINGS, smears(manifest())[rows], kept, y=y, classes=list(TASK["classes"]), cache=cache
    )
    settings = at_point(SETTINGS, change)
    for held in many.folds:
        learn, watch = many.parts(settings, held)
        predicted = np.flatnonzero(kept["fold"] == held)
        sides = [set(kept["group_id"].iloc[part]) for part in (learn, watch, predicted)]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert len(learn) + len(watch) + len(predicted) == len(kept)
        assert kept["fold"].iloc[watch].nunique() == watched


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"resample": "smote", "class_weight": "none"},
        {"resample": "oversample", "optimiser": "adamw", "weight_decay": 0.1, "schedule": "one_cycle"},
        {"augment": {"views": 2, "mixup": 0.2}, "label_smoothing": 0.1, "early_stopping": 1},
    ],
)
def test_a_head_is_trained_as_the_study_trains_it(cache, change):
    """The same rows through `train.fit` give the same probabilities, to the rounding of the standardisation."""
    table = manifest()
    # one class is rarer, so that resampling has something to do
    table = table[~table["group_id"].isin(["ALL1"])].reset_index(drop=True)
    change = dict(change)
    augment = SETTINGS.augment.model_dump() | change.pop("augment", {})
    settings = at_point(SETTINGS, change | {"augment": augment, "dropout": 0.4})
    rows, kept, y = search.developing_rows(table, TASK["classes"], task="detection")
    images, classes = smears(table)[rows], list(TASK["classes"])
    many = heads.Heads(settings, images, kept, y=y, classes=classes, cache=cache)
    chances = many.out_of_fold(settings)
    learn, watch = many.parts(settings, 2)
    split = np.full(len(y), "test", dtype="<U5")
    split[learn], split[watch] = "train", "val"
    how = {"groups": kept["group_id"].to_numpy(), "cache": cache, "say": lambda _: None}
    one = fit(settings, images=images, y=y, split=split, classes=classes, **how)
    mine = (kept["fold"] == 2).to_numpy()
    assert np.abs(chances - one.probabilities)[mine].max() < 2e-4


def test_optuna_draws_the_same_points_for_a_seed_and_others_for_another():
    def drawn(seed, direction="maximize", turned=False):
        points: list[dict] = []

        def score(point):
            points.append(point)
            return point["dropout"] if len(points) != 3 else float("nan")  # one that diverges ends nothing

        block = asked(method="optuna", seed=seed, trials=30)
        if turned:
            block = block.model_copy(update={"ranges": dict(reversed(block.ranges.items()))})
        search._draw(block, score, direction)
        return points

    first = drawn(5)
    assert first == drawn(5) == drawn(5, turned=True) and first != drawn(6)
    assert len(first) == 30 and {point["head_units"] for point in first} == {0, 4, 8}
    assert all(0.0001 <= point["learning_rate"] <= 0.1 and 0 <= point["dropout"] <= 0.6 for point in first)
    assert np.median([point["learning_rate"] for point in first]) < 0.02, "logarithmic"

    def last(points):
        return np.mean([point["dropout"] for point in points[-10:]])

    assert last(first) > last(drawn(5, "minimize")) + 0.2, "it goes where the score is better"


def test_optuna_searches_beside_the_own_setting(cache):
    table = run(cache, block=asked(method="optuna", trials=2)).table
    assert len(table) == 3 and table["current"].sum() == 1
    assert table[["auroc", "log_loss", "accuracy"]].notna().all(axis=None)


@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_the_best_is_the_best_by_the_metric_that_is_asked_for(cache, metric):
    table = run(cache, block=asked(metric=metric)).table
    best = table["log_loss"].min() if metric == "log_loss" else table["accuracy"].max()
    assert table[metric].iloc[0] == best
    own = table.loc[table["current"], metric].iloc[0]
    assert table["difference"].to_numpy() == pytest.approx(table[metric].to_numpy() - own)


def test_a_setting_that_diverges_comes_last_and_ends_nothing(cache):
    said: list[str] = []
    block = asked(grid={"learning_rate": [0.01, 1e30]})
    found = run(cache, block=block, settings=at_point(SETTINGS, {"optimiser": "sgd"}), say=said.append)
    assert found.table["learning_rate"].tolist() == [0.01, 1e30]
    assert found.table[["auroc", "low"]].iloc[1].isna().all()
    assert "learning_rate 1e+30: diverged" in said
    plot_search(found.table, found.keys, "auroc")


def test_rows_of_the_test_split_and_torn_groups_are_refused(cache):
    table = manifest()
    y = (table["label"] == "ALL").to_numpy().astype(int)
    given = {"y": y, "classes": list(TASK["classes"]), "cache": cache}
    with pytest.raises(ValueError, match="fold -1 are those of the test split"):
        heads.Heads(SETTINGS, smears(table), table, **given)
    torn = table.assign(fold=np.arange(len(table)) % 3)
    with pytest.raises(ValueError, match="group 'ALL0' is in more than one fold"):
        heads.Heads(SETTINGS, smears(table), torn, **given)


def test_a_class_that_lies_in_one_fold_is_said(cache):
    table = manifest()
    table = table[(table["label"] == "healthy") | (table["fold"] == 1) | (table["fold"] == -1)]
    with pytest.raises(ValueError, match=r"no image of \['leukaemia'\] is left to learn from"):
        run(cache, table.reset_index(drop=True), smears(table))


def test_what_is_written_and_said(found, tmp_path):
    search.write(tmp_path, asked(), found)
    back = pd.read_csv(tmp_path / "trials.csv")
    assert back[found.keys].to_numpy().tolist() == found.table[found.keys].to_numpy().tolist()
    told = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    assert told["best"]["set"] == found.best and told["current"]["set"] == {
        "dropout": 0.2,
        "learning_rate": 0.01,
    }
    assert told["settings"] == 4 and told["told_apart"] == found.told_apart
    search.write(tmp_path, asked(method="none"), None)
    assert "best" not in json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    text = search_table(found.table, found.keys, "auroc")
    assert (text["difference [95% interval]"] == "as in params.yaml").sum() == 1
    assert "train:\n  e:\n    dropout: 0.0" in to_write("e", {"dropout": 0.0}, told_apart=True)
    assert "Nothing asks for a change" in to_write("e", {"dropout": 0.0}, told_apart=False)


def test_the_best_is_told_apart_only_by_an_interval_without_0(found):
    def at(low, high, current=False):
        first = found.table.assign(low=low, high=high, current=current)
        return search.Search(first, found.keys, {}).told_apart

    assert at(0.01, 0.02) and at(-0.02, -0.01)
    assert not at(-0.01, 0.02) and not at(np.nan, np.nan) and not at(0.01, 0.02, current=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grid": {"dropuot": [0.3]}}, "grid: unknown setting 'dropuot': did you mean 'dropout'?"),
        ({"grid": {"image_size": [64]}}, "grid.image_size is no setting of a head alone"),
        ({"grid": {"dropout": []}}, "tune.grid.dropout"),
        ({"ranges": {"dropout": [0.7, 0.1]}}, "expected [lowest, highest]"),
        ({"ranges": {"batch_size": [0, 64]}}, "drawn on a logarithmic scale, so it starts above 0"),
        ({"metric": "auc"}, "'auroc', 'log_loss' or 'accuracy'"),
        ({"experiment": "detection-eficientnet_lite0"}, "tune.experiment: unknown experiment"),
        ({"experiment": "typing-cnn"}, "typing-cnn is mode: scratch, and a search trains heads of a frozen"),
        ({"experiment": "detection-forest"}, "detection-forest is no network"),
        ({"grid": {"dropout": [0.3, 1.5]}}, "tune.grid at {'dropout': 1.5}: dropout: Input should be less"),
        ({"grid": {"weight_decay": [0.1]}}, "weight_decay goes with optimiser"),
        ({"method": "optuna", "ranges": {"dropout": [0.0, 2.0]}}, "tune.ranges at {'dropout': 2.0}"),
    ],
)
def test_a_search_that_cannot_be_is_refused(tmp_path, change, says):
    from ruamel.yaml import YAML

    raw = YAML(typ="safe").load(presets.text_of("demo"))
    raw["tune"] |= change
    file = tmp_path / "params.yaml"
    YAML().dump(raw, file)
    with pytest.raises(params.BadParams) as error:
        params.load(file)
    assert says in str(error.value)


def test_a_bare_exponent_in_a_grid_is_a_number():
    assert asked(grid={"learning_rate": ["1e-4"]}).grid["learning_rate"] == [1e-4]


def test_paper_b_asks_for_its_27_points_and_a_study_may_ask_for_none():
    from leukstudy.study.tune import grid_points

    assert len(list(grid_points(presets.study_of("paper-b").tune.grid))) == 27
    assert presets.study_of("paper-a").tune.method == "none"


def test_a_search_stage_gets_its_experiment_and_task_only():
    given = params.stage_params(params.load(), "tune")
    assert list(given) == ["tasks", "train", "tune"]
    assert list(given["train"]) == ["detection-efficientnet_lite0"]
    assert list(given["tasks"]) == ["detection"]


def test_scores_are_those_of_scikit_learn_and_a_fold_without_a_class_has_no_auroc():
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    rng = np.random.default_rng(1)
    y = np.arange(60) % 3
    chances = rng.dirichlet(np.ones(3), 60) + 0.5 * np.eye(3)[y]
    chances = (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)
    names = np.array([f"i{n}" for n in range(60)])
    fold = np.where(y == 2, 1, np.arange(60) // 30)  # the last class lies in one fold
    rows = pd.DataFrame({"image_id": names, "group_id": names, "split": "train", "fold": fold})
    task = {"classes": {name: [name] for name in "abc"}, "positive": None}
    scores = search._scores(chances, rows, y, task, search._weights(rows, y, [0, 1]))
    assert scores.shape == (3, 1 + 2 + search.RESAMPLES)
    assert scores[0, 0] == pytest.approx(roc_auc_score(y, chances, multi_class="ovr"), abs=1e-5)
    assert scores[1, 0] == pytest.approx(log_loss(y, chances), rel=1e-5)
    assert scores[2, 0] == accuracy_score(y, chances.argmax(axis=1))
    assert np.isnan(scores[0, 1]) and np.isfinite(scores[:, 2]).all()
    mine = fold == 0
    assert scores[2, 1] == pytest.approx(accuracy_score(y[mine], chances[mine].argmax(axis=1)))
