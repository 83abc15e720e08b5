"""Figures of the exploration: balance, differences between classes, correlations, and what separates the images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from leukstudy.report.style import (
    MARKERS,
    NEUTRAL,
    bar_look,
    bars_downwards,
    colour,
    draw_intervals,
    empty,
    labelled,
    legend_beside,
    new_axes,
    panels,
    point_look,
)
from leukstudy.statistics.separation import Separation

NOTHING = "nothing to compare: too few images or features"
MANY = 10  # more groups than this are drawn without a legend: nobody can tell so many colours apart


def words(feature: str) -> str:
    """Write a feature's name for an axis: `morph_nucleus_area` as nucleus area, `texture_entropy` as texture entropy."""
    return feature.removeprefix("morph_").replace("_", " ").replace("nc ratio", "N:C ratio")


def plot_balance(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each class counts for before and after balancing: images, with class weights, after SMOTE.

    `table` is that of `statistics.exploration.balance`.
    """
    bars = {"images": "as they are", "weighted": "with class weights", "smote": "after SMOTE"}
    ax = new_axes(ax, 8.0, 1.6 + 0.62 * len(table))
    high, most = 0.26, float(np.nanmax(table[list(bars)]))
    for index, (column, name) in enumerate(bars.items()):
        places = np.arange(len(table)) + (index - 1) * high
        lengths = table[column].fillna(0)
        ax.barh(places, lengths, height=high * 0.92, label=name, **bar_look(index))
        for place, length, value, weight in zip(places, lengths, table[column], table["weight"], strict=True):
            text = "impossible: one image" if np.isnan(value) else f"{value:,.0f}"
            text += f" (each x {weight:.2f})" if column == "weighted" else ""
            ax.text(length + 0.01 * most, place, text, va="center", fontsize=8)
    ax.set_yticks(range(len(table)), table["class"])
    ax.set(xlabel="training images, or what they count for", xlim=(0, 1.25 * most))
    bars_downwards(ax)
    legend_beside(ax)
    return ax


def plot_effects(
    effects: pd.DataFrame,
    differences: pd.DataFrame,
    claims: Mapping[str, str],
    *,
    most: int = 12,
    significant: float = 0.05,
) -> Figure:
    """Draw Cliff's delta of each feature and class with its interval, one panel a class, features sorted by claim.

    The tables are those of `statistics.exploration`; `claims` maps a feature to what it measures. Of a claim with more than
    `most` features those that differ most are drawn, and the heading says so. Filled: the feature differs between
    classes after correction; hollow: no difference shown.
    """
    if not effects["delta"].notna().any():
        return empty(NOTHING).figure
    share = differences.set_index("feature")["share"]
    rows: dict[str, float] = {}
    headings, top = {}, 0.0
    for claim in dict.fromkeys(claims.values()):
        features = [name for name in claims if claims[name] == claim and name in share]
        drawn = share[features].sort_values(ascending=False, kind="stable").index[:most]
        headings[top] = claim if len(features) <= most else f"{claim} ({most} of {len(features)})"
        rows |= {name: top + 1 + row for row, name in enumerate(name for name in features if name in drawn)}
        top += 2.0 + len(drawn)
    proven = differences.loc[differences["p_holm"] < significant, "feature"]
    points = effects.rename(columns={"delta": "value"}).dropna(subset="value")
    points = points.assign(row=points["feature"].map(rows), proven=points["feature"].isin(proven))
    labels = list(dict.fromkeys(effects["label"]))
    fig, axes = panels(1, len(labels), 3.2 + 1.65 * len(labels), 1.0 + 0.2 * top, sharey=True)
    for index, (ax, label) in enumerate(zip(axes[0], labels, strict=True)):
        ax.axvline(0, color="0.5", linewidth=1)
        for filled, tint in ((False, NEUTRAL), (True, colour(index))):
            shown = points[(points["label"] == label) & (points["proven"] == filled)].dropna(subset="row")
            marker = MARKERS[index % len(MARKERS)]
            draw_intervals(ax, shown, shown["row"], tint=tint, marker=marker, filled=filled, size=5)
        ax.set(title=str(label), xlim=(-1.08, 1.08), ylim=(top - 0.6, -0.8))
        ax.set_xticks([-1, 0, 1], ["-1", "0", "1"])
        ax.grid(axis="y", visible=False)
    for height, claim in headings.items():
        axes[0, 0].annotate(
            claim, (0, height), (-6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="center", fontsize=9, fontweight="bold",
        )  # fmt: skip
    axes[0, 0].set_yticks(list(rows.values()), [words(name) for name in rows], fontsize=8)
    middle = axes[0, len(labels) // 2]
    middle.set_xlabel("Cliff's delta: below 0 the class is the lower, above 0 the higher")
    look = {"marker": "o", "linestyle": "-", "linewidth": 1.4}
    keys = [
        Line2D([], [], color="0.2", label=f"differs by class (Holm-corrected p < {significant:g})", **look),
        Line2D([], [], color=NEUTRAL, mfc="white", label="no difference shown", **look),
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)
    return fig


def plot_correlations(correlations: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a heat map of correlations (F, F), -1 to 1, in the table's order; cells of 0.5 and more carry their sign."""
    count = len(correlations)
    if count < 2:
        return empty(NOTHING, ax)
    side = max(4.0, 0.235 * count)
    ax = new_axes(ax, side + 3.0, side + 1.6)
    values = correlations.to_numpy(np.float64)
    picture = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="equal")
    # red and blue of one depth are one grey: the sign tells them apart
    for row, column in np.argwhere((np.abs(values) >= 0.5) & ~np.eye(count, dtype=bool)):
        value = values[row, column]
        sign, ink = "+" if value > 0 else "-", "white" if abs(value) > 0.75 else "black"
        ax.text(column, row, sign, ha="center", va="center", fontsize=7, color=ink)
    ticks = [words(name) for name in correlations.index]
    ax.set_xticks(range(count), ticks, rotation=90, fontsize=7)
    ax.set_yticks(range(count), ticks, fontsize=7)
    ax.grid(visible=False)
    ax.figure.colorbar(picture, ax=ax, label="Spearman's correlation", shrink=0.7)
    return ax


