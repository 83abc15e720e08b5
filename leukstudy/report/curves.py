"""Figures of results: learning curves, ROC curves, confusion matrices, intervals of all experiments."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leukstudy.evaluate.record import Confusion, Estimate, Record
from leukstudy.report.style import LINES, MARKERS, colour, legend_below, new_axes

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
METRIC_NAMES = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "f1": "F1",
}
CHANCE = {"auroc": 0.5}


GREY = "0.45"  # of shortcut baselines
CHANCE_LINE = {"color": "0.6", "linewidth": 1, "linestyle": (0, (2, 2))}


def interval_text(estimate: Estimate) -> str:
    """Write an estimate as `0.953 [0.912, 0.981]`; without bounds, the value alone."""
    bounds = f" [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.low is not None else ""
    return f"{estimate.value:.3f}{bounds}"


def plot_history(history: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw loss and accuracy against the epoch, training and validation, and mark the lowest validation loss.

    `history` has the columns epoch, loss, accuracy, val_loss, val_accuracy. Raises ValueError for a table
    without them or without a row (models that are not trained in epochs have none).
    """
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.0), layout="constrained")
    _draw_history(history, axes, title)
    legend_below(fig, axes[0])
    return fig


def _draw_history(history: pd.DataFrame, axes: Sequence[Axes], title: str) -> None:
    missing = [name for name in HISTORY if name not in history.columns]
    if missing or history.empty:
        raise ValueError(f"a history needs at least one epoch and the columns {HISTORY}; it lacks {missing}.")
    marker = "o" if len(history) == 1 else None  # a single epoch has no line to see
    best = history["epoch"].iloc[int(np.argmin(history["val_loss"].fillna(np.inf)))]
    labels = {"loss": "loss (cross-entropy)", "accuracy": "accuracy (share of images)"}
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        epochs, validation = history["epoch"], history[f"val_{name}"]
        ax.plot(epochs, history[name], label="training", color=colour(0), marker=marker)
        ax.plot(epochs, validation, "--", label="validation", color=colour(1), marker=marker)
        ax.axvline(best, color="0.35", linestyle=":", linewidth=1.2, label="lowest validation loss")
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1.02)
    axes[0].set_title(title)


def plot_histories(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the learning curves of several experiments, one column each: loss above, accuracy below.

    Empty histories (models that are not trained in epochs) are left out; ValueError where none is left.
    """
    trained = {name: history for name, history in histories.items() if not history.empty}
    if not trained:
        raise ValueError(f"none of {list(histories)} was trained in epochs: there is no curve to draw.")
    wide = max(4.2, 3.3 * len(trained))
    fig, axes = plt.subplots(
        2, len(trained), figsize=(wide, 5.2), squeeze=False, sharey="row", layout="constrained"
    )
    for column, (name, history) in enumerate(trained.items()):
        _draw_history(history, axes[:, column], name)
        if column:
            axes[0, column].set_ylabel("")
            axes[1, column].set_ylabel("")
    legend_below(fig, axes[0, 0])
    return fig


def plot_rocs(
    records: Sequence[Record], curves: Mapping[str, pd.DataFrame], *, ax: Axes | None = None
) -> Axes:
    """Draw the ROC curves of all experiments of one task together, with their AUROC in the legend.

    `curves`: experiment -> table with fpr and tpr, that of the first seed; the legend says so where a score is a mean over
    seeds. Shortcut baselines are thin and grey, ensembles are named as such.
    """
    ax = new_axes(ax, 5.6, 5.4 + 0.22 * len(records))
    ax.plot([0, 1], [0, 1], label="chance: 0.5", **CHANCE_LINE)
    coloured = 0
    for index, record in enumerate(records):
        text = f"{record.experiment}: {interval_text(record.metrics['auroc'])}"
        style = {"linestyle": LINES[index % len(LINES)]}
        if record.kind == "baseline":
            style |= {"color": GREY, "linewidth": 1.1}
            text += " (shortcut baseline)"
        else:
            style["color"] = colour(coloured)
            coloured += 1
            text += " (ensemble)" if record.kind == "ensemble" else ""
        curve = curves[record.experiment]
        ax.plot(curve["fpr"], curve["tpr"], label=text, **style)
    ax.set(xlabel="false positive rate (1 - specificity)", ylabel="true positive rate (sensitivity)")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set_aspect("equal")
    seeds = any(len(record.seeds) > 1 for record in records)
    title = "AUROC, mean of the seeds [interval]; curves: first seed" if seeds else "AUROC [interval]"
    ax.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, -0.13), alignment="left")
    return ax


def plot_confusion(confusion: Confusion, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts and, shaded, the share of each true class (rows) given each label."""
    counts, classes = np.asarray(confusion.counts, dtype=np.int64), confusion.classes
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {counts.shape} for {len(classes)} classes.")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = new_axes(ax, 1.9 + 0.85 * len(classes), 1.5 + 0.75 * len(classes))
    picture = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if share[row, column] > 0.55 else "black"
        text = f"{count:,}\n{share[row, column]:.0%}"
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
        estimate, look = record.metrics[metric], FOREST[record.kind]
        tint = look.get("color", colour(0))
        if estimate.low is not None:
            line = look.get("linestyle", "-")
            ax.plot([estimate.low, estimate.high], [place, place], color=tint, linestyle=line)
        face = look.get("markerfacecolor", tint)
        ax.plot(estimate.value, place, look["marker"], color=tint, markerfacecolor=face, markersize=7)
        seeds = estimate.by_seed
        ax.plot(seeds, [place + 0.27] * len(seeds), "|", color=tint, markersize=6)
        text = interval_text(estimate)
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    if metric in CHANCE:
        ax.axvline(CHANCE[metric], **CHANCE_LINE)
    ax.set_yticks(range(len(records)), [record.experiment for record in records])
    ax.set(xlabel=METRIC_NAMES.get(metric, metric), ylim=(len(records) - 0.4, -0.6))
    ax.set_xlim(right=1.0 + 0.02 * (1.0 - ax.get_xlim()[0]))
    ax.grid(axis="y", visible=False)
    _key_to_forest(ax, records, metric)
    return ax


FOREST = {
    "model": {"marker": MARKERS[0]},
    "ensemble": {"marker": MARKERS[2]},
    "baseline": {"marker": MARKERS[1], "color": GREY, "markerfacecolor": "white", "linestyle": "--"},
}
"""How each kind of experiment is drawn; what is not named is as for a model."""


def _key_to_forest(ax: Axes, records: Sequence[Record], metric: str) -> None:
    """Explain below the figure the marks that it has."""
    kinds = {record.kind for record in records}
    look = {kind: {"color": colour(0)} | own for kind, own in FOREST.items()}
    keys = [Line2D([], [], label="model", **look["model"])]
    if "ensemble" in kinds:
        keys.append(Line2D([], [], label="ensemble", **look["ensemble"]))
    if any(len(record.seeds) > 1 for record in records):
        keys.append(Line2D([], [], color=colour(0), marker="|", linestyle="", label="one seed"))
    if "baseline" in kinds:
        keys.append(Line2D([], [], label="shortcut baseline", **look["baseline"]))
    if metric in CHANCE:
        keys.append(Line2D([], [], label="chance", **CHANCE_LINE))
    ax.figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
