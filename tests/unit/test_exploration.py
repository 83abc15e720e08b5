"""Exploration: what the statistics say where the answer is known, and that its figures are whole and stable."""

import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_plots import assert_nothing_cut, texts

from leukstudy.report import feature_plots, style
from leukstudy.statistics import correlation, separation
from leukstudy.statistics import exploration as tests

CLASSES = ["A$B$ & co", "CLL", "healthy"]


@pytest.fixture(autouse=True)
def look():
    style.apply_style()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


def study(
    *, effect: float = 0.0, group_effect: float = 3.0, groups: int = 8, images: int = 12, seed: int = 0
):
    """Features, labels and groups of a study in which classes differ by `effect` and groups by `group_effect`."""
    rng = np.random.default_rng(seed)
    label = np.repeat(CLASSES, groups * images)
    group = np.repeat([f"g{n:03}" for n in range(groups * len(CLASSES))], images)
    own = np.repeat(rng.normal(0, group_effect, groups * len(CLASSES)), images)
    cell = rng.normal(0, 1, (4, len(label)))
    features = pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(len(label))],
            "morph_found": 1.0,
            "morph_nucleus_solidity": own + cell[0] + effect * (label == "CLL"),
            "morph_nc_ratio": cell[1],
            "morph_nucleus_red": own + cell[2],
            "texture_entropy": cell[3] * np.where(label == "CLL", 1.0 + effect, 1.0),
            "colour_red_mean": own,
        }
    )
    return features, label, group


def manifest_rows(label, group, source="one"):
    folds = pd.factorize(group)[0] % 4
    return pd.DataFrame(
        {"group_id": group, "source": source, "fold": folds, "split": "train", "label": label}
    )


def test_balance_before_and_after_is_what_the_libraries_do():
    from imblearn.over_sampling import SMOTE
    from sklearn.utils.class_weight import compute_class_weight

    label = np.array(["a"] * 30 + ["b"] * 12 + ["c"] * 6)
    table = tests.balance(label, np.arange(48) // 3)
    assert table["images"].tolist() == [30, 12, 6] and table["groups"].tolist() == [10, 4, 2]
    weights = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=label)
    assert np.allclose(table["weight"], weights) and np.allclose(table["weighted"], 16)
    _, after = SMOTE(random_state=0).fit_resample(np.random.default_rng(0).normal(size=(48, 2)), label)
    assert table["smote"].tolist() == np.unique(after, return_counts=True)[1].tolist()
    assert tests.balance(["a", "a", "b"], [1, 2, 3])["smote"].isna().all()


def test_patients_that_differ_are_no_difference_between_classes():
    """Strong group effect, no class effect: tests on cells would find one nearly always; ours in about 5% at most."""
    from scipy.stats import kruskal

    by_group, by_cell = [], []
    for seed in range(60):
        features, label, group = study(seed=seed, groups=5)
        means = tests.group_means(features, label, group)
        found = tests.class_differences(means, ["morph_nucleus_solidity"], permutations=199, seed=seed)
        by_group.append(found["p"][0] < 0.05)
        cells = [features["morph_nucleus_solidity"][label == name] for name in CLASSES]
        by_cell.append(kruskal(*cells).pvalue < 0.05)
    assert np.mean(by_cell) > 0.7
    assert np.mean(by_group) <= 0.12  # 60 trials at 5%: more than 7 happen once in a hundred studies


def test_a_class_that_differs_is_found_and_the_claims_say_so():
    features, label, group = study(effect=4.0, group_effect=0.5, seed=1)
    means = tests.group_means(features, label, group)
    differences = tests.class_differences(means, seed=1).set_index("feature")
    assert differences.loc["morph_nucleus_solidity", "p_holm"] < 0.01
    assert differences.loc["texture_entropy_spread", "p_holm"] < 0.01
    assert differences.loc["morph_nc_ratio", "p_holm"] > 0.05
    assert (differences["groups"] == 24).all() and (differences["p_holm"] >= differences["p"]).all()
    effects = tests.effect_sizes(means, seed=1)
    sentences = tests.claim_sentences(differences.reset_index(), effects, unit="slide")
    assert (
        "**Nuclear irregularity**: differs by class in its one measure (`morph_nucleus_solidity`, CLL"
        in sentences[0]
    )
    assert "Cliff's delta 1.00" in sentences[0] and "24 slides" in sentences[0]
    assert "**N:C ratio**: no difference shown in 1 measure, which is not the same as none" in sentences[1]
    assert "**Staining**: no difference shown" in sentences[2]
    few = tests.class_differences(means, ["morph_nc_ratio"], seed=1)
    said = tests.claim_sentences(few, effects, unit="slide")
    assert said[0] == "**Nuclear irregularity**: not measured."


