"""Figures of results: learning curves, ROC curves, confusion matrices, intervals of all experiments."""

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leukstudy.report.style import LINES, MARKERS, colour, new_axes

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


def interval_text(estimate: Mapping[str, float | None], digits: int = 3) -> str:
    """Write an estimate as `0.953 [0.912, 0.981]`; without bounds, the value alone."""
    low, high = estimate.get("low"), estimate.get("high")
    bounds = f" [{low:.{digits}f}, {high:.{digits}f}]" if _known(low) and _known(high) else ""
    return f"{estimate['value']:.{digits}f}{bounds}"


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def plot_history(
    history: pd.DataFrame, *, title: str = "", axes: Sequence[Axes] | None = None, legend: bool = True
) -> Figure:
    """Draw loss and accuracy against the epoch, training and validation, and mark the lowest validation loss.

    `history` has the columns epoch, loss, accuracy, val_loss, val_accuracy. Raises ValueError for a table
    without them or without a row (models that are not trained in epochs have none).
    """
    missing = [name for name in HISTORY if name not in history.columns]
    if missing or history.empty:
        raise ValueError(f"a history needs at least one epoch and the columns {HISTORY}; it lacks {missing}.")
    fig = None
    if axes is None:
        fig, axes = plt.subplots(1, 2, figsize=(8, 3.0), layout="constrained")
    marker = "o" if len(history) == 1 else None  # a single epoch has no line to see
    best = history["epoch"].iloc[int(np.argmin(history["val_loss"].fillna(np.inf)))]
    for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
        ax.plot(history["epoch"], history[name], label="training", color=colour(0), marker=marker)
        ax.plot(
            history["epoch"], history[f"val_{name}"], "--", label="validation", color=colour(1), marker=marker
        )
        ax.axvline(best, color="0.35", linestyle=":", linewidth=1.2, label="lowest validation loss")
        ax.set(
            xlabel="epoch", ylabel="loss (cross-entropy)" if name == "loss" else "accuracy (share of images)"
        )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1.02)
    axes[0].set_title(title)
    figure = fig if fig is not None else axes[0].figure
    if legend:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


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
        plot_history(history, title=name, axes=axes[:, column], legend=False)
        if column:
            axes[0, column].set_ylabel("")
            axes[1, column].set_ylabel("")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


