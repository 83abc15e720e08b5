"""Hand-crafted measurements of one image, in four families told apart by the prefix of their names.

`colour_` (12 statistics of all pixels) and `corner_` (what stands in the corners) know nothing of cells: they
are the shortcut baselines. `morph_` and `texture_` measure the main white cell, as paper A's "statistical"
model and paper B's exploration do. `FEATURES` says what each one is; the data dictionary is written from it.
"""

import cv2
import numpy as np
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import perimeter

from leukstudy.imaging.preprocess import CORNERS, corner_slice

# The patch in which microscopes' software burns its scale bar, as parts of the image.
CORNER_WIDTH, CORNER_HEIGHT = 0.35, 0.15
LEVELS = 16
_CHANNELS = ("red", "green", "blue")
_GLCM = ("contrast", "homogeneity", "energy", "correlation")


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
    morphology = {
        "found": ("0 or 1", "whether a nucleus was found; 0 makes every other morph_ and texture_ value 0"),
        "nuclei": ("count", "separate nuclear pieces in the image"),
        "nuclear_share": ("0-1", "part of the image that is nucleus"),
        "nucleus_area": ("pixel2", "area of the main cell's nucleus, all lobes"),
        "cell_area": ("pixel2", "area of the main cell, nucleus and cytoplasm"),
        "nc_ratio": ("0-1", "N:C ratio as nuclear area over cell area"),
        "nucleus_perimeter": ("pixel", "length of the nuclear outline, holes apart"),
        "nucleus_circularity": ("0-1", "4 pi area / perimeter^2 of the nucleus: 1 is a disc"),
        "nucleus_solidity": (
            "0-1",
            "nuclear area over the area of its convex hull: low where lobed or cleft",
        ),
        "nucleus_convexity": (
            "0-1",
            "perimeter of the hull over that of the nucleus: low where the outline is rough",
        ),
        "nucleus_eccentricity": ("0-1", "of the ellipse with the nucleus' second moments: 0 is a circle"),
        "nucleus_fullness": (
            "0-1",
            "largest inscribed radius over the radius of a disc of that area: low where lobed",
        ),
        "nucleus_lobes": ("count", "separate pieces of the main cell's nucleus"),
        "nucleus_offset": (
            "0-1",
            "distance of the nucleus' centre from the cell's, in cell radii, at most 1",
        ),
        "cell_circularity": ("0-1", "4 pi area / perimeter^2 of the cell"),
        "cell_eccentricity": ("0-1", "of the ellipse with the cell's second moments"),
    }
    for part in ("nucleus", "cytoplasm"):
        for channel in _CHANNELS:
            morphology[f"{part}_{channel}"] = ("0-255", f"mean {channel} of the main cell's {part}")
    morphology["contrast"] = (
        "0-255",
        "mean grey of the cytoplasm less that of the nucleus; 0 without cytoplasm",
    )
    table |= {f"morph_{name}": entry for name, entry in morphology.items()}
    for name in _GLCM:
        for step in (1, 3):
            table[f"texture_{name}_{step}"] = (
                "1",
                f"{name} of the nucleus' grey co-occurrence matrix at {step} pixel(s), mean of four directions",
            )
    table["texture_entropy"] = ("bit", "entropy of that matrix at 1 pixel")
    table["texture_nucleus_std"] = (
        "0-255",
        "standard deviation of grey in the nucleus: clumped chromatin is high",
    )
    table["texture_nucleus_fine"] = (
        "0-255",
        "mean absolute Laplacian of grey in the nucleus: fine chromatin grain",
    )
    table["texture_cytoplasm_std"] = (
        "0-255",
        "standard deviation of grey in the cytoplasm: granules are high",
    )
    return table


FEATURES: dict[str, tuple[str, str]] = _table()
"""Name -> (unit, meaning) of every feature, in the order in which they are written."""


