"""Figures that show images: sheets, masks, preprocessing steps, Grad-CAM."""

import textwrap
from collections.abc import Mapping, Sequence

import cv2
import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from leukstudy.report.style import bare, empty, new_axes, panels

NUCLEUS, CELL = "#FFD400", "#00E5FF"  # both stand out on violet nuclei and on pink red cells
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in the grey scale of paper A's threshold
GREYS = {"cmap": "gray", "vmin": 0, "vmax": 255}
TITLE_SIZE = 8


def _wrap(title: object, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in str(title).splitlines())


def checked_titles(images: Sequence[np.ndarray], titles: Sequence | None, figure: str) -> list:
    """Give the titles, empty ones by default; ValueError, with the name of the figure, for another number than images."""
    titles = [""] * len(images) if titles is None else list(titles)
    if len(titles) != len(images):
        raise ValueError(
            f"{figure}: {len(images)} images and {len(titles)} titles; expected one title an image."
        )
    return titles


def _grid(
    titles: Sequence, columns: int, *, pictures: int = 1, height: float, margin: tuple[float, float]
) -> tuple[Figure, np.ndarray]:
    """Give a figure with axes for each title, `pictures` of them above each other, and write the titles on the first.

    `height` in inches of the pictures of one title, `margin` (width, height) of the figure. Axes come as (titles, pictures).
    """
    wrapped = [_wrap(title, 20) for title in titles]
    lines = max(text.count("\n") + bool(text) for text in wrapped)
    columns = max(1, min(columns, len(titles)))
    rows = -(-len(titles) // columns)
    size = 1.45 * columns + margin[0], (height + 0.17 * lines) * rows + margin[1]
    fig, axes = panels(pictures * rows, columns, *size)
    for ax in axes.flat:
        ax.axis("off")
    places = axes.reshape(rows, pictures, columns).swapaxes(1, 2).reshape(-1, pictures)[: len(titles)]
    for ax, title in zip(places[:, 0], wrapped, strict=True):
        ax.set_title(title, fontsize=TITLE_SIZE, loc="center")
    return fig, places


def plot_sheet(
    images: Sequence[np.ndarray],
    titles: Sequence | None = None,
    *,
    columns: int = 6,
    without: str = "no image to show",
) -> Figure:
    """Lay (H, W, 3) uint8 RGB images out on a sheet, a title above each; `without` images the figure says that."""
    titles = checked_titles(images, titles, "sheet")
    if len(images) == 0:
        return empty(without).figure
    fig, axes = _grid(titles, columns, height=1.5, margin=(0.1, 0.05))
    for ax, image in zip(axes[:, 0], images, strict=True):
        ax.imshow(image)
    return fig


def plot_variants(
    variants: Mapping[str, Sequence[np.ndarray]], titles: Sequence, *, side: int = 160
) -> Figure:
    """Show the same images under several treatments: a column an image, a row a treatment (name -> images).

    All of them are laid on one canvas, each fitted into a square of `side` pixels: axes for each would take a second.
    """
    step = side + 8
    canvas = np.full((len(variants) * step, len(titles) * step, 3), 255, np.uint8)
    for row, (name, images) in enumerate(variants.items()):
        checked_titles(images, titles, name)
        for column, image in enumerate(images):
            scale = side / max(image.shape[:2])
            width, height = (max(1, round(scale * length)) for length in image.shape[1::-1])
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
            top, left = row * step + (step - height) // 2, column * step + (step - width) // 2
            tile = cv2.resize(image, (width, height), interpolation=method)
            canvas[top : top + height, left : left + width] = tile
    ax = new_axes(None, 1.45 * len(titles) + 1.2, 1.45 * len(variants) + 0.4)
    ax.imshow(canvas, interpolation="antialiased")
    bare(ax)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, labelsize=TITLE_SIZE)
    centres = np.arange(max(len(titles), len(variants))) * step + step / 2
    ax.set_xticks(centres[: len(titles)], [_wrap(title, 18) for title in titles])
    ax.set_yticks(centres[: len(variants)], [_wrap(name, 14) for name in variants])
    return ax.figure


