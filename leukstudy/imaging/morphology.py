"""Shape, size and colour of the main white cell: the `morph_` features."""

import cv2
import numpy as np
from skimage.measure import perimeter

from leukstudy.imaging.masks import pieces
from leukstudy.imaging.stain import AZURE_EOSIN, unmixing

_COLOURS = ("red", "green", "blue", "hue", "saturation", "value", "lightness", "a", "b", "azure", "eosin")
# Points at which an outline is read, and the harmonics of them that make up its shape.
_POINTS, _HARMONICS = 128, 20


def shape(nucleus: np.ndarray, cell: np.ndarray) -> dict[str, float]:
    """Size and shape of one nucleus and its cell, two (H, W) bool masks, neither empty; names without `morph_`.

    Perimeter: Benkrid and Crookes 2000 (scikit-image). Clefts: convexity defects. Bending energy: Young et al.
    1974, on the outline rebuilt from 20 Fourier harmonics (Zahn and Roskies 1972), so that pixels do not bend it.
    """
    area, cell_area = float(nucleus.sum()), float(cell.sum())
    outline, cell_outline = float(perimeter(nucleus)), float(perimeter(cell))
    hull, cell_hull = _hull(nucleus), _hull(cell)
    inscribed = cv2.distanceTransform(nucleus.astype(np.uint8), cv2.DIST_L2, 5).max()
    centre, eccentricity = _moments(nucleus)
    cell_centre, cell_eccentricity = _moments(cell)
    offset = np.hypot(*(centre - cell_centre)) / np.sqrt(cell_area / np.pi)
    found = {
        "nucleus_area": area,
        "cell_area": cell_area,
        "nc_ratio": area / cell_area,
        "nucleus_perimeter": outline,
        "nucleus_circularity": _circularity(area, outline),
        "nucleus_solidity": area / max(float(hull.sum()), area),
        "nucleus_convexity": min(1.0, float(perimeter(hull)) / outline) if outline else 1.0,
        "nucleus_eccentricity": eccentricity,
        "nucleus_fullness": min(1.0, float(inscribed) / np.sqrt(area / np.pi)),
        "nucleus_lobes": float(pieces(nucleus)[0] - 1),
        "nucleus_offset": min(1.0, float(offset)),
        "cell_circularity": _circularity(cell_area, cell_outline),
        "cell_eccentricity": cell_eccentricity,
        "cell_perimeter": cell_outline,
        "cell_solidity": cell_area / max(float(cell_hull.sum()), cell_area),
    }
    return found | _outline(nucleus)


def colour(rgb: np.ndarray, density: np.ndarray, nucleus: np.ndarray, cell: np.ndarray) -> dict[str, float]:
    """Mean colours and dyes of nucleus and cytoplasm; (H, W, 3) uint8 RGB and the optical density of it, float32.

    Dyes by colour deconvolution (Ruifrok and Johnston 2001). The mean of hue is that of the angle.
    """
    cytoplasm = cell & ~nucleus
    mixing = unmixing(AZURE_EOSIN)
    found, lightness = {}, {}
    for part, mask in (("nucleus", nucleus), ("cytoplasm", cytoplasm)):
        if not mask.any():
            continue
        pixels = rgb[mask][None]
        whole = pixels.astype(np.float32) / 255
        hsv, lab = (cv2.cvtColor(whole, how)[0] for how in (cv2.COLOR_RGB2HSV, cv2.COLOR_RGB2LAB))
        dyes = np.maximum(density[mask] @ mixing.T, 0)
        hues = np.radians(hsv[:, 0].astype(float))
        hue = np.degrees(np.arctan2(np.sin(hues).mean(), np.cos(hues).mean())) % 360
        means = [*pixels[0].mean(axis=0), float(hue), *hsv[:, 1:].mean(axis=0), *lab.mean(axis=0)]
        means += list(dyes.mean(axis=0))
        lightness[part] = lab[:, 0]
        found |= {f"{part}_{name}": value for name, value in zip(_COLOURS, means, strict=True)}
    if cytoplasm.any():
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        found["contrast"] = grey[cytoplasm].mean() - grey[nucleus].mean()
        azure, eosin = found["cytoplasm_azure"], found["cytoplasm_eosin"]
        found["cytoplasm_basophilia"] = azure / max(azure + eosin, 1e-6)
    found["nucleus_lightness_std"] = lightness["nucleus"].std()
    return found


