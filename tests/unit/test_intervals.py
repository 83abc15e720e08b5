"""The group bootstrap: it equals scoring explicit resamples, respects groups, and says where it ends."""

import json
import time

import numpy as np
import pandas as pd
import pytest

from leukstudy.evaluate.published import published
from leukstudy.evaluate.record import Estimate, Identity, Provenance, Record
from leukstudy.evaluate.summary import evaluate_experiment, summary
from leukstudy.statistics import intervals
from leukstudy.statistics.metrics import METRICS, score, weighted_scores
from leukstudy.statistics.predictions import BadPredictions, Predictions
from leukstudy.statistics.resampling import cautions, draw_groups

DETECTION = {"classes": ["healthy", "leukaemia"], "positive": "leukaemia"}
TYPING = {"classes": ["healthy", "ALL", "AML"], "positive": None}
IDENTITY = {"experiment": "detection-cnn", "task": "detection", "model": "cnn", "params_hash": "p" * 8}
PROVENANCE = {
    "source": "own",
    "synthetic": False,
    "data_hash": "d" * 8,
    "group_level": "patient",
    "seed": 5,
    "resamples": 200,
}


def fabricate(
    task: dict, *, groups: int = 8, images: int = 6, effect: float = 1.0, seed: int = 0
) -> pd.DataFrame:
    """Predictions whose images of one group share an offset of standard deviation `effect`."""
    rng = np.random.default_rng(seed)
    classes, rows = task["classes"], []
    for k, name in enumerate(classes):
        for group in range(groups):
            offset = rng.normal(0, effect, len(classes))
            for image in range(images):
                logits = offset + rng.normal(0, 1, len(classes))
                logits[k] += 1.2
                p = (np.exp(logits) / np.exp(logits).sum()).round(2)  # rounded: ties are part of the problem
                p[-1] = 1 - p[:-1].sum()
                row = {"image_id": f"{name}/{group}_{image}", "group_id": f"{name}{group}", "split": "test"}
                row |= {"y_true": name, "y_pred": classes[int(p.argmax())]}
                rows.append(row | {f"p_{other}": value for other, value in zip(classes, p, strict=True)})
    return pd.DataFrame(rows)


def evaluate(
    table: pd.DataFrame, task: dict, *, kind: str = "model", training_seed=None, **changes
) -> Record:
    identity = Identity(**IDENTITY, **task, kind=kind)
    return evaluate_experiment(identity, {training_seed: table}, Provenance(**PROVENANCE | changes))


def bootstrap(table: pd.DataFrame, task: dict, **settings) -> dict[str, tuple[float, float]]:
    return intervals.bootstrap([Predictions.of(table, **task)], **settings)


def scored(table: pd.DataFrame, task: dict) -> dict[str, float]:
    return score(Predictions.of(table, **task))


@pytest.mark.parametrize("task", [DETECTION, TYPING])
def test_weighted_scores_equal_scores_of_explicit_resamples(task):
    table = fabricate(task)
    counts, group_of_row = draw_groups(table, resamples=12, seed=1)
    weights = counts[:, group_of_row]
    found = weighted_scores(Predictions.of(table, **task), weights.astype(float))
    for resample in range(len(weights)):
        drawn = table.loc[np.repeat(np.arange(len(table)), weights[resample])]
        drawn = drawn.assign(image_id=np.arange(len(drawn)))  # the same image twice is two images here
        wanted = scored(drawn, task)
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            assert found[name][resample] == pytest.approx(value, abs=1e-12), name


def test_groups_are_drawn_whole_and_every_class_is_always_there():
    table = fabricate(TYPING, groups=2)
    table.loc[table["group_id"] == "ALL0", "group_id"] = "AML1"  # a group that holds two classes
    counts, group_of_row = draw_groups(table, resamples=300, seed=2)
    assert (counts.sum(axis=1) == counts.shape[1]).all()
    for name in TYPING["classes"]:
        assert (counts[:, group_of_row[table["y_true"] == name]].sum(axis=1) > 0).all()


@pytest.mark.parametrize("task", [DETECTION, TYPING])
def test_intervals_hold_the_estimate_and_narrow_with_more_groups(task):
    few, many = fabricate(task, groups=8), fabricate(task, groups=60)
    widths = []
    for table in (few, many):
        bounds = bootstrap(table, task, resamples=300, seed=0)
        for name, value in scored(table, task).items():
            low, high = bounds[name]
            assert 0 <= low <= value <= high <= 1
        widths.append(np.ptp(bounds["auroc"]))
    assert widths[1] < widths[0]


def test_groups_widen_the_interval_where_images_of_a_group_resemble_each_other():
    table = fabricate(DETECTION, groups=10, images=10, effect=2.0)
    by_group = bootstrap(table, DETECTION, seed=0)["auroc"]
    by_image = bootstrap(table.assign(group_id=table["image_id"]), DETECTION, seed=0)["auroc"]
    assert by_group[1] - by_group[0] > 1.5 * (by_image[1] - by_image[0])


def test_coverage_is_near_its_name():
    # truth from many groups; 95% intervals of 20 groups a class should hold it about 38 times in 40
    truth = scored(fabricate(DETECTION, groups=1500, images=3, seed=99), DETECTION)["auroc"]
    held = 0
    for seed in range(40):
        low, high = bootstrap(
            fabricate(DETECTION, groups=20, images=3, seed=seed), DETECTION, resamples=200, seed=0
        )["auroc"]
        held += low <= truth <= high
    assert 34 <= held <= 40


