"""Figures of results: learning curves, ROC curves, confusion matrices, intervals of all experiments."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leukstudy.evaluate.record import Confusion, Estimate, Record
from leukstudy.report.style import MARKERS, colour, legend_below, line_look, new_axes, panels

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
METRIC_NAMES = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "f1": "F1",
    "log_loss": "log loss",
}
CHANCE = {"auroc": 0.5}
CHANCE_LINE = {"color": "0.6", "linewidth": 1, "linestyle": (0, (2, 2))}
GREY = "0.45"  # of shortcut baselines
FOREST = {
    "model": {"marker": MARKERS[0]},
    "ensemble": {"marker": MARKERS[2]},
    "baseline": {"marker": MARKERS[1], "color": GREY, "markerfacecolor": "white", "linestyle": "--"},
}
"""How `plot_forest` draws each kind of experiment; the rest is as in `_forest_look`."""


def interval_text(estimate: Estimate) -> str:
    """Write an estimate as `0.953 [0.912, 0.981]`; without bounds, the value alone."""
    bounds = f" [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.low is not None else ""
    return f"{estimate.value:.3f}{bounds}"


def plot_history(history: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw loss and accuracy against the epoch, training and validation, and mark the lowest validation loss.

    Raises ValueError for a `history` without the columns of HISTORY or without a row.
    """
    fig, axes = panels(1, 2, 8, 3.0)
    _draw_history(history, axes[0], title)
    legend_below(fig, axes[0, 0])
    return fig


def plot_histories(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the learning curves of several experiments, one column each: loss above, accuracy below.

    Empty histories (models that are not trained in epochs) are left out; ValueError where none is left.
    """
    trained = {name: history for name, history in histories.items() if not history.empty}
    if not trained:
        raise ValueError(f"none of {list(histories)} was trained in epochs: there is no curve to draw.")
    fig, axes = panels(2, len(trained), max(4.2, 3.3 * len(trained)), 5.2, sharey="row")
    for column, (name, history) in zip(axes.T, trained.items(), strict=True):
        _draw_history(history, column, name)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    legend_below(fig, axes[0, 0])
    return fig


def _draw_history(history: pd.DataFrame, axes: Sequence[Axes], title: str) -> None:
    missing = [name for name in HISTORY if name not in history]
    if missing or history.empty:
        raise ValueError(f"a history needs at least one epoch and the columns {HISTORY}; it lacks {missing}.")
    marker = "o" if len(history) == 1 else None  # a single epoch has no line to see
    epochs = history["epoch"]
    best = epochs.iloc[int(np.argmin(history["val_loss"].fillna(np.inf)))]
    labels = {"loss": "loss (cross-entropy)", "accuracy": "accuracy (share of images)"}
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        ax.plot(epochs, history[name], label="training", color=colour(0), marker=marker)
        ax.plot(epochs, history[f"val_{name}"], "--", label="validation", color=colour(1), marker=marker)
        ax.axvline(best, color="0.35", linestyle=":", linewidth=1.2, label="lowest validation loss")
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1.02)
    axes[0].set_title(title)


def plot_rocs(
    records: Sequence[Record], curves: Mapping[str, pd.DataFrame], *, ax: Axes | None = None
) -> Axes:
    """Draw the ROC curves of all experiments of one task together, with their AUROC in the legend.

    `curves`: experiment -> table with fpr and tpr, that of the first seed; the legend says so where a score is a mean over
    seeds. Shortcut baselines are thin and grey, ensembles are named as such.
    """
    ax = new_axes(ax, 5.6, 5.4 + 0.22 * len(records))
    ax.plot([0, 1], [0, 1], label="chance: 0.5", **CHANCE_LINE)
    note = {"model": "", "ensemble": " (ensemble)", "baseline": " (shortcut baseline)"}
    coloured = 0
    for index, record in enumerate(records):
        look = line_look(index)
        if record.kind == "baseline":
            look |= {"color": GREY, "linewidth": 1.1}
        else:
            look["color"] = colour(coloured)
            coloured += 1
        curve, score = curves[record.experiment], interval_text(record.metrics["auroc"])
        ax.plot(curve["fpr"], curve["tpr"], label=f"{record.experiment}: {score}{note[record.kind]}", **look)
    ax.set(xlabel="false positive rate (1 - specificity)", ylabel="true positive rate (sensitivity)")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    seeds = any(len(record.seeds) > 1 for record in records)
    title = "AUROC, mean of the seeds [interval]; curves: first seed" if seeds else "AUROC [interval]"
    ax.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, -0.13), alignment="left")
    return ax


def plot_confusion(confusion: Confusion, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts and, shaded, the share of each true class (rows) that got each label."""
    counts, classes = np.asarray(confusion.counts, dtype=np.int64), confusion.classes
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {counts.shape} for {len(classes)} classes.")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = new_axes(ax, 1.9 + 0.85 * len(classes), 1.5 + 0.75 * len(classes))
    picture = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        text, ink = f"{count:,}\n{share[row, column]:.0%}", "white" if share[row, column] > 0.55 else "black"
        ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(classes)), classes, **(slanted if max(map(len, classes)) > 9 else {}))
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    ax.grid(visible=False)
    ax.figure.colorbar(picture, ax=ax, label="share of the true class", format="{x:.0%}")
    return ax


def plot_forest(records: Sequence[Record], metric: str = "auroc", *, ax: Axes | None = None) -> Axes:
    """Draw one metric of every experiment: a point with its interval, ticks below it for each of several seeds.

    Shortcut baselines are hollow and grey, ensembles have a mark of their own. Raises ValueError without a record, and
    for a metric that one of them lacks.
    """
    lacking = [record.experiment for record in records if metric not in record.metrics]
    if lacking or not records:
        raise ValueError(f"no {metric} for {lacking or 'any experiment'}; expected it in every experiment.")
    ax = new_axes(ax, 7.0, 1.5 + 0.42 * len(records))
    for place, record in enumerate(records):
        estimate, look = record.metrics[metric], _forest_look(record.kind)
        if estimate.low is not None:
            ax.plot([estimate.low, estimate.high], [place, place], **look | {"marker": None})
        ax.plot(estimate.value, place, **look, markersize=7)
        ax.plot(
            estimate.by_seed, [place + 0.27] * len(estimate.by_seed), "|", color=look["color"], markersize=6
        )
        text = interval_text(estimate)
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    ax.set_yticks(range(len(records)), [record.experiment for record in records])
    ax.set(xlabel=METRIC_NAMES[metric], ylim=(len(records) - 0.4, -0.6))
    ax.grid(axis="y", visible=False)
    kinds = {record.kind for record in records}
    keys = [Line2D([], [], label="model", **_forest_look("model"))]
    if "ensemble" in kinds:
        keys.append(Line2D([], [], label="ensemble", **_forest_look("ensemble")))
    if any(len(record.seeds) > 1 for record in records):
        keys.append(Line2D([], [], label="one seed", color=colour(0), marker="|", linestyle=""))
    if "baseline" in kinds:
        keys.append(Line2D([], [], label="shortcut baseline", **_forest_look("baseline")))
    if metric in CHANCE:
        keys.append(ax.axvline(CHANCE[metric], label="chance", **CHANCE_LINE))
    ax.set_xlim(right=1.0 + 0.02 * (1.0 - ax.get_xlim()[0]))
    ax.figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return ax


def _forest_look(kind: str) -> dict[str, str]:
    return {"color": colour(0), "linestyle": "-"} | FOREST[kind]
