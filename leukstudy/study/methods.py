"""What `params.yaml` may name for the preparing of images, and where the function of each name is: "module:function".

The tables are text, so that parameters are checked before OpenCV is imported; the room that runs a method asks `method` for
it. A new method is its function and one line here.
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache

SEGMENTATIONS = {
    "stain": "leukstudy.imaging.nuclei:stained_nuclei",
    "tavakoli": "leukstudy.imaging.literature:tavakoli",
    "otsu_green3": "leukstudy.imaging.literature:otsu_green3",
    "otsu_saturation": "leukstudy.imaging.literature:otsu_saturation",
    "otsu_grey": "leukstudy.imaging.literature:otsu_grey",
    "kmeans_lab": "leukstudy.imaging.literature:kmeans_lab",
}
"""Nucleus segmentations: (H, W, 3) uint8 RGB to (H, W) bool. The first is the default."""

STAIN_NORMALISATIONS = {
    "none": "numpy:copy",
    "grey_world": "leukstudy.imaging.stain:grey_world",
    "reinhard": "leukstudy.imaging.stain:reinhard",
    "macenko": "leukstudy.imaging.stain:macenko",
}
"""Stain normalisations: (H, W, 3) uint8 RGB to the same, a new image."""

EQUALISATIONS = {
    "none": "numpy:copy",
    "global": "leukstudy.imaging.preprocess:equalise_global",
    "clahe": "leukstudy.imaging.preprocess:equalise_clahe",
}
"""Equalisations of luminance: (H, W, 3) uint8 RGB to the same, a new image."""

VIEWS = {
    "image": "leukstudy.imaging.views:whole",
    "masked": "leukstudy.imaging.views:masked",
    "cell": "leukstudy.imaging.views:crop",
    "side_by_side": "leukstudy.imaging.views:side_by_side",
}
"""What of an image a model sees: RGB, nuclei and labels of cells to an RGB image of the same size."""

CORNERS = ("bottom-right", "top-left", "top-right", "bottom-left")
"""The corners of an image that can be masked."""


def method(table: Mapping[str, str], name: str, kind: str) -> Callable:
    """The function of that name in one of the tables. Raises ValueError for an unknown name, with the nearest one."""
    if name not in table:
        raise ValueError(unknown(name, table, kind))
    return _imported(table[name])


def unknown(name: str, names: Iterable[str], kind: str) -> str:
    """Say that `name` is not among `names`, with the nearest of them where there is one.

    >>> unknown("kmeans", SEGMENTATIONS, "segmentation")[:64]
    "unknown segmentation 'kmeans': did you mean 'kmeans_lab'? known:"
    """
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown {kind} '{name}': {hint}known: {', '.join(names)}"


@cache
def _imported(reference: str) -> Callable:
    module, function = reference.split(":")
    return getattr(importlib.import_module(module), function)
