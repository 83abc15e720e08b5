"""Hand-crafted measurements of one image, in five families told apart by the prefix of their names.

`colour_` (12 statistics of all pixels) and `corner_` (what stands in the corners) know nothing of cells: they
are the shortcut baselines. `morph_` and `texture_` measure the main white cell, as paper A's "statistical"
model and paper B's exploration do. `quality_` says whether the segmentation that they rest on can be trusted; no
model sees it. `dictionary.FEATURES` says what each one is.
"""

import cv2
import numpy as np

from leukstudy.imaging.dictionary import FEATURES
from leukstudy.imaging.masks import pieces
from leukstudy.imaging.morphology import colour, shape
from leukstudy.imaging.preprocess import corner_slice
from leukstudy.imaging.quality import cell_labels, judge, main_cell
from leukstudy.imaging.stain import density_table
from leukstudy.imaging.texture import texture
from leukstudy.study.methods import CORNERS

# The patch in which microscopes' software burns its scale bar, as parts of the image.
CORNER_WIDTH, CORNER_HEIGHT = 0.35, 0.15
_CHANNELS = ("red", "green", "blue")


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
    for corner in CORNERS:
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
    are 0, with `morph_found` 0. Lengths are in pixels of the prepared image.
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
