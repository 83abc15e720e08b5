"""Figures: what they show, that nothing is cut, that they can be read in grey, and that their bytes are stable."""

import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fabricate_records import estimates, record
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from leukstudy.evaluate.record import Confusion, Estimate
from leukstudy.report import curves, pictures, plots, style

CLASSES = ["A$B$ & co", "AML", "CLL", "<CML>", "healthy"]


@pytest.fixture(autouse=True)
def look():
    style.apply_style()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a layout that does not fit, a glyph that is missing
        yield
    plt.close("all")


def figure_of(drawn):
    return getattr(drawn, "figure", drawn)


def texts(drawn) -> list[str]:
    return [text.get_text() for text in figure_of(drawn).findobj(Text) if text.get_text()]


def assert_nothing_cut(drawn) -> None:
    """Everything drawn keeps inside the figure, and no ink touches its edge."""
    fig = figure_of(drawn)
    fig.canvas.draw()
    width, height = fig.get_size_inches()
    extent = fig.get_tightbbox()
    assert extent.x0 >= 0, extent
    assert extent.y0 >= 0, extent
    assert extent.x1 <= width, (extent, width)
    assert extent.y1 <= height, (extent, height)
    ink = np.asarray(fig.canvas.buffer_rgba())[..., :3] < 200
    edge = np.concatenate([ink[0].ravel(), ink[-1].ravel(), ink[:, 0].ravel(), ink[:, -1].ravel()])
    assert not edge.any()


def manifest(groups: int = 6, images: int = 4) -> pd.DataFrame:
    splits = ["train", "train", "train", "train", "val", "test"]
    rows = [
        {
            "label": name,
            "group_id": f"{name}{g}",
            "split": splits[g % 6],
            "excluded": "",
            "width": 96,
            "height": 96,
        }
        for name in CLASSES
        for g in range(groups)
        for _ in range(images)
    ]
    table = pd.DataFrame(rows)
    table.loc[0, ["excluded", "split"]] = ["tiny: 8 x 8", ""]
    return table


