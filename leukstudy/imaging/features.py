"""Hand-crafted measurements of one image, in five families told apart by the prefix of their names.

`colour_` (12 statistics of all pixels) and `corner_` (what stands in the corners) know nothing of cells: they
are the shortcut baselines. `morph_` and `texture_` measure the main white cell, as paper A's "statistical"
model and paper B's exploration do. `quality_` says whether the segmentation that they rest on can be trusted; no
model sees it. `FEATURES` says what each one is; the data dictionary is written from it.
"""

import cv2
import numpy as np
import pandas as pd

from leukstudy.imaging.masks import pieces
from leukstudy.imaging.morphology import MORPHOLOGY, colour, shape
from leukstudy.imaging.preprocess import CORNERS, corner_slice
from leukstudy.imaging.quality import QUALITY, cell_labels, judge, main_cell
from leukstudy.imaging.stain import density_table
from leukstudy.imaging.texture import TEXTURE, texture

# The patch in which microscopes' software burns its scale bar, as parts of the image.
CORNER_WIDTH, CORNER_HEIGHT = 0.35, 0.15
_CHANNELS = ("red", "green", "blue")


def _table() -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}
    hsv = (("hue", "degree"), ("saturation", "0-1"), ("value", "0-1"))
    for name, unit in (*((channel, "0-255") for channel in _CHANNELS), *hsv):
        table[f"colour_{name}_mean"] = (unit, f"mean {name} of all pixels of the prepared image")
        table[f"colour_{name}_std"] = (
            unit,
            f"standard deviation of {name} over all pixels of the prepared image",
        )
    for corner in ("bottom-right", *CORNERS[:3]):
        for statistic in ("mean", "std") if corner == "bottom-right" else ("mean",):
            for channel in _CHANNELS:
                table[f"corner_{corner.replace('-', '_')}_{channel}_{statistic}"] = (
                    "0-255",
                    f"{statistic} of {channel} in the {corner} corner of the image as delivered, nothing masked",
                )
    return table


FEATURES: dict[str, tuple[str, str]] = _table() | MORPHOLOGY | TEXTURE | QUALITY
"""Name -> (unit, meaning) of every feature, in the order in which they are written."""


def all_features(
    rgb: np.ndarray, nucleus: np.ndarray, cell: np.ndarray, unmasked: np.ndarray
) -> dict[str, float]:
    """Every feature of an image, in the order of `FEATURES`; `unmasked` is the image as delivered.

    `nucleus` (H, W) bool; `cell` (H, W) bool, or the int32 labels of `label_cells`.
    """
    image = colour_features(rgb) | corner_features(unmasked)
    return image | morphology_features(rgb, nucleus, cell) | judge(rgb, nucleus, cell)


def colour_features(rgb: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of R, G, B (0-255), hue (degrees), saturation and value over all pixels."""
    hsv = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    result = {}
    for planes, names in ((rgb, _CHANNELS), (hsv, ("hue", "saturation", "value"))):
        for index, name in enumerate(names):
            values = planes[:, :, index].astype(float)
            result |= {f"colour_{name}_mean": float(values.mean()), f"colour_{name}_std": float(values.std())}
    return result


def corner_features(rgb: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of R, G, B in the bottom-right corner, and the means in the other three.

    Give the image as delivered: where masks have painted a corner over, these say nothing.
    """
    result = {}
    for corner in ("bottom-right", *CORNERS[:3]):
        patch = rgb[corner_slice(rgb.shape, corner, CORNER_WIDTH, CORNER_HEIGHT)].reshape(-1, 3).astype(float)
        name = corner.replace("-", "_")
        for channel, value in zip(_CHANNELS, patch.mean(axis=0), strict=True):
            result[f"corner_{name}_{channel}_mean"] = float(value)
        if corner == "bottom-right":
            for channel, value in zip(_CHANNELS, patch.std(axis=0), strict=True):
                result[f"corner_{name}_{channel}_std"] = float(value)
    return result


def morphology_features(rgb: np.ndarray, nucleus: np.ndarray, cell: np.ndarray) -> dict[str, float]:
    """Shape, colour and texture of the main white cell: `morph_` and `texture_` features, all finite.

    `nucleus` is a (H, W) bool mask of the whole image; `cell` is another, or the int32 labels of `label_cells`,
    which keep touching cells apart. The main cell is that of `quality.main_cell`. Where there is no nucleus all
    are 0, with `morph_found` 0. Lengths are in pixels; see `in_micrometres`.
    """
    found = {name: 0.0 for name in FEATURES if name.startswith(("morph_", "texture_"))}
    if not nucleus.any():
        return found
    found |= {
        "morph_found": 1.0,
        "morph_nuclei": float(pieces(nucleus)[0] - 1),
        "morph_nuclear_share": float(nucleus.mean()),
    }
    labels = cell_labels(nucleus, cell)
    mine = labels == main_cell(nucleus, labels)
    rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = np.pad(rgb[window], ((1, 1), (1, 1), (0, 0)), mode="edge")
    cell = np.pad(mine[window], 1)
    nucleus = cell & np.pad(nucleus[window], 1)
    density = cv2.LUT(part, density_table(rgb))
    of_cell = shape(nucleus, cell) | colour(part, density, nucleus, cell)
    of_texture = texture(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), nucleus, cell & ~nucleus)
    found |= {f"morph_{name}": float(value) for name, value in of_cell.items()}
    return found | {f"texture_{name}": float(value) for name, value in of_texture.items()}


def in_micrometres(features: pd.DataFrame, pixel_um: float) -> pd.DataFrame:
    """The table with a column in micrometres beside each in pixels: `<name>_um` or, for areas, `<name>_um2`.

    `pixel_um` is the side of a pixel of the prepared image (after its resize), in micrometres. Raises ValueError
    where that is no length.
    """
    if not 0 < pixel_um < 100:
        raise ValueError(f"pixel_um is {pixel_um}; expected micrometres a pixel, such as 0.25")
    added = {}
    for name in features.columns:
        unit = FEATURES[name][0] if name in FEATURES else ""
        if unit in ("pixel", "pixel2"):
            power = 2 if unit == "pixel2" else 1
            added[f"{name}_um{'2' if power == 2 else ''}"] = features[name] * pixel_um**power
    return features.assign(**added)
