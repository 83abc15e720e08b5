"""What a search over settings found: its table for reading, its figure, and what to write down to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukstudy.report.curves import METRIC_NAMES
from leukstudy.report.style import colour
from leukstudy.study.tune import SCALES

MOST_TICKS = 6  # values of a setting that get a tick each: a grid's; more are points of a range


def metric_name(metric: str) -> str:
    """What the study's figures call a metric."""
    return {"log_loss": "log loss"}.get(metric, METRIC_NAMES.get(metric, metric))


def search_table(table: pd.DataFrame, keys: Sequence[str], metric: str) -> pd.DataFrame:
    """Lay out the table of `search.search.search` for reading: all cells text, rows as given.

    Columns: the settings, AUROC, log loss and accuracy out of fold, the metric's lowest and highest fold, its difference to
    the experiment's own setting with a 95% interval. A dash stands where there is no value.
    """
    folds = table[[name for name in table if name.startswith("fold_")]]
    out = {key: [f"{value:g}" if np.isreal(value) else value for value in table[key]] for key in keys}
    for name in ("auroc", "log_loss", "accuracy"):
        out[metric_name(name)] = [_number(value) for value in table[name]]
    spread = zip(folds.min(axis=1), folds.max(axis=1), strict=True)
    out[f"{metric_name(metric)} by fold"] = [f"{_number(low)} to {_number(high)}" for low, high in spread]
    shown = table[["difference", "low", "high", "current"]].itertuples(index=False, name=None)
    out["difference [95% interval]"] = [_difference(*row) for row in shown]
    return pd.DataFrame(out)


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if np.isfinite(value) else "–"


def _difference(gap: float, low: float, high: float, current: bool) -> str:
    if current:
        return "as in params.yaml"
    if not np.isfinite(low):
        return _number(gap, "+")
    return f"{gap:+.4f} [{low:+.4f}, {high:+.4f}]"


def plot_search(table: pd.DataFrame, keys: Sequence[str], metric: str) -> Figure:
    """Draw the score of every point against each setting that was searched, a panel a setting.

    `table` is that of `search.search.search`; points that diverged are left out. The experiment's own setting is a diamond, the
    best a square. Where a setting has few values a line joins the means over all others.
    """
    import seaborn as sns  # noqa: PLC0415 - takes most of a second, and one stage draws this

    drawn = table[np.isfinite(table[metric])]
    width = max(1, len(keys))
    fig, axes = plt.subplots(
        1, width, figsize=(1.2 + 2.6 * width, 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, key in zip(axes.flat, keys, strict=True):
        values = sorted(set(drawn[key].tolist()))
        few = len(values) <= MOST_TICKS
        named = any(isinstance(value, str) for value in values)
        # few values stand side by side, more along their scale
        places = {value: place if few or named else value for place, value in enumerate(values)}
        x = drawn[key].map(places)
        sns.scatterplot(x=x, y=drawn[metric], ax=ax, color=colour(0), alpha=0.6, s=34, label="a setting")
        if few:
            means = drawn[metric].groupby(x.to_numpy()).mean()
            ax.plot(means.index, means, color="0.45", linewidth=1.2, label="mean of a value")
        for place, marker, label in (
            (drawn["current"], "D", "as in params.yaml"),
            (drawn.index == drawn.index[0], "s", "best"),
        ):
            look = {"facecolors": "none", "edgecolors": colour(3), "s": 90, "linewidths": 1.6}
            ax.scatter(x[place], drawn[metric][place], marker=marker, label=label, zorder=3, **look)
        if few or named:
            ax.set_xticks(list(places.values()), [f"{v:g}" if np.isreal(v) else v for v in values])
            ax.set_xlim(-0.5, len(values) - 0.5)
        elif key in SCALES and min(values) > 0:
            ax.set_xscale("log")
        ax.set(xlabel=key, ylabel=f"{metric_name(metric)}, out of fold")
        if ax.get_legend():
            ax.get_legend().remove()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    return fig


def to_write(experiment: str, best: Mapping[str, Any], *, told_apart: bool) -> str:
    """Say what follows for `params.yaml`: the keys to write, or that there is no reason to change it."""
    lines = "\n".join(f"    {key}: {value}" for key, value in best.items())
    if told_apart:
        return f"The best setting, to be written into params.yaml by whoever wants it:\ntrain:\n  {experiment}:\n{lines}"
    return (
        "No setting is told apart from the experiment's own: the interval of the best one's difference holds 0, or it is the "
        f"best. Nothing asks for a change of params.yaml. The best one is:\ntrain:\n  {experiment}:\n{lines}"
    )