def flow(splits: bool = True) -> pd.DataFrame:
    rows = [
        ("found", "", "", 1234, 90),
        ("unreadable", "", "", 3, 3),
        ("tiny", "", "", 0, 0),
        ("duplicate", "", "", 31, 8),
        ("kept", "", "", 1200, 88),
    ]
    rows += [("kept", "", name, 240, 17) for name in CLASSES]
    for split, images, groups in (("train", 840, 61), ("val", 180, 13), ("test", 180, 14)) if splits else ():
        rows.append(("kept", split, "", images, groups))
        rows += [("kept", split, name, images // 5, 1) for name in CLASSES]
    return pd.DataFrame(rows, columns=["step", "split", "label", "images", "groups"])


def cells(count: int, size: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size] - size / 2
    rng = np.random.default_rng(0)
    cell, nucleus = np.hypot(x, y) < size / 3, np.hypot(x, y) < size / 5
    image = np.full((size, size, 3), 220)
    image[cell], image[nucleus] = (190, 170, 220), (100, 60, 150)
    images = np.clip(image + rng.normal(0, 6, (count, size, size, 3)), 0, 255).astype(np.uint8)
    return images, np.stack([nucleus] * count), np.stack([cell] * count)


def history(epochs: int = 12) -> pd.DataFrame:
    e = np.arange(1, epochs + 1)
    falling = 0.7 * np.exp(-e / 4)
    return pd.DataFrame(
        {
            "epoch": e,
            "loss": falling,
            "accuracy": 1 - falling,
            "val_loss": falling + 0.02 * e,
            "val_accuracy": 0.8,
        }
    )


def curve(bend: float) -> pd.DataFrame:
    fpr = np.linspace(0, 1, 30)
    return pd.DataFrame({"fpr": fpr, "tpr": fpr**bend})


def scored(name: str, value: float, low: float | None = None, high: float | None = None, **changes):
    auroc = {"auroc": Estimate(value=value, low=low, high=high)}
    return record(name, **{"metrics": auroc} | changes)


RECORDS = [
    scored("detection-efficientnet_lite0", 0.97, 0.9, 1.0),
    scored("detection-colour", 0.61, 0.45, 0.75, kind="baseline"),
    scored("detection-one", 0.7),
]


def test_flow_shows_every_count_and_only_reasons_that_happened():
    drawn = plots.plot_flow(flow(), unit="block")
    said = "\n".join(texts(drawn))
    assert "Found\n1,234 images" in said
    assert "Excluded: 34 images\nunreadable: 3\nduplicate: 31" in said
    assert "tiny" not in said
    assert "Kept\n1,200 images\n88 blocks" in said
    assert "Validation\n180 images\n13 blocks\nA$B$ & co: 36" in said
    assert_nothing_cut(drawn)


def test_flow_without_splits_or_steps():
    drawn = plots.plot_flow(flow(splits=False))
    assert "Train" not in "\n".join(texts(drawn))
    assert_nothing_cut(drawn)
    table = flow()
    with pytest.raises(ValueError, match="kept"):
        plots.plot_flow(table[table["step"] != "kept"])


def test_class_balance_counts_kept_images_and_groups():
    drawn = plots.plot_class_balance(manifest(), unit="slide")
    said = texts(drawn)
    assert " 23 (6 slides)" in said
    assert said.count(" 24 (6 slides)") == 4
    assert sorted(round(patch.get_width()) for patch in drawn.patches) == [4] * 10 + [15] + [16] * 4
    assert_nothing_cut(drawn)


def test_sizes_are_bars_when_few_and_points_when_many():
    table = manifest()
    few = plots.plot_sizes(table)
    assert [label.get_text() for label in few.get_yticklabels()] == ["96 x 96"]
    table["width"] = np.arange(len(table)) + 50
    many = plots.plot_sizes(table)
    assert many.get_xlabel() == "width (pixels)"
    assert sum(len(points.get_offsets()) for points in many.collections) == len(table)
    for drawn in (few, many):
        assert_nothing_cut(drawn)


def test_density_integrates_to_one_even_for_equal_values():
    grid = np.linspace(0, 255, 1000)
    for values in (np.full(9, 128.0), np.random.default_rng(0).normal(120, 20, 200)):
        assert np.trapezoid(plots.density(values, grid), grid) == pytest.approx(1, abs=0.01)


def test_intensity_peaks_where_the_images_are():
    means = np.array([(200.0, 100.0, 50.0)] * 3 + [(150.0, 120.0, 60.0)] * 3)
    fig = plots.plot_intensity(means, ["b"] * 3 + ["a"] * 3)
    peaks = [[line.get_xdata()[np.argmax(line.get_ydata())] for line in ax.lines] for ax in fig.axes]
    assert peaks == [[150, 200], [120, 100], [60, 50]]  # classes in alphabetical order
    assert_nothing_cut(fig)


def test_feature_boxes_hold_their_classes_and_units():
    features = pd.DataFrame(
        {"image_id": list("abcd"), "morph_area": [1.0, 2, 30, 40], "morph_nc": [0.1, 0.2, 0.3, 0.4]}
    )
    fig = plots.plot_feature_distributions(
        features, ["x", "x", "y", "y"], ["morph_area", "morph_nc"], units={"morph_area": "pixels"}
    )
    assert fig.axes[0].get_xlabel() == "morph_area (pixels)"
    assert fig.axes[1].get_xlabel() == "morph_nc"
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["x", "y"]
    assert_nothing_cut(fig)
    with pytest.raises(ValueError, match="morph_aera"):
        plots.plot_feature_distributions(features, ["x"] * 4, ["morph_aera"])


def test_lines_of_every_class_and_model_differ_without_colour():
    images, _, _ = cells(len(CLASSES))
    fig = plots.plot_intensity(images.mean(axis=(1, 2)), CLASSES)
    styles = {str(line._unscaled_dash_pattern) for line in fig.axes[0].lines}
    assert len(styles) == len(CLASSES)
    rocs = {f"m{k}": curve(0.1 * (k + 1)) for k in range(6)}
    drawn = curves.plot_rocs([record(name) for name in rocs], rocs)
    assert len({str(line._unscaled_dash_pattern) for line in drawn.lines}) == 7


def test_rocs_carry_scores_and_mark_baselines():
    drawn = curves.plot_rocs(
        [
            scored("detection-densenet201", 0.9531, 0.91, 0.98),
            scored("detection-colour", 0.5, kind="baseline"),
        ],
        {"detection-densenet201": curve(0.2), "detection-colour": curve(0.8)},
    )
    said = texts(drawn)
    assert "detection-densenet201: 0.953 [0.910, 0.980]" in said
    assert "detection-colour: 0.500 (shortcut baseline)" in said
    assert_nothing_cut(drawn)


def test_confusion_shows_counts_and_row_shares():
    matrix = Confusion(classes=["healthy", "leukaemia positive"], counts=[[9, 1], [0, 0]])
    drawn = curves.plot_confusion(matrix, title="detection-cnn")
    said = texts(drawn)
    assert {"9\n90%", "1\n10%", "0\n0%"} <= set(said)  # an empty row is 0%, not a division by zero
    assert_nothing_cut(drawn)
    with pytest.raises(ValueError, match="3 classes"):
        curves.plot_confusion(Confusion(classes=["a", "b", "c"], counts=[[1, 2], [3, 4]]))


def test_forest_draws_each_interval_and_leaves_out_the_unknown():
    drawn = curves.plot_forest(RECORDS, "auroc")
    bars = [
        line.get_xdata() for line in drawn.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"
    ]
    assert [0.9, 1.0] in [list(bar) for bar in bars]
    assert [0.45, 0.75] in [list(bar) for bar in bars]
    said = texts(drawn)
    assert "0.700" in said
    assert "shortcut baseline" in said
    assert_nothing_cut(drawn)
    with pytest.raises(ValueError, match="detection-one"):
        curves.plot_forest([*RECORDS[:2], record("detection-one", metrics=estimates(f1=0.3))], "auroc")
    with pytest.raises(ValueError, match="any experiment"):
        curves.plot_forest([])


def test_forest_marks_each_seed_and_ensembles():
    auroc = Estimate(value=0.97, low=0.9, high=1.0, by_seed=[0.95, 0.97, 0.99], range=[0.95, 0.99])
    several = record("detection-efficientnet_lite0", metrics={"auroc": auroc}, seeds=[7, 8, 9])
    ensemble = scored("detection-one", 0.7, kind="ensemble", seeds=[])
    drawn = curves.plot_forest([several, RECORDS[1], ensemble])
    ticks = [line for line in drawn.lines if line.get_marker() == "|" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in ticks] == [[0.95, 0.97, 0.99]]
    points = {
        line.get_marker(): line.get_xdata()[0] for line in drawn.lines if line.get_marker() in style.MARKERS
    }
    assert points == {"o": 0.97, "s": 0.61, "^": 0.7}
    assert {"one seed", "ensemble", "model", "shortcut baseline"} <= set(texts(drawn))
    assert_nothing_cut(drawn)
    assert not {"one seed", "ensemble"} & set(texts(curves.plot_forest(RECORDS)))


def test_rocs_say_where_a_score_is_the_mean_of_seeds():
    both = scored("both", 0.9531, 0.91, 0.98, kind="ensemble", seeds=[])
    several = record("a", metrics=estimates(3), seeds=[7, 8, 9])
    drawn = curves.plot_rocs([several, both], {"a": curve(0.2), "both": curve(0.3)})
    said = texts(drawn)
    assert "AUROC, mean of the seeds [interval]; curves: first seed" in said
    assert "both: 0.953 [0.910, 0.980] (ensemble)" in said
    assert_nothing_cut(drawn)
    assert "AUROC [interval]" in texts(curves.plot_rocs([both], {"both": curve(0.3)}))


def test_histories_mark_the_lowest_validation_loss_and_leave_out_the_untrained():
    table = history()
    best = table["epoch"][table["val_loss"].idxmin()]
    fig = curves.plot_history(table, title="detection-cnn")
    assert [line.get_xdata()[0] for line in fig.axes[0].lines][-1] == best
    both = curves.plot_histories({"cnn": table, "logistic": table.iloc[:0], "one": history(1)})
    assert len(both.axes) == 4
    for drawn in (fig, both):
        assert_nothing_cut(drawn)
    with pytest.raises(ValueError, match="logistic"):
        curves.plot_histories({"logistic": table.iloc[:0]})
    with pytest.raises(ValueError, match="val_loss"):
        curves.plot_history(table.drop(columns="val_loss"))


def test_picture_figures_show_every_image_whole():
    images, nuclei, cell_masks = cells(8)
    heat = np.linspace(0, 1, images[..., 0].size).reshape(images.shape[:3])
    titles = [f"{name}\nas {name}, 0.97" for name in (CLASSES * 2)[:8]]
    drawn = {
        pictures.plot_sheet(images, titles, columns=3): 8,
        pictures.plot_sheet(images[:1], titles[:1]): 1,
        pictures.plot_masks(images[:2], nuclei[:2], cell_masks[:2], titles[:2]): 8,
        pictures.plot_gradcam(images, heat, titles): 24,
    }
    for fig, count in drawn.items():
        assert sum(len(ax.images) for ax in fig.axes) == count
        assert_nothing_cut(fig)


def test_masks_without_an_edge_and_empty_galleries_are_drawn():
    images, nuclei, _ = cells(2)
    full, none = np.ones_like(nuclei), np.zeros_like(nuclei)
    mask = pictures.plot_masks(images, none, full).axes[2].images[0].get_array()
    assert np.unique(mask).tolist() == [128]
    assert "no errors in this split" in texts(pictures.plot_sheet([], without="no errors in this split"))
    for fig in (
        pictures.plot_sheet([]),
        pictures.plot_gradcam([], [], []),
        pictures.plot_masks([], [], []),
    ):
        assert "no image to show" in texts(fig)
    with pytest.raises(ValueError, match="2 images and 1 titles"):
        pictures.plot_sheet(images, ["one"])


def test_axes_that_are_given_are_drawn_on():
    fig, axes = plt.subplots(1, 2, figsize=(12, 6))
    assert curves.plot_rocs([record("m")], {"m": curve(0.3)}, ax=axes[0]) is axes[0]
    assert plots.plot_class_balance(manifest(), ax=axes[1]) is axes[1]
    assert plt.get_fignums() == [fig.number]


def test_saved_figures_are_the_same_bytes_and_carry_no_version(tmp_path):
    files = [
        style.save_figure(
            curves.plot_rocs([record("m")], {"m": curve(0.3)}).figure, tmp_path / f"{k}" / "roc.png"
        )
        for k in "ab"
    ]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"Software" not in first
    assert plt.get_fignums() == []


def test_style_takes_palette_and_resolution_and_refuses_unknown_ones(tmp_path):
    style.apply_style("deep", dpi=50)
    deep = style.colour(1)
    fig, _ = plt.subplots(figsize=(4, 2))
    saved = plt.imread(style.save_figure(fig, tmp_path / "f.png"))
    assert saved.shape[:2] == (100, 200)
    style.apply_style()
    assert style.colour(1) != deep
    with pytest.raises(ValueError, match=r"colourblind.*colorblind"):
        style.apply_style("colourblind")


def test_the_default_look_is_that_of_seaborn():
    import seaborn as sns

    assert [to_rgb(style.colour(k)) for k in range(11)] == [
        *sns.color_palette("colorblind"),
        to_rgb(style.colour(0)),
    ]
    for tint in ("#0173b2", "#ece133", "0.5"):
        assert style.desaturated(tint, 0.6) == sns.desaturate(tint, 0.6)


def test_pictures_are_jpegs_whose_bytes_depend_on_the_figure_alone(tmp_path):
    picture = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    files = [
        style.save_figure(pictures.plot_sheet([picture], ["ALL"]), tmp_path / f"{k}.jpg") for k in range(2)
    ]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first[:3] == b"\xff\xd8\xff"
    with pytest.raises(ValueError, match=r"expected it to end in \.png or \.jpg"):
        style.save_figure(pictures.plot_sheet([picture], ["ALL"]), tmp_path / "sheet.bmp")
