"""Whether two ways of measuring agree: bias, limits of agreement, and the plot of Bland and Altman."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukstudy.report.style import labelled, new_axes, panels


def limits_of_agreement(measured: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Bias (mean of measured less truth) and the lower and upper 95% limits of agreement (Bland and Altman 1986).

    Limits are the bias less and plus 1.96 standard deviations of the differences. Raises ValueError for fewer than
    two pairs or unequal lengths.
    """
    measured, truth = np.asarray(measured, float), np.asarray(truth, float)
    if measured.shape != truth.shape or measured.ndim != 1 or len(measured) < 2:
        shapes = f"{measured.shape} and {truth.shape}"
        raise ValueError(f"measurements of shape {shapes}; expected two of one length, at least 2")
    difference = measured - truth
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    return bias, bias - 1.96 * spread, bias + 1.96 * spread


def plot_bland_altman(
    measured: np.ndarray, truth: np.ndarray, *, name: str, unit: str, ax: Axes | None = None
) -> Axes:
    """Differences of two measurements over their means, with bias and 95% limits of agreement; `unit` of both.

    Draws into `ax`, or into a new figure. The lines can be told apart in grey: the bias is solid, the limits dashed.
    """
    measured, truth = np.asarray(measured, float), np.asarray(truth, float)
    bias, low, high = limits_of_agreement(measured, truth)
    ax = new_axes(ax, 4.2, 3.2)
    ax.scatter((measured + truth) / 2, measured - truth, s=6, alpha=0.4, linewidths=0)
    ax.axhline(bias, color="black", linewidth=1.2)
    for limit in (low, high):
        ax.axhline(limit, color="black", linewidth=1, linestyle="--")
    unit = "" if unit in ("1", "0-1") else unit
    ax.set(xlabel=labelled("mean of measured and true", unit), ylabel=labelled("measured - true", unit))
    ax.set_title(f"{name}\nbias {bias:.3g}, 95% limits {low:.3g} to {high:.3g}", fontsize="small")
    return ax


def plot_agreement(measured: pd.DataFrame, truth: pd.DataFrame, units: Mapping[str, str]) -> Figure:
    """A Bland-Altman plot for each column of `units` (name -> unit), side by side; both tables have the same rows."""
    fig, axes = panels(1, len(units), 4.0 * len(units), 3.2)
    for ax, (name, unit) in zip(axes[0], units.items(), strict=True):
        short = name.removeprefix("morph_").replace("_", " ")
        plot_bland_altman(measured[name], truth[name], name=short, unit=unit, ax=ax)
    return fig
