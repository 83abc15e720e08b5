"""Figures of the data: the flow of counts, classes, sizes, colours, features."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from leukstudy.report.style import (  # noqa: F401 - a notebook that draws data needs one import
    apply_style,
    bar_look,
    bars_downwards,
    colour,
    desaturated,
    labelled,
    legend_beside,
    line_look,
    new_axes,
    panels,
    point_look,
    save_figure,
)

SPLITS = ("train", "val", "test", "external")
MAX_SIZES = 12  # more different image sizes than this are drawn as a scatter, not as bars


def plot_flow(flow: pd.DataFrame, *, unit: str = "patient", ax: Axes | None = None) -> Axes:
    """Draw the data flow: found, excluded with reasons, kept, and the three splits where they are assigned.

    `flow` is that of `data.manifest.flow`: columns step, split, label, images, groups. Steps are `found`,
    one a reason for exclusion (drawn where it holds images) and `kept`, which also comes by split and label.
    `unit` names the groups (patient, slide, block). Raises ValueError where `found` or `kept` is missing.
    """
    flow = flow.fillna({"split": "", "label": ""})
    totals = flow[(flow["split"] == "") & (flow["label"] == "")].set_index("step")
    missing = [step for step in ("found", "kept") if step not in totals.index]
    if missing:
        raise ValueError(f"the flow lacks the step(s) {missing}; found {list(totals.index)}.")
    reasons = totals.drop(index=["found", "kept"])["images"]
    excluded = [f"{reason}: {count:,}" for reason, count in reasons.items() if count]
    note = "\n".join([f"Excluded: {int(reasons.sum()):,} images", *excluded])
    split_rows = flow[(flow["step"] == "kept") & (flow["split"] != "")].set_index(["split", "label"])
    splits = [name for name in SPLITS if (name, "") in split_rows.index]
    classes = list(dict.fromkeys(label for _, label in split_rows.index if label))
    # Heights are in lines of text, from the bottom up, so that nothing is cut however many classes there are.
    splits_high = 4.0 + len(classes) if splits else -2.0
    kept_high, found_high, note_high = 4.0, 3.0, 2.0 + len(excluded)
    kept_at = splits_high + 2.0 + kept_high / 2
    found_at = kept_at + kept_high / 2 + max(2.0, note_high + 0.6) + found_high / 2
    note_at = (kept_at + kept_high / 2 + found_at - found_high / 2) / 2
    top = found_at + found_high / 2
    ax = new_axes(ax, 8.0, 0.21 * (top + 0.4))
    ax.set(xlim=(0, 1), ylim=(-0.2, top + 0.2))
    ax.axis("off")
    _box(ax, (0.31, found_at), (0.40, found_high), f"Found\n{totals.loc['found', 'images']:,} images", "0.95")
    _box(ax, (0.80, note_at), (0.36, note_high), note, "white")
    _box(ax, (0.31, kept_at), (0.40, kept_high), f"Kept\n{_counts(totals.loc['kept'], unit)}", "0.95")
    _arrow(ax, (0.31, found_at - found_high / 2), (0.31, kept_at + kept_high / 2))
    _arrow(ax, (0.31, note_at), (0.62, note_at))
    across = max(3, len(splits))
    for index, split in enumerate(splits):
        x, counts = (index + 0.5) / across, split_rows.loc[split]
        lines = [f"{textwrap.shorten(str(label), 24)}: {counts.loc[label, 'images']:,}" for label in classes]
        name = {"val": "Validation"}.get(split, split.capitalize())
        text, tint = "\n".join([name, _counts(counts.loc[""], unit), *lines]), desaturated(colour(index), 0.6)
        _box(ax, (x, splits_high / 2), (0.9 / across, splits_high), text, (tint, 0.25))
        _arrow(ax, (0.31, kept_at - kept_high / 2), (x, splits_high))
    return ax


def _counts(row: pd.Series, unit: str) -> str:
    return f"{int(row['images']):,} images\n{_number_of(int(row['groups']), unit)}"


def _number_of(count: int, unit: str) -> str:
    return f"{count:,} {unit if count == 1 else f'{unit}s'}"


def _box(ax: Axes, centre: tuple[float, float], size: tuple[float, float], text: str, face: object) -> None:
    corner = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    look = {"boxstyle": "round,pad=0,rounding_size=0.012", "mutation_aspect": 20, "edgecolor": "0.35"}
    ax.add_patch(FancyBboxPatch(corner, *size, facecolor=face, **look))
    ax.text(*centre, text, ha="center", va="center", fontsize=9.5, linespacing=1.35)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0})


def plot_class_balance(manifest: pd.DataFrame, *, unit: str = "patient", ax: Axes | None = None) -> Axes:
    """Draw the images of each class, stacked by split, with images and groups written at the bar's end.

    Takes the manifest; excluded images are left out. `unit` names the groups.
    """
    kept = manifest[manifest["excluded"].fillna("") == ""]
    counts = pd.crosstab(kept["label"], kept["split"])
    groups = kept.groupby("label")["group_id"].nunique()
    ax = new_axes(ax, 7.0, 1.4 + 0.45 * len(counts))
    ends = _stacked_bars(ax, counts[[name for name in SPLITS if name in counts]])
    for place, (total, count) in enumerate(zip(ends, groups, strict=True)):
        ax.text(total, place, f" {int(total):,} ({_number_of(count, unit)})", va="center", fontsize=9)
    ax.set(xlabel="images", xlim=(0, ends.max() * 1.3))
    legend_beside(ax, "split")
    return ax


def plot_sizes(manifest: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the image sizes in pixels by class: bars, or width against height where there are many."""
    sizes = manifest[(manifest["width"] > 0) & (manifest["height"] > 0)]
    distinct = sizes.groupby(["width", "height"]).size().sort_values(ascending=False)
    if len(distinct) > MAX_SIZES:
        ax = new_axes(ax, 6.5, 4.5)
        for index, (label, rows) in enumerate(sizes.groupby("label")):
            look = point_look(index) | {"alpha": 0.6, "s": 22, "linewidths": 0}
            ax.scatter(rows["width"], rows["height"], label=str(label), **look)
        ax.set(xlabel="width (pixels)", ylabel="height (pixels)")
    else:
        counts = sizes.groupby(["width", "height", "label"]).size().unstack(fill_value=0).loc[distinct.index]
        counts.index = [f"{width} x {height}" for width, height in counts.index]
        ax = new_axes(ax, 6.5, max(1.4 + 0.45 * len(counts), 1.3 + 0.22 * counts.shape[1]))
        _stacked_bars(ax, counts)
        ax.set(xlabel="images", ylabel="width x height (pixels)")
    legend_beside(ax, "class")
    return ax