def test_the_statistic_is_kruskals_and_its_p_exact_for_few_groups():
    from scipy.stats import kruskal

    values, label = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], list("aaabbccc")
    means = pd.DataFrame({"group_id": list("stuvwxyz"), "y_true": label, "images": 1, "f": values})
    found = tests.class_differences(means, ["f"], permutations=20_000, seed=0).iloc[0]
    h = kruskal(*(means["f"][means["y_true"] == name] for name in "abc"))
    assert found["share"] == pytest.approx(h.statistic / (len(values) - 1))
    # three against three have 20 arrangements: no p below 2 / 20 can be had, however far they lie apart
    apart = pd.DataFrame(
        {"group_id": list("uvwxyz"), "y_true": list("aaabbb"), "images": 1, "f": [1, 2, 3, 7, 8, 9]}
    )
    assert tests.class_differences(apart, ["f"], seed=0)["p"][0] == pytest.approx(0.1, abs=0.01)


def test_features_that_are_missing_or_constant_are_no_difference():
    features, label, group = study()
    features["morph_nc_ratio"] = np.where(label == "CLL", np.inf, np.nan)
    features["texture_entropy"] = 1.0
    features.loc[group == "g000", "morph_nucleus_red"] = np.nan
    means = tests.group_means(features, label, group)
    assert "texture_entropy" not in means and "morph_found" not in means and "colour_red_mean" not in means
    means["morph_nc_ratio"] = np.nan
    found = tests.class_differences(means, ["morph_nc_ratio", "morph_nucleus_red"], seed=0)
    assert found["p"][0] == 1 and found["share"][0] == 0
    assert found["groups"].tolist() == [0, 23] and 0 < found["p"][1] <= 1
    assert tests.effect_sizes(means, ["morph_nc_ratio"], seed=0)["delta"].isna().all()


def test_cliffs_delta_of_known_distributions():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 4000), rng.normal(1, 1, 4000)])
    means = pd.DataFrame(
        {
            "group_id": [str(n) for n in range(8000)],
            "y_true": np.repeat(["a", "b"], 4000),
            "images": 1,
            "f": values,
        }
    )
    found = tests.effect_sizes(means, ["f"], resamples=60, seed=0)
    assert found["label"].tolist() == ["b"]  # of two classes one is enough
    expected = 0.5205  # 2 Phi(1 / sqrt 2) - 1
    assert found["delta"][0] == pytest.approx(expected, abs=0.03)
    assert found["low"][0] < expected < found["high"][0]
    single = tests.effect_sizes(means.iloc[[0, 1, 5000]], ["f"], resamples=20, seed=0)
    assert single["delta"][0] in (-1.0, 0.0, 1.0) and np.isnan(single["low"][0])