def plot_rocs(
    curves: Mapping[str, pd.DataFrame],
    scores: Mapping[str, Mapping[str, float | None]] | None = None,
    *,
    baselines: Collection[str] = (),
    ensembles: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the ROC curves of all experiments of one task together.

    `curves`: experiment -> table with fpr and tpr; `scores`: experiment -> {"value", "low", "high"} of the
    AUROC, for the legend, which says where they are means over seeds (a score with a "range") and the curve is the first
    seed's; `baselines` are drawn thin and grey, `ensembles` are named as such.
    """
    ax = new_axes(ax, 5.6, 5.4 + 0.22 * len(curves))
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=(0, (2, 2)), label="chance: 0.5")
    models = 0
    for index, (name, curve) in enumerate(curves.items()):
        text = f"{name}: {interval_text(scores[name])}" if scores and name in scores else name
        style = {"linestyle": LINES[index % len(LINES)]}
        if name in baselines:
            style |= {"color": "0.45", "linewidth": 1.1}
            text += " (shortcut baseline)"
        else:
            style["color"] = colour(models)
            models += 1
            text += " (ensemble)" if name in ensembles else ""
        ax.plot(curve["fpr"], curve["tpr"], label=text, **style)
    ax.set(xlabel="false positive rate (1 - specificity)", ylabel="true positive rate (sensitivity)")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set_aspect("equal")
    seeds = any("range" in scores[name] for name in curves if name in scores) if scores else False
    title = "AUROC, mean of the seeds [interval]; curves: first seed" if seeds else "AUROC [interval]"
    ax.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, -0.13), alignment="left")
    return ax


def plot_confusion(
    matrix: pd.DataFrame | np.ndarray | Sequence,
    classes: Sequence[str],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a confusion matrix: counts and, shaded, the share of each true class (rows) given each label.

    `matrix` (K, K) counts, rows true, columns predicted.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {counts.shape} for {len(classes)} classes.")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = new_axes(ax, 1.9 + 0.85 * len(classes), 1.5 + 0.75 * len(classes))
    picture = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if share[row, column] > 0.55 else "black"
        text = f"{count:,}\n{share[row, column]:.0%}"
        ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
    long = max(len(str(name)) for name in classes) > 9
    ticks = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks(range(len(classes)), [str(name) for name in classes], **ticks)
    ax.set_yticks(range(len(classes)), [str(name) for name in classes])
    ax.set(xlabel="predicted", ylabel="true", title=title)
    ax.grid(visible=False)
    ax.figure.colorbar(picture, ax=ax, label="share of the true class", format="{x:.0%}")
    return ax


def plot_forest(
    summary: Mapping[str, Mapping[str, float]],
    metric: str = "auroc",
    *,
    baselines: Collection[str] = (),
    ensembles: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw one metric of every experiment: a point with its interval, ticks below it for each of several seeds.

    `summary` is that of `evaluate.summary.summary`: experiment -> {metric, metric_low, metric_high, by_seed}. Shortcut
    `baselines` are hollow and grey, `ensembles` have a mark of their own.
    """
    lacking = [name for name, values in summary.items() if metric not in values]
    if lacking or not summary:
        raise ValueError(f"no {metric} for {lacking or 'any experiment'}; expected it in every experiment.")
    ax = new_axes(ax, 7.0, 1.5 + 0.42 * len(summary))
    for place, (name, values) in enumerate(summary.items()):
        shortcut = name in baselines
        tint = "0.45" if shortcut else colour(0)
        low, high = values.get(f"{metric}_low"), values.get(f"{metric}_high")
        if _known(low) and _known(high):
            ax.plot([low, high], [place, place], color=tint, linestyle="--" if shortcut else "-")
        face = "white" if shortcut else tint
        marker = MARKERS[1] if shortcut else MARKERS[2] if name in ensembles else MARKERS[0]
        ax.plot(values[metric], place, marker, color=tint, markerfacecolor=face, markersize=7)
        seeds = [scores[metric] for scores in values.get("by_seed", {}).values()]
        ax.plot(seeds, [place + 0.27] * len(seeds), "|", color=tint, markersize=6)
        text = interval_text({"value": values[metric], "low": low, "high": high})
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    if metric in CHANCE:
        ax.axvline(CHANCE[metric], color="0.6", linewidth=1, linestyle=(0, (2, 2)))
    ax.set_yticks(range(len(summary)), [str(name) for name in summary])
    ax.set(xlabel=METRIC_NAMES.get(metric, metric), ylim=(len(summary) - 0.4, -0.6))
    ax.set_xlim(right=1.0 + 0.02 * (1.0 - ax.get_xlim()[0]))
    ax.grid(axis="y", visible=False)
    keys = [Line2D([], [], color=colour(0), marker=MARKERS[0], label="model")]
    if any(name in ensembles for name in summary):
        keys.append(Line2D([], [], color=colour(0), marker=MARKERS[2], label="ensemble"))
    if any("by_seed" in values for values in summary.values()):
        keys.append(Line2D([], [], color=colour(0), marker="|", linestyle="", label="one seed"))
    if any(name in baselines for name in summary):
        grey = {"color": "0.45", "markerfacecolor": "white", "linestyle": "--"}
        keys.append(Line2D([], [], marker=MARKERS[1], label="shortcut baseline", **grey))
    if metric in CHANCE:
        keys.append(Line2D([], [], color="0.6", linewidth=1, linestyle=(0, (2, 2)), label="chance"))
    ax.figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return ax