def _outline(nucleus: np.ndarray) -> dict[str, float]:
    """Clefts, bending and roughness of the largest piece's outline."""
    found = {
        "nucleus_clefts": 0.0,
        "nucleus_cleft_depth": 0.0,
        "nucleus_bending": 1.0,
        "nucleus_roughness": 0.0,
    }
    contours = cv2.findContours(nucleus.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    contour = max(contours, key=cv2.contourArea)
    radius = np.sqrt(max(cv2.contourArea(contour), 1.0) / np.pi)
    if len(contour) < 12:
        return found
    turns = cv2.convexHull(contour, returnPoints=False)
    # Indices must fall or rise; on outlines that touch themselves OpenCV's hull does neither.
    turns = np.sort(turns, axis=0)[::-1]
    defects = cv2.convexityDefects(contour, turns) if len(turns) > 3 else None
    if defects is not None:
        depth = defects.reshape(-1, 4)[:, 3] / 256 / radius
        found["nucleus_clefts"] = float((depth > 0.1).sum())
        found["nucleus_cleft_depth"] = float(depth.max())
    z = _evenly(contour.reshape(-1, 2).astype(float) @ (1, 1j))
    terms = np.fft.fft(z) / len(z)
    order = np.fft.fftfreq(len(z), 1 / len(z))
    first = max(abs(terms[1]), abs(terms[-1]))
    shape_terms = (np.abs(order) >= 2) & (np.abs(order) <= _HARMONICS)
    found["nucleus_roughness"] = float(np.sqrt((np.abs(terms[shape_terms]) ** 2).sum()) / max(first, 1e-6))
    # Bending energy from harmonics: smooth, and free of the pixels' corners.
    kept = np.where((np.abs(order) <= _HARMONICS) & (order != 0), terms, 0) * len(z)
    step, bend = np.fft.ifft(1j * order * kept), np.fft.ifft(-(order**2) * kept)
    speed = np.maximum(np.abs(step), 0.05 * radius)
    curvature = (step.conj() * bend).imag / speed**3
    found["nucleus_bending"] = float((curvature**2 * speed).sum() / speed.sum() * radius**2)
    return found


def _evenly(z: np.ndarray) -> np.ndarray:
    """A closed outline, complex, read at points of equal distance along it."""
    closed = np.append(z, z[0])
    along = np.concatenate([[0], np.cumsum(np.abs(np.diff(closed)))])
    at = np.linspace(0, along[-1], _POINTS, endpoint=False)
    return np.interp(at, along, closed.real) + 1j * np.interp(at, along, closed.imag)


def _hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of all pixels, filled, (H, W) uint8."""
    filled = np.zeros(mask.shape, np.uint8)
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    cv2.fillConvexPoly(filled, cv2.convexHull(np.concatenate(contours)), 1)
    return filled


def _circularity(area: float, outline: float) -> float:
    # A few pixels have less outline than the circle of their area.
    return min(1.0, 4 * np.pi * area / outline**2) if outline else 1.0


def _moments(mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (row, column) and eccentricity of the ellipse with the mask's second moments."""
    rows, columns = np.nonzero(mask)
    centre = np.array([rows.mean(), columns.mean()])
    rows, columns = rows - centre[0], columns - centre[1]
    across = (rows * columns).mean()
    # A pixel is a square, with a second moment of its own: a single one is no line.
    moments = (
        np.array([[(rows * rows).mean(), across], [across, (columns * columns).mean()]]) + np.eye(2) / 12
    )
    small, large = np.linalg.eigvalsh(moments)
    return centre, float(np.sqrt(max(0.0, 1 - small / large)))
