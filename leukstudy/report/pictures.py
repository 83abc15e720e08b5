"""Figures that show images: sheets, segmentation overlays, preprocessing steps, Grad-CAM, errors."""

import textwrap
from collections.abc import Mapping, Sequence

import cv2
import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

NUCLEUS, CELL = "#FFD400", "#00E5FF"  # both stand out on violet nuclei and on pink red cells
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in the grey scale of paper A's threshold
TITLE_SIZE = 8


def _grid(count: int, columns: int, side: float, lines: int) -> tuple[Figure, np.ndarray]:
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    size = (side * columns + 0.1, (side + 0.05 + 0.17 * lines) * rows + 0.05)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    return fig, axes


def _wrap(title: object, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in str(title).splitlines())


def _checked(images: Sequence[np.ndarray], titles: Sequence | None, what: str) -> list[str]:
    titles = [""] * len(images) if titles is None else list(titles)
    if len(titles) != len(images):
        raise ValueError(
            f"{what}: {len(images)} images and {len(titles)} titles; expected one title an image."
        )
    return titles


def _empty(text: str) -> Figure:
    fig, ax = plt.subplots(figsize=(5, 0.8), layout="constrained")
    ax.axis("off")
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    return fig


def plot_sheet(images: Sequence[np.ndarray], titles: Sequence | None = None, *, columns: int = 6) -> Figure:
    """Lay (H, W, 3) uint8 RGB images out on a sheet, a title above each; without images it says so."""
    titles = _checked(images, titles, "sheet")
    if len(images) == 0:
        return _empty("no image to show")
    wrapped = [_wrap(title, 20) for title in titles]
    lines = max(text.count("\n") + bool(text) for text in wrapped)
    fig, axes = _grid(len(images), columns, 1.45, lines)
    for ax, image, title in zip(axes.flat, images, wrapped, strict=False):
        ax.imshow(image)
        ax.set_title(title, fontsize=TITLE_SIZE, loc="center")
    return fig


def plot_errors(images: Sequence[np.ndarray], titles: Sequence, *, columns: int = 6) -> Figure:
    """Lay out the gallery of wrong cases (see `plot_sheet`); without a single error the figure says that."""
    return plot_sheet(images, titles, columns=columns) if len(images) else _empty("no errors in this split")


def plot_variants(
    variants: Mapping[str, Sequence[np.ndarray]], titles: Sequence, *, side: int = 160
) -> Figure:
    """Show the same images under several treatments: a column an image, a row a treatment (name -> images).

    All of them are laid on one canvas, each fitted into a square of `side` pixels: axes for each would take a second.
    """
    step = side + 8
    canvas = np.full((len(variants) * step, len(titles) * step, 3), 255, np.uint8)
    for row, (name, images) in enumerate(variants.items()):
        _checked(images, titles, name)
        for column, image in enumerate(images):
            tile = _fitted(image, side)
            top, left = (
                at * step + (step - of) // 2 for at, of in zip((row, column), tile.shape, strict=False)
            )
            canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    size = (1.45 * len(titles) + 1.2, 1.45 * len(variants) + 0.4)
    fig, ax = plt.subplots(figsize=size, layout="constrained")
    ax.imshow(canvas, interpolation="antialiased")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, labelsize=TITLE_SIZE)
    centres = np.arange(max(len(titles), len(variants))) * step + step / 2
    ax.set_xticks(centres[: len(titles)], [_wrap(title, 18) for title in titles])
    ax.set_yticks(centres[: len(variants)], [_wrap(name, 14) for name in variants])
    return fig