def plot_scatter(
    features: pd.DataFrame, labels: Sequence[str], means: pd.DataFrame, pair: Sequence[str], *, unit: str = "patient",
    units: Mapping[str, str] | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a pair of features against each other: an image a small point, the mean of a group (in `means`) a large one.

    `means` is that of `statistics.exploration.group_means`; `units` gives a feature's unit for the axes.
    """
    if len(pair) < 2:
        return empty(NOTHING, ax)
    x, y = pair
    labels = np.asarray(labels, dtype=str)
    ax = new_axes(ax, 7.4, 4.8)
    for index, label in enumerate(np.unique(labels)):
        images, groups, look = features[labels == label], means[means["y_true"] == label], point_look(index)
        ax.scatter(images[x], images[y], s=9, alpha=0.35, linewidths=0, **look)
        ax.scatter(groups[x], groups[y], s=58, edgecolors="black", linewidths=0.8, label=label, **look)
    xlabel, ylabel = (labelled(words(name), (units or {}).get(name)) for name in pair)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    legend_beside(ax, f"class\n(large: a {unit}'s mean)")
    return ax


def plot_separation(separation: Separation) -> Figure:
    """Draw the projections of the images, a row each, and a column a criterion that colours them: class, group, source.

    Where there is a single one (one source, say) there is nothing to tell apart, and the column is left out. Titles give
    the silhouette. Up to ten names have a legend; more repeat colours and shapes, since it is the clumps that count then.
    """
    by = {criterion: names for criterion, names in separation.by.items() if len(np.unique(names)) > 1}
    projections = separation.projections
    if not by or not projections:
        return empty(NOTHING).figure
    fig, axes = panels(len(projections), len(by), 3.5 * len(by) + 0.4, 3.1 * len(projections) + 1.1)
    axes[0, 0].set_ylabel("second component")
    for column, (criterion, names) in zip(axes.T, by.items(), strict=True):
        distinct = np.unique(names)
        for ax, (title, points) in zip(column, projections.items(), strict=True):
            for index, name in enumerate(distinct):
                look = {"s": 13, "linewidths": 0, "alpha": 0.75} | point_look(index)
                ax.scatter(*points[names == name].T, label=name, **look)
            ax.set(xticks=[], yticks=[], xlabel=title)
        score = separation.silhouettes[criterion]
        silhouette = f", silhouette {round(score, 2) + 0.0:.2f}" if np.isfinite(score) else ""
        column[0].set_title(f"by {criterion}{silhouette}")
        if len(distinct) <= MANY:
            column[-1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        else:
            note, place = f"{len(distinct)} {criterion}s, colours and shapes repeat", column[-1].transAxes
            column[-1].text(0.5, -0.2, note, transform=place, ha="center", va="top", fontsize=9)
    return fig


def plot_importance(table: pd.DataFrame, *, most: int = 12, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw what an experiment loses when features are permuted: the mean drop in AUROC, with its interval.

    `table` is that of `statistics.importance.importance`: family, drop, low, high, most important first; `most` rows are
    drawn. Hollow: the interval holds 0.
    """
    shown = table.head(most).rename(columns={"drop": "value"})
    ax = new_axes(ax, 7.4, 1.3 + 0.3 * len(shown))
    ax.axvline(0, color="0.5", linewidth=1)
    for place, row in enumerate(shown.itertuples()):
        sure = row.low > 0
        draw_intervals(ax, row, place, tint=colour(0) if sure else NEUTRAL, filled=sure)
    ax.set_yticks(range(len(shown)), shown["family"], fontsize=8)
    ax.set(xlabel="loss of AUROC on the validation split", ylim=(len(shown) - 0.5, -0.5), title=title)
    ax.grid(axis="y", visible=False)
    return ax
