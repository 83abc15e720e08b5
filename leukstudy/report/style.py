"""The look of all figures: style sheet, palette, line styles that can be told apart in grey, frames, saving."""

import colorsys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("style.mplstyle")
# What tells lines, points and bars apart in a grey print, in the order in which colours are used.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oooo")
# seaborn's palette of that name, which is the default: the import of seaborn, and of scipy by it, takes most of a second
# in every stage.
COLORBLIND = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9",
)  # fmt: skip
NEUTRAL = "0.55"  # grey of what proves nothing


def apply_style(palette: str = "colorblind", dpi: int = 110) -> None:
    """Set the study's look for all figures made from now on.

    `palette` is a seaborn palette name (the default can be told apart by colour-blind readers), `dpi` the
    resolution of saved figures. Raises ValueError for a palette that seaborn does not have.
    """
    colours = COLORBLIND
    if palette != "colorblind":
        import seaborn as sns  # noqa: PLC0415 - see COLORBLIND

        try:
            colours = sns.color_palette(palette)
        except ValueError as error:
            advice = "take one such as colorblind, deep, muted, Set2."
            raise ValueError(f"plots.palette '{palette}' is not known; {advice}") from error
    plt.style.use(["default", STYLE])
    plt.rcParams.update({"axes.prop_cycle": cycler(color=colours), "figure.dpi": dpi, "savefig.dpi": dpi})


def colour(index: int) -> str:
    """Give the palette's colour for the line, class or model at `index`, round and round."""
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    return cycle[index % len(cycle)]


def desaturated(tint: str, share: float) -> tuple[float, float, float]:
    """Give a colour with `share` of its saturation (0-1, that of hue, lightness and saturation) as red, green, blue, 0-1."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(tint))
    return colorsys.hls_to_rgb(hue, lightness, saturation * share)


def line_look(index: int) -> dict[str, Any]:
    """The colour and dashes of the class or model at `index`."""
    return {"color": colour(index), "linestyle": LINES[index % len(LINES)]}


def point_look(index: int) -> dict[str, str]:
    """The colour and marker of the class at `index`."""
    return {"color": colour(index), "marker": MARKERS[index % len(MARKERS)]}


def bar_look(index: int) -> dict[str, str | float]:
    """The colour and hatch of the class or split at `index`."""
    hatch = HATCHES[index % len(HATCHES)]
    return {"color": colour(index), "hatch": hatch, "edgecolor": "white", "linewidth": 0}


def save_figure(fig: Figure, path: Path) -> Path:
    """Write a figure whose bytes depend on it alone (no date, no version), and close it; give the path.

    The suffix decides: `.png` for charts; `.jpg` (quality 92, full colour resolution) for sheets of pictures, which
    take a quarter of the space and stand in git three times, in a notebook, its page and the figures.
    Raises ValueError for another suffix.
    """
    path = Path(path)
    if path.suffix not in (".png", ".jpg"):
        raise ValueError(f"a figure called {path.name}; expected it to end in .png or .jpg.")
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(fig)  # draws once; `savefig` draws twice, the first time for the layout alone
    if path.suffix == ".png":
        canvas.print_png(path, metadata={"Software": None})
    else:
        canvas.print_jpg(path, pil_kwargs={"quality": 92, "subsampling": 0, "optimize": True})
    plt.close(fig)
    return path


def panels(rows: int, columns: int, width: float, height: float, **shared: Any) -> tuple[Figure, np.ndarray]:
    """Give a new figure of that size in inches, and its (rows, columns) axes."""
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **shared)


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Give `ax`, or the axes of a new figure of that size in inches."""
    return panels(1, 1, width, height)[1].item() if ax is None else ax


def empty(text: str, ax: Axes | None = None) -> Axes:
    """Write in place of a figure why there is nothing to draw."""
    ax = new_axes(ax, 6.0, 0.9)
    ax.axis("off")
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    return ax


def bare(ax: Axes) -> None:
    """Take ticks, grid and frame from axes that show a picture; the labels of the axes stay."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def bars_downwards(ax: Axes) -> None:
    """Lay out horizontal bars: the first on top, no lines between them."""
    ax.grid(axis="y", visible=False)
    ax.invert_yaxis()


def draw_intervals(
    ax: Axes, table: Any, place: Any, *, tint: str, marker: str = "o", filled: bool = True, size: float = 6
) -> None:
    """Draw points across with their intervals: `value`, `low` and `high` of a table or a row of it, at the heights `place`.

    Points are hollow where they are not `filled`.
    """
    ax.plot([table.low, table.high], [place, place], color=tint)
    face = tint if filled else "white"
    ax.plot(table.value, place, marker, color=tint, markerfacecolor=face, markersize=size)


def labelled(name: str, unit: str | None) -> str:
    """Write an axis' label: the name, and the unit in brackets where there is one."""
    return f"{name} ({unit})" if unit else name


def legend_beside(ax: Axes, title: str | None = None) -> None:
    """Put the legend to the right of the axes."""
    ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def legend_below(fig: Figure, ax: Axes) -> None:
    """Put the legend of `ax` below a figure whose axes all have the same."""
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