def _fitted(image: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 to the largest of the same shape that a square of `side` pixels holds."""
    scale = side / max(image.shape[:2])
    size = tuple(max(1, round(scale * length)) for length in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)


def draw_outlines(ax: Axes, nucleus: np.ndarray, cell: np.ndarray) -> None:
    """Draw the outlines of two (H, W) bool masks: the nucleus solid, the whole cell dashed, on black."""
    for mask, tint, line in ((cell, CELL, "--"), (nucleus, NUCLEUS, "-")):
        if mask.any() and not mask.all():  # a mask without an edge has no outline
            drawn = ax.contour(
                mask.astype(float), levels=[0.5], colors=[tint], linewidths=1.3, linestyles=[line]
            )
            drawn.set_path_effects([effects.withStroke(linewidth=2.2, foreground="black"), effects.Normal()])


def plot_overlay(
    images: Sequence[np.ndarray],
    nuclei: Sequence[np.ndarray],
    cells: Sequence[np.ndarray],
    titles: Sequence | None = None,
) -> Figure:
    """Show original, grey, mask and overlay side by side, one row an image (paper A, Figure 2).

    `images` (N, H, W, 3) uint8 RGB; `nuclei`, `cells` (N, H, W) bool. In the mask the nucleus is white, the
    cytoplasm grey, the background black.
    """
    titles = _checked(images, titles, "overlay")
    if len(images) == 0:
        return _empty("no image to show")
    fig, axes = plt.subplots(
        len(images), 4, figsize=(7.4, 1.85 * len(images) + 0.55), squeeze=False, layout="constrained"
    )
    for row, image, nucleus, cell, title in zip(axes, images, nuclei, cells, titles, strict=True):
        grey = image.astype(np.float64) @ LUMINANCE
        mask = np.where(nucleus, 255, np.where(cell, 128, 0))
        for ax, picture in zip(row, (image, grey, mask, image), strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            ax.spines[:].set_visible(False)
        draw_outlines(row[3], nucleus, cell)
        row[0].set_ylabel(_wrap(title, 18), fontsize=TITLE_SIZE)
    for ax, name in zip(axes[0], ("original", "grey", "mask", "overlay"), strict=True):
        ax.set_title(name, loc="center")
    keys = [Line2D([], [], color=NUCLEUS, label="nucleus"), Line2D([], [], color=CELL, ls="--", label="cell")]
    for key in keys:
        key.set_path_effects([effects.withStroke(linewidth=3, foreground="black"), effects.Normal()])
    fig.legend(handles=keys, loc="outside lower right", ncols=2)
    return fig


def plot_gradcam(
    images: Sequence[np.ndarray], heatmaps: Sequence[np.ndarray], titles: Sequence, *, columns: int = 6
) -> Figure:
    """Show each image above its Grad-CAM heat map laid over it.

    `images` (N, H, W, 3) uint8 RGB; `heatmaps` (N, H, W) float from 0 to 1, each on its own scale: 1 is
    where that image speaks most for the class asked about, so that heat is not to be compared between
    images.
    """
    titles = _checked(images, titles, "Grad-CAM")
    if len(heatmaps) != len(images):
        raise ValueError(
            f"Grad-CAM: {len(images)} images and {len(heatmaps)} heat maps; expected one an image."
        )
    if len(images) == 0:
        return _empty("no image to show")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    wrapped = [_wrap(title, 20) for title in titles]
    lines = max(text.count("\n") + bool(text) for text in wrapped)
    size = (1.45 * columns + 0.9, (2.9 + 0.17 * lines + 0.1) * rows)
    fig, axes = plt.subplots(2 * rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for index, (image, heat, title) in enumerate(zip(images, heatmaps, wrapped, strict=True)):
        above, below = axes[2 * (index // columns) : 2 * (index // columns) + 2, index % columns]
        above.imshow(image)
        above.set_title(title, fontsize=TITLE_SIZE, loc="center")
        below.imshow((image.astype(np.float64) @ LUMINANCE), cmap="gray", vmin=0, vmax=255)
        below.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.25 + 0.5 * np.clip(heat, 0, 1))
    scale = plt.cm.ScalarMappable(cmap="inferno", norm=plt.Normalize(0, 1))
    fig.colorbar(scale, ax=axes, label="relative evidence (0-1)", fraction=0.03, aspect=30, shrink=1 / rows)
    return fig