def test_same_seed_same_interval_in_any_order_of_rows():
    table = fabricate(TYPING)
    shuffled = table.sample(frac=1, random_state=4)
    first = bootstrap(table, TYPING, resamples=100, seed=7)
    second = bootstrap(shuffled, TYPING, resamples=100, seed=7)
    for name in first:
        assert second[name] == pytest.approx(first[name], abs=1e-12)
    assert bootstrap(table, TYPING, resamples=100, seed=8) != first


def test_one_group_a_class_gives_no_interval_and_says_so():
    table = fabricate(DETECTION, groups=1)
    assert all(np.isnan(bound) for pair in bootstrap(table, DETECTION, seed=0).values() for bound in pair)
    record = evaluate(table, DETECTION)
    assert record.metrics["auroc"].low is None
    assert "healthy (1), leukaemia (1)" in record.cautions[0]
    assert "auroc_low" not in summary([record])["detection-cnn"]


def test_cautions_name_the_classes_with_few_groups():
    (caution,) = cautions({"ALL": 10, "AML": 9, "CLL": 2}, "block")
    assert caution.startswith("Classes with fewer than 10 blocks in this split: AML (9), CLL (2).")
    assert cautions({"ALL": 10}, "patient") == []


def test_bounds_are_the_percentiles_of_the_resampled_scores():
    table = fabricate(DETECTION)
    counts, group_of_row = draw_groups(table, resamples=400, seed=3)
    scores = weighted_scores(Predictions.of(table, **DETECTION), counts[:, group_of_row].astype(float))
    bounds = bootstrap(table, DETECTION, resamples=400, confidence=0.8, seed=3)
    for name, values in scores.items():
        assert bounds[name] == pytest.approx(np.quantile(values, [0.1, 0.9]))


@pytest.mark.parametrize(("resamples", "confidence"), [(1, 0.95), (100, 0.0), (100, 95)])
def test_impossible_settings_are_refused(resamples, confidence):
    with pytest.raises(ValueError, match="expected"):
        bootstrap(fabricate(DETECTION), DETECTION, resamples=resamples, confidence=confidence, seed=0)


def test_a_thousand_resamples_are_quick():
    table = fabricate(TYPING, groups=14, images=10)
    start = time.perf_counter()
    bootstrap(table, TYPING, resamples=1000, seed=0)
    assert time.perf_counter() - start < 10  # 0.3 s on a quiet core


def test_record_scores_its_split_alone_and_is_the_same_json_each_time(tmp_path):
    test = fabricate(DETECTION)
    other = fabricate(DETECTION, seed=9).assign(split="train", y_pred="healthy")
    other["image_id"] += "-train"
    record = evaluate(pd.concat([other, test]), DETECTION, kind="baseline")
    assert record.images == len(test)
    assert record.groups == 16
    assert record.groups_per_class == {"healthy": 8, "leukaemia": 8}
    assert record.split == "test"
    assert record.kind == "baseline"
    for name, value in scored(test, DETECTION).items():
        assert record.metrics[name].value == pytest.approx(value, rel=1e-5)
    assert np.sum(record.confusion.counts) == len(test)
    path = tmp_path / "deep" / "m.json"
    record.write(path)
    first = path.read_bytes()
    evaluate(pd.concat([test, other]), DETECTION, kind="baseline").write(path)
    assert path.read_bytes() == first
    assert Record.read(path) == record
    assert [p.name for p in path.parent.iterdir()] == ["m.json"]
    keys = list(json.loads(first))
    assert keys == sorted(keys) and "external" not in keys
    assert json.loads(first)["per_class"][0]["class"] == "healthy"


def test_estimates_have_six_digits_and_no_nan():
    estimate = Estimate(value=np.float32(1 / 3), low=float("nan"), high=None, by_seed=[1234567.8])
    assert estimate.model_dump(mode="json", exclude_unset=True) == {
        "value": 0.333333, "low": None, "high": None, "by_seed": [1234570.0],
    }  # fmt: skip


def test_summary_is_flat():
    flat = summary([evaluate(fabricate(DETECTION), DETECTION, training_seed=7)])["detection-cnn"]
    assert flat.pop("seeds") == "7"
    assert set(flat) == {"images", "groups"} | {f"{m}{end}" for m in METRICS for end in ("", "_low", "_high")}
    assert all(isinstance(value, (int, float)) for value in flat.values())


def test_bad_settings_and_an_empty_split_are_refused():
    table = fabricate(DETECTION)
    with pytest.raises(ValueError, match="resmaples"):
        evaluate(table, DETECTION, resmaples=10)
    with pytest.raises(ValueError, match="kind"):
        evaluate(table, DETECTION, kind="baselne")
    with pytest.raises(BadPredictions, match="no rows"):
        evaluate(table, DETECTION, split="val")


def test_published_numbers_are_proportions_with_a_split_level():
    table = published()
    values = table[["auroc", "accuracy", "precision", "recall", "specificity", "f1"]]
    assert ((values > 0) & (values <= 1) | values.isna()).all(axis=None)
    assert (table["split_level"] != "").all()
    assert (table["source"] != "").all()
    densenet = published("detection").set_index("model").loc["DenseNet201"]
    assert (densenet["accuracy"], densenet["auroc"], densenet["f1"]) == (0.972, 0.98, 0.945)
    assert published("no such question").empty
