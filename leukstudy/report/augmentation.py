"""The figure that shows what augmentation does to training images: each operation alone, and all of them together."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from leukstudy.models.augment import DRAWS, augmented, changed, changes_images
from leukstudy.models.mixup import mixed_images
from leukstudy.report.pictures import TITLE_SIZE, checked_titles
from leukstudy.report.style import bare, panels

# Of the image itself in the MixUp column: Beta's own draws lie mostly near 0 and 1, and show nothing.
_SHARE = 0.7


def augmentation_sheet(
    images: np.ndarray, augment: Any, seed: int, titles: Sequence[str] | None = None
) -> Figure:
    """Show a row an image: as it is, after each operation that is on (at its limits), and twice as training draws it.

    images: (N, S, S, 3) uint8 RGB at the size that the network sees; a few. augment: an experiment's settings, as
    `models.augment.changed` reads them. The MixUp column mixes each image with the next row's, the last with the first's;
    a single image has none. Raises ValueError for images of another form, or another number of titles.
    """
    titles = checked_titles(images, titles, "augmentation")
    columns = {"original": images}
    for name, draw in _limits(augment).items():
        columns[name] = np.stack([changed(image, *draw) for image in images])
    if changes_images(augment):
        for number in (1, 2):
            columns[f"all together,\ndraw {number}"] = augmented(images, augment, seed + number)
    if augment.mixup and len(images) > 1:
        partner, share = np.roll(np.arange(len(images)), -1), np.full(len(images), _SHARE, np.float32)
        columns[f"MixUp: {1 - _SHARE:.0%} of\nthe next image"] = mixed_images(images, partner, share)
    size = 1.12 * len(columns) + (0.9 if any(titles) else 0.1), 1.12 * len(images) + 0.5
    fig, axes = panels(len(images), len(columns), *size)
    fig.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    for column, (name, pictures) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(name, fontsize=TITLE_SIZE, loc="center")
        for ax, picture in zip(column, pictures, strict=True):
            ax.imshow(picture)
            bare(ax)
    for ax, title in zip(axes[:, 0], titles, strict=True):
        ax.set_ylabel(title, fontsize=TITLE_SIZE, rotation=0, ha="right", va="center")
    return fig


def _limits(augment: Any) -> dict[str, tuple[Any, np.ndarray]]:
    """Title of a column -> the settings with one operation on, and the draws that take it to a limit."""
    off = dict.fromkeys(("flip", "rotate", "zoom", "blur", "stain", "brightness"), 0.0)
    stain, light = augment.stain, augment.brightness
    strong, weak = {"azure": 1, "azure_shift": 1}, {"azure": 0, "azure_shift": 0}
    red, pale = {"eosin": 1, "eosin_shift": 1}, {"eosin": 0, "eosin_shift": 0}
    operations = [
        ("flip", "flip", {"mirror": 0, "upend": 1}),
        ("rotate", "quarter turn", {"turn": 0.25}),
        ("zoom", f"zoom: {1 - augment.zoom:.0%}\nof the side", {"side": 1}),
        ("blur", f"blur: sigma\n{augment.blur:g} px", {"blur": 1}),
        ("stain", f"stain: azure +{stain:.0%}\neosin −{stain:.0%}", strong | pale),
        ("stain", f"stain: azure −{stain:.0%}\neosin +{stain:.0%}", weak | red),
        ("brightness", f"brightness\n−{light:.0%}", {"light": 0}),
        ("brightness", f"brightness\n+{light:.0%}", {"light": 1}),
    ]
    limits = {}
    for operation, title, moved in operations:
        if strength := getattr(augment, operation):
            only = SimpleNamespace(**off | {operation: strength})
            limits[title] = (only, np.array([moved.get(name, 0.5) for name in DRAWS]))
    return limits
