"""Outlines as fields: positive inside, negative outside, about the distance to the edge in pixels.

A field rather than a polygon makes soft edges, nested outlines, notches and thickness profiles one
expression each, and no outline is ever a line somebody drew.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from leukstudy.phantom.noise import noise

_ANGLES = 512
_K = np.arange(2, 10)
_COS, _SIN = (f(np.outer(_K, np.arange(_ANGLES) * (2 * math.pi / _ANGLES))) for f in (np.cos, np.sin))


@dataclass(frozen=True)
class Canvas:
    """A square of n x n pixels, `um` of them to a micrometre; x and y are (n, n) float32 about `centre`.

    `centre` is (x, y) in pixels from the middle of the square.
    """

    n: int
    um: float
    x: np.ndarray
    y: np.ndarray


def canvas(n: int, um: float, centre: tuple[float, float] = (0.0, 0.0)) -> Canvas:
    """Make a canvas whose origin is `centre`, in pixels from the middle of the square."""
    axis = np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)
    x, y = np.meshgrid(axis - np.float32(centre[0]), axis - np.float32(centre[1]))
    return Canvas(n, um, x, y)


def outline(
    rng: np.random.Generator, radius: float, *, elongation: float = 0.1, rough: float = 0.03
) -> np.ndarray:
    """Give a random smooth closed outline as radii by angle, (512,) float32, enclosing pi * radius**2.

    A Fourier series whose amplitudes fall with the harmonic: `elongation` is the amplitude of the second
    harmonic, `rough` the scale of the third to ninth, both relative to the radius.
    """
    amplitude = rough * rng.standard_normal(_K.size) * (3.0 / _K) ** 1.1
    amplitude[0] = elongation
    phase = rng.uniform(0, 2 * math.pi, _K.size)
    shape = 1.0 + (amplitude * np.cos(phase)) @ _COS - (amplitude * np.sin(phase)) @ _SIN
    shape = shape.clip(0.5, 1.6)
    return (radius * shape / math.sqrt(float(np.mean(shape**2)))).astype(np.float32)


def radial(x: np.ndarray, y: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give (distance from the origin, radius of the outline `table` in that direction), shaped as x and y."""
    rho, theta = cv2.cartToPolar(x, y)
    index = (theta * np.float32(_ANGLES / (2 * math.pi))).astype(np.int32)
    return rho, table.take(index, mode="wrap")


