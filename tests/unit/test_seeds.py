"""Several training seeds: read together, averaged, with an interval of the mean and the range beside it."""

import numpy as np
import pandas as pd
import pytest

from leukstudy.evaluate.record import Identity, Provenance, Record
from leukstudy.evaluate.summary import evaluate_experiment, evaluate_external, summary
from leukstudy.statistics.intervals import bootstrap
from leukstudy.statistics.metrics import METRICS, score, weighted_scores
from leukstudy.statistics.predictions import (
    BadPredictions,
    Predictions,
    aligned,
    read,
    read_seeds,
    table,
    write,
)
from leukstudy.statistics.resampling import draw_groups

TASK = {"classes": ["healthy", "ALL"], "positive": "ALL"}
IDENTITY = Identity(
    experiment="e", task="detection", **TASK, model="cnn", kind="model", members=[], params_hash="p" * 8
)
PROVENANCE = Provenance(
    source="own", synthetic=False, data_hash="d" * 8, group_level="patient", seed=5, resamples=50
)


def predict(seed: int, *, groups: int = 8, images: int = 5, split: str = "test") -> pd.DataFrame:
    """What training with `seed` makes of the same images: the groups' offsets are shared, the noise is the seed's."""
    patients, rng = np.random.default_rng(0), np.random.default_rng(seed)
    rows, y, logits = [], [], []
    for k, name in enumerate(TASK["classes"]):
        for group in range(groups):
            offset = patients.normal(0, 1)
            for image in range(images):
                rows.append((f"{split}/{name}{group}_{image}", f"{split}{name}{group}", split))
                y.append(k)
                logits.append(offset + (1 if k else -1) + rng.normal(0, 1.5))
    chance = 1 / (1 + np.exp(-np.array(logits)))
    given = pd.DataFrame(rows, columns=["image_id", "group_id", "split"])
    return table(given, np.array(y), np.column_stack([1 - chance, chance]), TASK["classes"])


def checked(predictions: pd.DataFrame) -> Predictions:
    return Predictions.of(predictions, **TASK)


def evaluate(tables, **changes) -> Record:
    return evaluate_experiment(IDENTITY.model_copy(update=changes), tables, PROVENANCE)


SEEDS = {7: predict(7), 8: predict(8), 9: predict(9)}


def test_estimates_are_means_over_the_seeds_with_their_range():
    record = evaluate(SEEDS)
    assert record.seeds == [7, 8, 9]
    scores = [score(checked(predictions)) for predictions in SEEDS.values()]
    for name, estimate in record.metrics.items():
        each = [seed[name] for seed in scores]
        assert estimate.by_seed == pytest.approx(each, rel=1e-5)
        assert estimate.value == pytest.approx(np.mean(each), rel=1e-5)
        assert estimate.range == pytest.approx([min(each), max(each)], rel=1e-5)
        assert estimate.low <= estimate.value <= estimate.high
    alone = evaluate({7: SEEDS[7]})
    assert record.confusion == alone.confusion
    assert record.per_class == alone.per_class


def test_one_seed_is_scored_as_a_table_without_a_seed_is():
    alone, unnamed = evaluate({7: SEEDS[7]}), evaluate({None: SEEDS[7]})
    assert (alone.seeds, unnamed.seeds) == ([7], [])
    assert alone.model_copy(update={"seeds": []}) == unnamed
    assert set(alone.model_dump(exclude_unset=True)["metrics"]["auroc"]) == {"value", "low", "high"}


def test_the_interval_is_that_of_the_mean_over_the_same_drawn_groups():
    seeds = [checked(predictions) for predictions in SEEDS.values()]
    found = bootstrap(seeds, resamples=300, confidence=0.9, seed=3)
    counts, group_of_row = draw_groups(SEEDS[7], resamples=300, seed=3)
    weights = counts[:, group_of_row].astype(float)
    for name in METRICS:
        means = np.mean([weighted_scores(each, weights)[name] for each in seeds], axis=0)
        assert found[name] == pytest.approx(np.quantile(means, [0.05, 0.95]))
    thrice, once = (bootstrap(seeds[:1] * count, resamples=50, seed=3) for count in (3, 1))
    assert thrice["auroc"] == pytest.approx(once["auroc"])
    with pytest.raises(BadPredictions, match="other images"):
        bootstrap([seeds[0], checked(SEEDS[8].iloc[::-1])], seed=3)


def test_more_seeds_do_not_pass_for_more_patients():
    many = [predict(seed) for seed in range(6)]
    by_image = [predictions.assign(group_id=predictions["image_id"]) for predictions in many]
    one, mean, images = (
        np.ptp(bootstrap(list(map(checked, tables)), resamples=200, seed=0)["auroc"])
        for tables in (many[:1], many, by_image)
    )
    assert mean > 0.75 * one  # the patients' luck stays, however often one trains
    assert mean > 1.2 * images