def _stacked_bars(ax: Axes, counts: pd.DataFrame) -> np.ndarray:
    """Draw a bar for each row of the table, a part of it for each column; give where the bars end."""
    ends = np.zeros(len(counts))
    for index, (name, lengths) in enumerate(counts.items()):
        ax.barh(counts.index.astype(str), lengths, left=ends, label=str(name), **bar_look(index))
        ends += lengths.to_numpy()
    bars_downwards(ax)
    return ends


def density(values: np.ndarray, grid: np.ndarray, floor: float = 1.0) -> np.ndarray:
    """Estimate the density of `values` on `grid` with Gaussian kernels (Silverman 1986).

    The bandwidth is at least `floor`, so that equal values draw a narrow peak instead of failing.
    """
    width = max(floor, 1.06 * float(np.std(values)) * len(values) ** -0.2)
    z = (grid[:, None] - np.asarray(values, dtype=np.float64)[None, :]) / width
    return np.exp(-(z**2) / 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


def plot_intensity(means: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draw how the images' mean red, green and blue are distributed in each class.

    `means` (N, 3), the mean R, G and B of each image in grey levels 0-255; `labels` (N,).
    """
    labels, grid = np.asarray(labels), np.linspace(0, 255, 256)
    fig, axes = panels(1, 3, 10, 3.2, sharey=True)
    for ax, name, values in zip(axes[0], ("red", "green", "blue"), means.T, strict=True):
        for index, label in enumerate(np.unique(labels)):
            ax.plot(grid, density(values[labels == label], grid), label=str(label), **line_look(index))
        limits = max(0, values.min() - 15), min(255, values.max() + 15)
        ax.set(title=name, xlabel="mean of the image (grey level)", xlim=limits)
    axes[0, 0].set_ylabel("share of images per grey level")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), title="class", loc="outside right upper")
    return fig


def plot_feature_distributions(
    features: pd.DataFrame,
    labels: Sequence[str],
    columns: Sequence[str],
    *,
    units: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a box plot a class for each of the feature `columns` (quartiles, median, 1.5 IQR).

    `units` gives a feature's unit for the axis. Raises ValueError for a column the table does not have.
    """
    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise ValueError(
            f"no feature(s) {missing}; the table has {[c for c in features.columns if c != 'image_id']}."
        )
    labels = np.asarray(labels)
    classes = np.unique(labels)
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    fig, axes = panels(
        down, across, 3.3 * across + 0.3, (1.0 + 0.32 * len(classes)) * down + 0.2, sharey=True
    )
    look = {
        "medianprops": {"color": "black", "linewidth": 1.6},
        "flierprops": {"marker": ".", "markersize": 3, "markerfacecolor": "0.4", "markeredgecolor": "none"},
    }
    for ax, name in zip(axes.flat, columns, strict=False):
        groups = [features[name].to_numpy()[labels == label] for label in classes]
        boxes = ax.boxplot(groups, orientation="horizontal", patch_artist=True, widths=0.65, **look)
        for index, box in enumerate(boxes["boxes"]):
            box.set(facecolor=colour(index), alpha=0.75)
        ax.set(xlabel=labelled(name, (units or {}).get(name)))
        ax.set_yticks(range(1, len(classes) + 1), [str(label) for label in classes])
        ax.grid(axis="y", visible=False)
    axes.flat[0].invert_yaxis()
    for ax in axes.flat[len(columns) :]:
        ax.axis("off")
    return fig