def blob(x: np.ndarray, y: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Give the field of the outline `table` about the origin of x and y."""
    rho, edge = radial(x, y, table)
    return edge - rho


def chain(n: int, points: np.ndarray, radii: np.ndarray, round_px: float) -> np.ndarray:
    """Give the field (n, n) float32 of the union of discs at points (k, 2) with radii (k,), joints rounded.

    Bent, kidney-shaped and lobed nuclei are such chains. `points` count from the middle of the square. Drawn
    at half the resolution, for the field is smooth, then enlarged.
    """
    m = n // 2
    axis = (np.arange(m, dtype=np.float32) + np.float32(0.5)) * np.float32(n / m) - np.float32(n / 2)
    field = np.full((m, m), -1e6, np.float32)
    for (px, py), radius in zip(points.astype(np.float32), radii.astype(np.float32), strict=True):
        distance = np.sqrt(np.square(axis - px)[None, :] + np.square(axis - py)[:, None])
        np.maximum(field, radius - distance, out=field)
    field = cv2.GaussianBlur(field, (0, 0), max(0.6, round_px / 2))
    return cv2.resize(field, (n, n), interpolation=cv2.INTER_LINEAR)


def arc(rng: np.random.Generator, length: float, bend: float, k: int) -> np.ndarray:
    """Give k points (k, 2) of a gently wavering arc about the origin; `bend` is its turn in radians."""
    s = np.linspace(-0.5, 0.5, k)
    heading = bend * s + 0.35 * rng.standard_normal() * np.sin(2 * math.pi * s) + rng.uniform(0, 2 * math.pi)
    step = length / max(1, k - 1)
    points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * step, axis=0)
    return points - points.mean(axis=0)


def lobes(
    rng: np.random.Generator, count: int, area: float, reach: float, um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give a segmented nucleus as a chain: `count` lobes bent around the cell's middle, joined by filaments.

    Lobe areas are uneven and sum to about `area` (px^2); no lobe goes beyond `reach` (px) from the origin.
    Returns points (k, 2) and radii (k,).
    """
    # Of a lobe along the chain, as a share of its radius to either side.
    stretch = rng.uniform(0.05, 0.8, count)
    size = np.sqrt(rng.dirichlet(np.full(count, 9.0)) * area / (math.pi + 4 * stretch))
    orbit = np.maximum(reach - size, 0.3 * size) * rng.uniform(0.7, 1.0, count)
    gap = rng.uniform(-0.2, 0.9, count - 1) * um
    half = size * (1 + stretch)
    turn = (half[:-1] + half[1:] + gap) / np.maximum(0.5 * (orbit[:-1] + orbit[1:]), 0.5 * um)
    # A ring that closes on itself, or two lobes that lie beyond opposite, would fold back.
    turn *= min(1.0, (2.9 if count == 2 else 5.3) / float(turn.sum()))
    angle = rng.uniform(0, 2 * math.pi) + np.concatenate([[0.0], np.cumsum(turn)])
    angles, orbits, radii = [], [], []
    for i in range(count):
        spread = stretch[i] * size[i] / max(orbit[i], um)
        thick = rng.uniform(0.8, 1.0, 3)
        for side, share in zip((-1.0, 0.0, 1.0), thick.tolist(), strict=True):
            angles.append(angle[i] + side * spread)
            orbits.append(orbit[i] * (1 + 0.06 * (share - 0.9)))
            radii.append(size[i] * share)
        if i + 1 < count:
            for part in (0.3, 0.4, 0.5, 0.6, 0.7):
                angles.append(angle[i] + part * turn[i])
                orbits.append(orbit[i] + part * (orbit[i + 1] - orbit[i]))
                radii.append(um * rng.uniform(0.3, 0.55))
    return np.stack([orbits * np.cos(angles), orbits * np.sin(angles)], axis=1), np.array(radii)


def fit_within(points: np.ndarray, radii: np.ndarray, reach: float) -> np.ndarray:
    """Centre a chain and fold it together until no disc goes beyond `reach` from the origin."""
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    far = float(np.hypot(points[:, 0], points[:, 1]).max())
    room = max(0.3 * far, reach - float(radii.max()))
    return points * min(1.0, room / max(far, 1e-6))


def fit_area(field: np.ndarray, area: float) -> np.ndarray:
    """Shift a field so that it encloses `area` pixels: grows or shrinks the outline evenly."""
    rank = field.size - min(max(round(area), 1), field.size - 1)
    return field - np.partition(field.ravel(), rank)[rank]


def notch(
    field: np.ndarray, x: np.ndarray, y: np.ndarray, *, angle: float, depth: float, width: float
) -> np.ndarray:
    """Cut a cleft into a field from the direction `angle`, as in cleaved blasts; lengths in px."""
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    ramp = soft(along - 0.8 * depth, 1.2 * depth)
    return field - depth * ramp * np.exp(-np.square(across / width))


def roughen(rng: np.random.Generator, field: np.ndarray, grain: float, amount: float) -> np.ndarray:
    """Move an outline in and out by smooth noise of the given grain and amount (px)."""
    return field + amount * noise(rng, field.shape[0], grain)


def soft(field: np.ndarray, width: float) -> np.ndarray:
    """Turn a field into coverage, 0 to 1 float32, its edge spread over about `width` pixels."""
    t = (field * np.float32(1 / width) + np.float32(0.5)).clip(0, 1)
    return t * t * (3 - 2 * t)