def all_features(
    rgb: np.ndarray, nucleus: np.ndarray, cell: np.ndarray, unmasked: np.ndarray
) -> dict[str, float]:
    """Every feature of an image, in the order of `FEATURES`; `unmasked` is the image as delivered."""
    return colour_features(rgb) | corner_features(unmasked) | morphology_features(rgb, nucleus, cell)


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

    `nucleus` and `cell` are (H, W) bool masks of the whole image. The main cell is the one with most nucleus,
    where nucleus counts half as much at the image's corners as at its centre. Where there is no nucleus all
    are 0, with `morph_found` 0. Texture: grey co-occurrence (Haralick et al. 1973) of the nucleus alone, in 16
    levels between its own 2nd and 98th percentile, so that it measures chromatin rather than stain.
    """
    result = {name: 0.0 for name in FEATURES if name.startswith(("morph_", "texture_"))}
    if not nucleus.any():
        return result
    pieces = cv2.connectedComponents(nucleus.astype(np.uint8))[0] - 1
    result |= {
        "morph_found": 1.0,
        "morph_nuclei": float(pieces),
        "morph_nuclear_share": float(nucleus.mean()),
    }
    cell, nucleus, rgb = _main_cell(cell | nucleus, nucleus, rgb)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    cytoplasm = cell & ~nucleus
    shape = _shape(nucleus, cell)
    for part, mask in (("nucleus", nucleus), ("cytoplasm", cytoplasm)):
        if mask.any():
            for channel, value in zip(_CHANNELS, rgb[mask].mean(axis=0), strict=True):
                shape[f"{part}_{channel}"] = value
    if cytoplasm.any():
        shape["contrast"] = grey[cytoplasm].mean() - grey[nucleus].mean()
    result |= {f"morph_{name}": float(value) for name, value in shape.items()}
    texture = _chromatin(grey, nucleus)
    texture["cytoplasm_std"] = grey[cytoplasm].std() if cytoplasm.any() else 0.0
    return result | {f"texture_{name}": float(value) for name, value in texture.items()}


def _main_cell(
    cell: np.ndarray, nucleus: np.ndarray, rgb: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The main cell's mask, its nucleus, and the pixels, cropped to the cell with a border of one pixel."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cell.astype(np.uint8))
    height, width = cell.shape
    rows, columns = np.nonzero(nucleus)
    away = np.hypot((rows + 0.5) / height - 0.5, (columns + 0.5) / width - 0.5) / np.hypot(0.5, 0.5)
    weight = np.bincount(labels[rows, columns], 1 - 0.5 * away, count)
    weight[0] = -1
    main = int(np.argmax(weight))
    x, y, across, down = stats[main, :4]
    window = slice(y, y + down), slice(x, x + across)
    mine = np.pad(labels[window] == main, 1)
    return (
        mine,
        mine & np.pad(nucleus[window], 1),
        np.pad(rgb[window], ((1, 1), (1, 1), (0, 0)), mode="edge"),
    )


def _shape(nucleus: np.ndarray, cell: np.ndarray) -> dict[str, float]:
    area, cell_area = float(nucleus.sum()), float(cell.sum())
    outline, cell_outline = float(perimeter(nucleus)), float(perimeter(cell))
    hull = cv2.convexHull(cv2.findNonZero(nucleus.astype(np.uint8)))
    filled = np.zeros(nucleus.shape, np.uint8)
    cv2.fillConvexPoly(filled, hull, 1)
    inscribed = cv2.distanceTransform(nucleus.astype(np.uint8), cv2.DIST_L2, 5).max()
    centre, eccentricity = _moments(nucleus)
    cell_centre, cell_eccentricity = _moments(cell)
    offset = np.hypot(*(centre - cell_centre)) / np.sqrt(cell_area / np.pi)
    return {
        "nucleus_area": area,
        "cell_area": cell_area,
        "nc_ratio": area / cell_area,
        "nucleus_perimeter": outline,
        "nucleus_circularity": _circularity(area, outline),
        "nucleus_solidity": area / max(float(filled.sum()), area),
        "nucleus_convexity": min(1.0, float(perimeter(filled)) / outline) if outline else 1.0,
        "nucleus_eccentricity": eccentricity,
        "nucleus_fullness": min(1.0, float(inscribed) / np.sqrt(area / np.pi)),
        "nucleus_lobes": float(cv2.connectedComponents(nucleus.astype(np.uint8))[0] - 1),
        "nucleus_offset": min(1.0, float(offset)),
        "cell_circularity": _circularity(cell_area, cell_outline),
        "cell_eccentricity": cell_eccentricity,
    }


def _circularity(area: float, outline: float) -> float:
    # A few pixels have less outline than the circle of their area.
    return min(1.0, 4 * np.pi * area / outline**2) if outline else 1.0


def _moments(mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (row, column) and eccentricity of the ellipse with the mask's second moments."""
    points = np.argwhere(mask).astype(float)
    centre = points.mean(axis=0)
    # A pixel is a square, with a second moment of its own: a single one is no line.
    small, large = np.linalg.eigvalsh(np.cov(points.T, bias=True) + np.eye(2) / 12)
    return centre, float(np.sqrt(max(0.0, 1 - small / large)))


def _chromatin(grey: np.ndarray, nucleus: np.ndarray) -> dict[str, float]:
    values = grey[nucleus]
    low, high = np.percentile(values, (2, 98))
    # Level 0 is everything that is no nucleus; pairs with it are dropped from the matrix.
    scaled = np.clip((grey - low) / max(float(high - low), 1.0), 0, 1 - 1e-6)
    levels = np.where(nucleus, 1 + (scaled * LEVELS).astype(np.uint8), 0).astype(np.uint8)
    turns = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    pairs = graycomatrix(levels, [1, 3], turns, levels=LEVELS + 1, symmetric=True)[1:, 1:].astype(float)
    pairs = pairs.sum(axis=3, keepdims=True)
    pairs /= np.maximum(pairs.sum(axis=(0, 1), keepdims=True), 1)
    result = {}
    for name in _GLCM:
        for step, value in zip((1, 3), graycoprops(pairs, name)[:, 0], strict=True):
            result[f"{name}_{step}"] = value
    share = pairs[:, :, 0, 0]
    result["entropy"] = -(share[share > 0] * np.log2(share[share > 0])).sum() + 0.0
    result["nucleus_std"] = values.std()
    result["nucleus_fine"] = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[nucleus].mean()
    return result