def draw_outlines(ax: Axes, nucleus: np.ndarray, cell: np.ndarray) -> None:
    """Draw the outlines of two (H, W) bool masks: the nucleus solid, the whole cell dashed, on black."""
    for mask, tint, line in ((cell, CELL, "--"), (nucleus, NUCLEUS, "-")):
        if mask.any() and not mask.all():  # a mask without an edge has no outline
            outline = ax.contour(mask, levels=[0.5], colors=[tint], linewidths=1.3, linestyles=[line])
            outline.set_path_effects(_on_black(2.2))


def _on_black(width: float) -> list[effects.AbstractPathEffect]:
    return [effects.withStroke(linewidth=width, foreground="black"), effects.Normal()]


def plot_masks(
    images: Sequence[np.ndarray],
    nuclei: Sequence[np.ndarray],
    cells: Sequence[np.ndarray],
    titles: Sequence | None = None,
) -> Figure:
    """Show original, grey, mask and the masks' outlines side by side, one row an image (paper A, Figure 2).

    `images` (N, H, W, 3) uint8 RGB; `nuclei`, `cells` (N, H, W) bool. In the mask the nucleus is white, the
    cytoplasm grey, the background black.
    """
    titles = checked_titles(images, titles, "masks")
    if len(images) == 0:
        return empty("no image to show").figure
    fig, axes = panels(len(images), 4, 7.4, 1.85 * len(images) + 0.55)
    for row, image, nucleus, cell, title in zip(axes, images, nuclei, cells, titles, strict=True):
        mask = np.where(nucleus, 255, np.where(cell, 128, 0))
        for ax, picture in zip(row, (image, image @ LUMINANCE, mask, image), strict=True):
            ax.imshow(picture, **GREYS)
            bare(ax)
        draw_outlines(row[3], nucleus, cell)
        row[0].set_ylabel(_wrap(title, 18), fontsize=TITLE_SIZE)
    for ax, name in zip(axes[0], ("original", "grey", "mask", "overlay"), strict=True):
        ax.set_title(name, loc="center")
    keys = [Line2D([], [], color=NUCLEUS, label="nucleus"), Line2D([], [], color=CELL, ls="--", label="cell")]
    for key in keys:
        key.set_path_effects(_on_black(3))
    fig.legend(handles=keys, loc="outside lower right", ncols=2)
    return fig


def plot_gradcam(
    images: Sequence[np.ndarray], heatmaps: Sequence[np.ndarray], titles: Sequence, *, columns: int = 6
) -> Figure:
    """Show each image above its Grad-CAM heat map laid over it.

    `images` (N, H, W, 3) uint8 RGB; `heatmaps` (N, H, W) float from 0 to 1, each on its own scale: 1 is
    where that image speaks most for the class in question, so heat cannot be compared between images.
    """
    titles = checked_titles(images, titles, "Grad-CAM")
    if len(heatmaps) != len(images):
        raise ValueError(f"Grad-CAM: {len(images)} images, {len(heatmaps)} heat maps; expected one an image.")
    if len(images) == 0:
        return empty("no image to show").figure
    fig, axes = _grid(titles, columns, pictures=2, height=3.0, margin=(0.9, 0))
    for (above, below), image, heat in zip(axes, images, heatmaps, strict=True):
        above.imshow(image)
        below.imshow(image @ LUMINANCE, **GREYS)
        below.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.25 + 0.5 * np.clip(heat, 0, 1))
    shrink = 1 / -(-len(images) // columns)
    scale = plt.cm.ScalarMappable(cmap="inferno", norm=plt.Normalize(0, 1))
    fig.colorbar(scale, ax=fig.axes, label="relative evidence (0-1)", fraction=0.03, aspect=30, shrink=shrink)
    return fig