def test_holm_is_holm():
    assert np.allclose(tests.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert tests.holm([]).tolist() == [] and tests.holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_the_same_seed_gives_the_same_tables_whatever_the_order_of_the_rows():
    features, label, group = study(effect=1.0)
    mixed = np.random.default_rng(3).permutation(len(label))
    one = tests.group_means(features, label, group)
    two = tests.group_means(features.iloc[mixed], label[mixed], group[mixed])
    pd.testing.assert_frame_equal(tests.class_differences(one, seed=2), tests.class_differences(two, seed=2))
    pd.testing.assert_frame_equal(tests.effect_sizes(one, seed=2), tests.effect_sizes(two, seed=2))


def test_claims_find_their_features_and_no_others():
    from leukstudy.imaging.dictionary import FEATURES

    found = tests.claimed(list(FEATURES))
    assert set(tests.CLAIMS) - set(found.values()) == {"variability of chromatin texture"}
    assert found["morph_nc_ratio"] == "N:C ratio" and found["morph_nucleus_red"] == "staining"
    assert not any(name.startswith(("colour_", "corner_")) for name in found)
    assert found["morph_cytoplasm_eosin"] == "staining" and found["morph_nucleus_b"] == "staining"
    assert not {"morph_found", "morph_nucleus_area", "texture_cytoplasm_std", "texture_granules"} & set(found)
    assert not any(name.startswith("quality_") for name in found)


def test_a_sample_is_even_over_groups_and_the_same_every_time():
    group = np.repeat(["big", "mid", "small"], [500, 50, 5])
    chosen = separation.sample_by_group(group, 60, seed=1)
    counts = pd.Series(group[chosen]).value_counts()
    assert counts["small"] == 5 and abs(counts["big"] - counts["mid"]) <= 1 and len(chosen) == 60
    assert np.array_equal(chosen, separation.sample_by_group(group, 60, seed=1))
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(separation.sample_by_group(group, 9999, seed=1), np.arange(555))


def test_what_separates_the_images_is_named():
    """Groups that clump, classes that do not: the torn probe is fooled, the grouped one is not."""
    _, label, group = study()
    rng = np.random.default_rng(0)
    clumps = rng.normal(0, 5, (24, 6))[pd.factorize(group)[0]] + rng.normal(0, 0.3, (len(group), 6))
    found = separation.separate(clumps, manifest_rows(label, group), label, unit="patient", seed=0)
    assert found.silhouettes["patient"] > 0.8 and found.silhouettes["class"] < 0.1
    assert np.isnan(found.silhouettes["source"])
    own = found.probes["class"]
    assert own.chance == pytest.approx(1 / 3) and own.low <= own.value <= own.high
    assert own.torn > own.value + 0.25
    said = separation.sentence(found)
    assert "would have been recognising the patient" in said and "come from one source" in said

    apart = clumps * 0.02 + np.eye(3)[pd.factorize(label)[0]] @ rng.normal(0, 9, (3, 6))
    told = separation.separate(
        apart, manifest_rows(label, group), label, unit="patient", seed=0, blind=clumps[:, :2]
    )
    assert told.probes["blind"].value < 0.6
    assert "which know nothing of cells, tell the class of unseen patients with 0." in separation.sentence(
        told
    )
    assert told.probes["class"].value > 0.95 and told.silhouettes["class"] > 0.8
    assert "helps little" in separation.sentence(told)


def test_a_source_that_shows_is_named_and_test_rows_are_refused():
    _, label, group = study(groups=6)
    source = np.where(pd.factorize(group)[0] % 2, "north", "south")
    rng = np.random.default_rng(0)
    seen = rng.normal(0, 1, (len(group), 5)) + 4.0 * (source == "north")[:, None]
    rows = manifest_rows(label, group, source)
    found = separation.separate(seen, rows, label, unit="slide", seed=0, most=100)
    assert len(found.by["class"]) == 100 and found.images == len(rows)
    assert found.probes["source"].value > 0.95 and found.probes["class"].value < 0.55
    assert "names the source with 1.00 (chance 0.50)" in separation.sentence(found)
    with pytest.raises(ValueError, match=r"rows of the split\(s\) \['test'\]"):
        separation.separate(
            seen, rows.assign(split=["test"] + ["val"] * (len(rows) - 1)), label, unit="slide", seed=0
        )


def test_projections_are_the_same_in_any_number_of_threads():
    from threadpoolctl import threadpool_limits

    x = separation.standardise(np.random.default_rng(0).normal(size=(90, 7)))
    projected = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            projected.append(separation.project(x, seed=5))
    assert all(np.array_equal(projected[0].tsne, other.tsne) for other in projected)
    assert all(np.array_equal(projected[0].pca, other.pca) for other in projected)
    with pytest.raises(ValueError, match="a projection of 3 images with 7 columns"):
        separation.project(x[:3], seed=5)


def test_standardising_fills_gaps_and_drops_what_is_constant():
    x = np.array([[1.0, 7.0, np.nan, np.nan], [3.0, 7.0, np.inf, 2.0], [5.0, 7.0, np.nan, 4.0]])
    out = separation.standardise(x)
    assert out.shape == (3, 2) and np.allclose(out.mean(axis=0), 0) and np.allclose(out.std(axis=0), 1)


def test_a_fold_whose_rest_holds_one_class_is_still_scored():
    label, group = np.repeat(["a", "b"], 10), np.repeat(["g", "h", "i", "j"], 5)
    found = separation.probe(
        np.arange(20.0)[:, None], label, group, np.repeat([0, 1], 10), seed=0, resamples=20
    )
    assert found.value == 0.0  # each fold has only ever seen the other class


def test_features_that_move_together_are_one_family():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(4, 200))
    table = pd.DataFrame(
        {
            "morph_a": base[0], "texture_x": base[1], "morph_b": np.exp(base[0]), "morph_c": -base[0] + 0.1 * base[2],
            "texture_y": base[3], "morph_flat": 1.0,
        }
    )  # fmt: skip
    found = correlation.families(table)
    assert found == [["morph_a", "morph_b", "morph_c"], ["texture_x"], ["texture_y"], ["morph_flat"]]
    assert correlation.correlations(table).loc["morph_a", "morph_b"] == pytest.approx(1)
    order = list(correlation.clustered(table).index)
    places = sorted(order.index(name) for name in ("morph_a", "morph_b", "morph_c"))
    assert places[-1] - places[0] == 2, "alike features stand side by side"
    assert len(correlation.clustered(table, most=3)) == 3
    assert correlation.families(table[["morph_a"]]) == [["morph_a"]]
    differences = pd.DataFrame(
        {"feature": ["morph_a", "morph_c", "texture_x", "gone"], "share": [0.9, 0.8, 0.1, 1.0]}
    )
    table = correlation.correlations(table)
    assert correlation.unlike_pair(differences, table) == ("morph_a", "texture_x")
    assert correlation.unlike_pair(differences.iloc[:2], table) == ("morph_a", "morph_c")
    assert correlation.unlike_pair(differences.iloc[:1], table) == ()


