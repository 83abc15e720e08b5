"""What a search over settings found: its table for reading, its figure, and what to write down to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukstudy.report.curves import METRIC_NAMES
from leukstudy.report.style import colour, panels
from leukstudy.study.tune import SCALES

MOST_TICKS = 6  # values of a setting that get a tick each: a grid's; more are points of a range


def search_table(table: pd.DataFrame, keys: Sequence[str], metric: str) -> pd.DataFrame:
    """Lay out the table of `search.search.search` for reading: all cells text, rows in its order.

    Columns: the settings, AUROC, log loss and accuracy out of fold, the metric's lowest and highest fold, its difference to
    the experiment's own setting with a 95% interval. A dash stands where there is no value.
    """
    text = pd.DataFrame({key: map(_setting, table[key]) for key in keys})
    for name in ("auroc", "log_loss", "accuracy"):
        text[METRIC_NAMES[name]] = [_number(value) for value in table[name]]
    folds = table.filter(regex="^fold_")
    spread = zip(folds.min(axis=1), folds.max(axis=1), strict=True)
    text[f"{METRIC_NAMES[metric]} by fold"] = [f"{_number(low)} to {_number(high)}" for low, high in spread]
    text["difference [95% interval]"] = [
        "as in params.yaml" if row.current
        else f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]" if np.isfinite(row.low)
        else _number(row.difference, "+")
        for row in table.itertuples()
    ]  # fmt: skip
    return text


def _setting(value: Any) -> str:
    return f"{value:g}" if np.isreal(value) else value


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if np.isfinite(value) else "–"


def plot_search(table: pd.DataFrame, keys: Sequence[str], metric: str) -> Figure:
    """Draw the score of every point against each setting that was searched, a panel a setting.

    `table` is that of `search.search.search`; points that diverged are left out. The experiment's own setting is a diamond, the
    best a square. Where a setting has few values a line joins the means over all others.
    """
    drawn = table[np.isfinite(table[metric])]
    fig, axes = panels(1, max(1, len(keys)), 1.2 + 2.6 * max(1, len(keys)), 3.4, sharey=True)
    marks = {"as in params.yaml": (drawn["current"], "D"), "best": (drawn.index == drawn.index[0], "s")}
    for ax, key in zip(axes.flat, keys, strict=True):
        values = sorted(set(drawn[key].tolist()))
        few, named = len(values) <= MOST_TICKS, any(isinstance(value, str) for value in values)
        # few values stand side by side, more along their scale
        places = {value: place if few or named else value for place, value in enumerate(values)}
        x, look = drawn[key].map(places), {"s": 34, "alpha": 0.6, "edgecolors": "white", "linewidths": 0.5}
        ax.scatter(x, drawn[metric], color=colour(0), label="a setting", **look)
        if few:
            means = drawn[metric].groupby(x.to_numpy()).mean()
            ax.plot(means.index, means, color="0.45", linewidth=1.2, label="mean of a value")
        for label, (rows, marker) in marks.items():
            look = {"facecolors": "none", "edgecolors": colour(3), "s": 90, "linewidths": 1.6}
            ax.scatter(x[rows], drawn[metric][rows], marker=marker, label=label, zorder=3, **look)
        if few or named:
            ax.set_xticks(range(len(values)), map(_setting, values))
            ax.set_xlim(-0.5, len(values) - 0.5)
        elif key in SCALES and min(values) > 0:
            ax.set_xscale("log")
        ax.set_xlabel(key)
    axes[0, 0].set_ylabel(f"{METRIC_NAMES[metric]}, out of fold")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    return fig


def to_write(experiment: str, best: Mapping[str, Any], *, told_apart: bool) -> str:
    """Say what follows for `params.yaml`: the keys to write, or that there is no reason to change it."""
    block = "\n".join(["train:", f"  {experiment}:", *(f"    {key}: {value}" for key, value in best.items())])
    if told_apart:
        return f"The best setting, to be written into params.yaml by whoever wants it:\n{block}"
    return (
        "No setting is told apart from the experiment's own: the interval of the best one's difference holds 0, or it is the "
        f"best. Nothing asks for a change of params.yaml. The best one is:\n{block}"
    )
