"""What lies around the white cell: red cells and platelets, as amounts of dye."""

import math

import numpy as np

from leukstudy.data.phantom import shapes, texture
from leukstudy.data.phantom.dyes import AZURE, DYES, HAEMOGLOBIN, VIOLET

RED_CELL_UM = 7.6  # mean diameter of a red cell on a dried smear
PLATELETS = 0.9  # mean number a field


def draw_surroundings(cell: np.ndarray, um: float, crowding: float, rng: np.random.Generator) -> np.ndarray:
    """Draw red cells and platelets around a white cell.

    `cell` is the field (n, n) of the white cell in pixels, `um` pixels a micrometre, `crowding` scales the
    number of red cells. Returns dyes (4, n, n) float32, already hidden where the white cell lies on top.
    """
    n = cell.shape[0]
    dyes = np.zeros((len(DYES), n, n), np.float32)
    crenated = rng.random() < 0.08
    pallor = min(max(rng.normal(0.8, 0.2), 0.15), 1.2)
    room = (n / um) ** 2 / (math.pi / 4 * RED_CELL_UM**2)
    placed = np.empty((0, 3))
    for _ in range(int(rng.poisson(1.25 * room * crowding))):
        radius = min(max(rng.normal(RED_CELL_UM, 0.55), 5.6), 9.5) / 2 * um
        at = _place(cell, radius, placed, rng)
        if at is not None:
            placed = np.vstack([placed, [*at, radius]])
            table = shapes.outline(rng, radius, elongation=abs(rng.normal(0.0, 0.055)), rough=0.02)
            if crenated:
                table *= _spikes(table.size, rng)
            _red_cell(dyes[HAEMOGLOBIN], placed[-1], table, pallor * rng.uniform(0.75, 1.15), rng)
    for _ in range(int(rng.poisson(PLATELETS))):
        _platelet(dyes, cell, um, rng)
    dyes *= 1 - shapes.soft(cell, 0.6 * um)
    return dyes


def _place(cell, radius, placed, rng):
    """Find a place for a red cell: pushed aside by the white cell, seldom deep over a neighbour."""
    n = cell.shape[0]
    for _ in range(6):
        px, py = rng.uniform(-0.8 * radius, n + 0.8 * radius, 2).tolist()
        ix, iy = min(max(int(px), 0), n - 1), min(max(int(py), 0), n - 1)
        off_canvas = math.hypot(px - ix, py - iy)
        if off_canvas - cell[iy, ix] < 0.93 * radius:
            continue
        near = 9.0
        if len(placed):
            gaps = np.hypot(placed[:, 0] - px, placed[:, 1] - py) / (placed[:, 2] + radius)
            near = float(gaps.min())
        if near > 0.97 or rng.random() < 0.12 * max(0.0, near - 0.3):
            return px, py
    return None


def _window(n, at, reach):
    """Give the rows, columns, x and y of the part of the canvas within `reach` of `at`; None where empty."""
    x0, x1 = max(0, int(at[0] - reach)), min(n, int(at[0] + reach) + 1)
    y0, y1 = max(0, int(at[1] - reach)), min(n, int(at[1] + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    x = np.arange(x0, x1, dtype=np.float32) - np.float32(at[0])
    y = np.arange(y0, y1, dtype=np.float32) - np.float32(at[1])
    return slice(y0, y1), slice(x0, x1), *np.meshgrid(x, y)


def _red_cell(haemoglobin, at, table, strength, rng):
    """Add a biconcave disc: the thickness profile of Evans and Fung (1972), flattened by drying."""
    radius = float(at[2])
    window = _window(haemoglobin.shape[0], at, 1.35 * radius)
    dx, dy = rng.normal(0, 0.06 * radius, 2).tolist()  # the dimple lies a little off the middle
    density = math.exp(rng.normal(0, 0.08))
    if window is None:
        return
    rows, columns, x, y = window
    rho, edge = shapes.radial(x, y, table)
    cover = shapes.soft(edge - rho, 0.1 * radius)
    u2 = np.minimum((np.square(x - dx) + np.square(y - dy)) / np.square(edge), 1)
    biconcave = np.sqrt(1 - 0.97 * u2) * (0.81 + 7.83 * u2 - 4.39 * u2 * u2) * (1 / 2.45)
    thickness = np.maximum(0.9 + strength * (biconcave - 0.9), 0.12)
    haemoglobin[rows, columns] += density * cover * thickness


def _spikes(size, rng):
    """Give the factor, by angle, that makes an echinocyte of a disc: uneven, blunt, irregularly spaced."""
    theta = np.linspace(0, 2 * math.pi, size, endpoint=False)
    count = int(rng.integers(9, 16))
    wander = 0.5 * np.cos(2 * theta + rng.uniform(0, 6.3)) + 0.4 * np.cos(3 * theta + rng.uniform(0, 6.3))
    height = 0.045 * (1 + 0.6 * np.cos(theta * int(rng.integers(1, 4)) + rng.uniform(0, 6.3)))
    return (1 + height * np.cos(count * theta + wander + rng.uniform(0, 6.3))).astype(np.float32)


def _platelet(dyes, cell, um, rng):
    """Add a platelet: a pale blue scrap 1.6-3.4 um across with violet grain in its middle."""
    n = cell.shape[0]
    at = rng.uniform(0, n, 2)
    radius = um * rng.uniform(0.8, 1.7)
    if cell[int(at[1]), int(at[0])] > -1.3 * radius:
        return
    rows, columns, x, y = _window(n, at, 1.8 * radius)
    table = shapes.outline(rng, radius, elongation=rng.uniform(0.0, 0.2), rough=0.09)
    body = shapes.soft(shapes.blob(x, y, table), 0.7 * um)
    grain = (1 + 0.4 * texture.noise(rng, max(body.shape), 0.3 * um)).clip(0.3, 2.0)
    core = np.exp(-(x * x + y * y) * (1 / (0.7 * radius) ** 2))
    strength = rng.uniform(0.5, 1.1)
    dyes[AZURE, rows, columns] += 0.18 * body
    dyes[VIOLET, rows, columns] += (
        strength * body * grain[: body.shape[0], : body.shape[1]] * (0.14 + 0.28 * core)
    )