def all_figures():
    features, label, group = study(effect=1.0)
    means = tests.group_means(features, label, group)
    differences, effects = (
        tests.class_differences(means, seed=0),
        tests.effect_sizes(means, resamples=50, seed=0),
    )
    columns = tests.measured(features)
    found = separation.separate(
        features[columns].to_numpy(), manifest_rows(label, group), label, unit="patient", seed=0
    )
    table = pd.DataFrame(
        {"family": ["nucleus area, cell area + 2", "nc ratio"], "features": ["a, b, c, d", "e"], "drop": [0.2, 0.01],
         "low": [0.1, -0.02], "high": [0.3, 0.04]}
    )  # fmt: skip
    x, y = "morph_nucleus_solidity", "texture_entropy"
    return {
        "balance": feature_plots.plot_balance(tests.balance(label[:200], group[:200])),
        "effects": feature_plots.plot_effects(effects, differences, tests.claimed(means.columns)),
        "correlations": feature_plots.plot_correlations(correlation.clustered(features[columns])),
        "scatter": feature_plots.plot_scatter(features, label, means, (x, y), units={x: "0-1"}),
        "separation": feature_plots.plot_separation(found),
        "importance": feature_plots.plot_importance(table, title="detection-forest"),
    }


def test_figures_are_whole_and_say_what_they_show():
    drawn = all_figures()
    for figure in drawn.values():
        assert_nothing_cut(figure)
    assert {"N:C ratio", "staining", "variability of chromatin texture", *CLASSES} <= set(
        texts(drawn["effects"])
    )
    assert "nucleus solidity (0-1)" in texts(drawn["scatter"])
    said = texts(drawn["separation"])
    assert "24 patients, colours and shapes repeat" in said
    assert not any("by source" in text for text in said), "one source: nothing to tell apart"
    assert any(text.startswith("by class, silhouette") for text in said)
    assert "nucleus area, cell area + 2" in texts(drawn["importance"])
    assert "impossible: one image" in texts(
        feature_plots.plot_balance(tests.balance(["a", "a", "b"], [1, 2, 3]))
    )


def test_figures_are_drawn_on_the_axes_given_and_are_the_same_bytes(tmp_path):
    ax = plt.subplots(figsize=(8, 4))[1]
    assert feature_plots.plot_balance(tests.balance(["a", "b"], [1, 2]), ax=ax) is ax
    saved = []
    for turn in range(2):
        for name, drawn in all_figures().items():
            path = style.save_figure(getattr(drawn, "figure", drawn), tmp_path / f"{turn}-{name}.png")
            saved.append(path.read_bytes())
    assert saved[:6] == saved[6:]


def test_many_features_and_classes_still_fit():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(60, 90)), columns=[f"texture_wavelet_{n}" for n in range(90)])
    assert len(correlation.clustered(wide)) == 40
    assert_nothing_cut(feature_plots.plot_correlations(correlation.clustered(wide)))
    group, label = (
        np.repeat([f"g{n}" for n in range(30)], 2),
        np.repeat([f"class number {n}" for n in range(15)], 4),
    )
    means = tests.group_means(wide, label, group)
    differences = tests.class_differences(means, permutations=99, seed=0)
    effects = tests.effect_sizes(means, resamples=20, seed=0)
    figure = feature_plots.plot_effects(effects, differences, tests.claimed(means.columns))
    assert "chromatin texture (12 of 90)" in texts(figure)
    assert_nothing_cut(figure)


@pytest.mark.parametrize("left", [0, 3])
def test_a_study_without_nuclei_is_told_so_instead_of_failing(left):
    features, label, group = study()
    features, label, group = features[:left], label[:left], group[:left]
    means = tests.group_means(features, label, group)
    differences, effects = tests.class_differences(means, seed=0), tests.effect_sizes(means, seed=0)
    columns = tests.measured(features)
    pair = correlation.unlike_pair(differences, correlation.correlations(features[columns]))
    found = separation.separate(
        features[columns].to_numpy(), manifest_rows(label, group), label, unit="patient", seed=0
    )
    assert separation.sentence(found).startswith(f"Nothing to separate: {left} image(s)")
    assert len(tests.claim_sentences(differences, effects, unit="patient")) == len(tests.CLAIMS)
    flat = features[columns].iloc[:, :0]
    drawn = [
        feature_plots.plot_effects(effects, differences, tests.claimed(means.columns)),
        feature_plots.plot_correlations(correlation.clustered(flat)),
        feature_plots.plot_scatter(features, label, means, pair[:1]),
        feature_plots.plot_separation(found),
    ]
    for figure in drawn:
        assert texts(figure) == ["nothing to compare: too few images or features"]
        assert_nothing_cut(figure)