def test_rows_in_another_order_are_the_same_seed():
    turned = SEEDS | {8: SEEDS[8].sample(frac=1, random_state=1)}
    assert evaluate(turned) == evaluate(SEEDS)


def test_other_splits_are_left_out_of_every_seed():
    whole = {
        seed: pd.concat([given, predict(seed, split="train").assign(y_pred="ALL")])
        for seed, given in SEEDS.items()
    }
    assert evaluate(whole) == evaluate(SEEDS)


def test_summary_holds_each_seed():
    flat = summary([evaluate(SEEDS), evaluate({7: SEEDS[7]}, experiment="one")])
    assert flat["e"]["seeds"] == "7, 8, 9"
    assert list(flat["e"]["by_seed"]) == ["7", "8", "9"]
    assert flat["e"]["by_seed"]["9"]["auroc"] == pytest.approx(score(checked(SEEDS[9]))["auroc"], rel=1e-5)
    assert flat["one"]["seeds"] == "7"
    assert "by_seed" not in flat["one"]
    ensemble = evaluate({None: SEEDS[7]}, kind="ensemble", members=["a", "b"])
    assert "seeds" not in summary([ensemble])["e"]
    assert (ensemble.kind, ensemble.members) == ("ensemble", ["a", "b"])


def test_external_sources_are_scored_over_the_seeds_too():
    whole = {seed: pd.concat([given, predict(seed, split="external")]) for seed, given in SEEDS.items()}
    images = whole[7][["image_id"]].assign(source="far", group_level="block")
    found = evaluate_external(IDENTITY, whole, PROVENANCE, images)["far"]
    assert (found.seeds, found.images, found.group_level) == ([7, 8, 9], 80, "block")
    each = [score(checked(predict(seed, split="external")))["auroc"] for seed in SEEDS]
    assert found.metrics["auroc"].value == pytest.approx(np.mean(each), rel=1e-5)


def test_seeds_of_other_images_are_refused():
    with pytest.raises(BadPredictions, match="seed 8 has 79 images and seed 7 80"):
        evaluate({7: SEEDS[7], 8: SEEDS[8].iloc[1:]})


@pytest.fixture
def build(tmp_path):
    write(SEEDS[7], tmp_path / "predictions" / "e.csv")
    for seed in (8, 9):
        write(
            SEEDS[seed].sample(frac=1, random_state=seed), tmp_path / "models" / "e" / "seeds" / f"{seed}.csv"
        )
    return tmp_path


def test_seeds_are_read_from_their_places_in_one_order(build):
    found = read_seeds("e", [7, 8, 9], build)
    assert list(found) == [7, 8, 9]
    for seed, given in found.items():
        pd.testing.assert_frame_equal(given, SEEDS[seed])
    assert list(read_seeds("e", [7], build)) == [7]


def test_a_missing_seed_is_named(build):
    with pytest.raises(BadPredictions, match=r"seeds.10\.csv: no such file; run the train stage"):
        read_seeds("e", [7, 10], build)


def test_names_that_look_like_missing_values_stay_names(tmp_path):
    odd = SEEDS[7].assign(group_id=["NA", "007", *SEEDS[7]["group_id"][2:]])
    write(odd, tmp_path / "p.csv")
    pd.testing.assert_frame_equal(read(tmp_path / "p.csv"), odd)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="group_id"), "group_id"),
        (lambda t: t.drop(columns="p_ALL"), "p_<class>"),
        (lambda t: pd.concat([t, t]), "test/healthy0_0.*more than once"),
        (lambda t: t.assign(p_ALL="much"), "test/healthy0_0.*expected numbers"),
        (lambda t: t.assign(p_ALL=np.nan), "test/healthy0_0.*expected numbers"),
        (lambda t: t.assign(p_ALL=t["p_ALL"] + 0.1), "test/healthy0_0.*sum to 1"),
        (lambda t: t.assign(p_ALL=2, p_healthy=-1), "test/healthy0_0.*0 to 1"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, change, said):
    write(change(SEEDS[7]), tmp_path / "p.csv")
    with pytest.raises(BadPredictions, match=said):
        read(tmp_path / "p.csv")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"")
    with pytest.raises(BadPredictions, match="no table of predictions"):
        read(tmp_path / "p.csv")


def test_tables_of_different_groups_do_not_pass_for_the_same_images():
    other = SEEDS[8].assign(group_id="g")
    with pytest.raises(
        BadPredictions, match="group_id of image 'test/healthy0_0' is 'g' in b and 'testhealthy0' in a"
    ):
        aligned({"a": SEEDS[7], "b": other})
    with pytest.raises(BadPredictions, match="b holds image 'test/healthy0_0' more than once"):
        aligned({"a": SEEDS[7], "b": pd.concat([other, other])})
