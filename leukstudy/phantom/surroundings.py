"""What lies around the white cells: red cells and platelets, as amounts of dye."""

import math

import numpy as np

from leukstudy.phantom import noise, shapes
from leukstudy.phantom.dyes import AZURE, EOSIN, HAEMOGLOBIN, VIOLET
from leukstudy.phantom.scene import SUPERSAMPLE, Scene, Thing

RED_CELL_UM = 7.6  # mean diameter of a red cell on a dried smear
PLATELETS = 0.0016  # mean number a um^2: about one to 18 red cells
PRECIPITATE = 0.00013  # mean number of scraps of stain precipitate a um^2
LAPPING = 0.08  # probability that a red cell lies over a white cell's margin, a white cell


def draw_surroundings(scene: Scene, crowding: float, debris: float, rng: np.random.Generator) -> None:
    """Draw red cells, platelets and stain precipitate around the white cells of a scene.

    `crowding` scales the number of red cells, `debris` that of scraps of precipitate. Red cells and platelets are
    entered into the scene's things.
    """
    h, w = scene.white.shape
    um = scene.um
    area = h * w / um**2
    style = _Style(rng)
    placed = np.empty((0, 3))
    for _ in range(int(rng.poisson(1.25 * area / (math.pi / 4 * RED_CELL_UM**2) * crowding))):
        radius = style.radius(rng) * um
        at = _place(scene, radius, placed, rng)
        if at is not None:
            placed = np.vstack([placed, [*at, radius]])
            _red_cell(scene, scene.around, placed[-1], style, rng)
    for x, y, reach in scene.discs:
        if rng.random() < LAPPING:
            radius, a = style.radius(rng) * um, rng.uniform(0, 2 * math.pi)
            away = reach + radius * rng.uniform(0.1, 0.7)
            at = np.array([x + away * math.cos(a), y + away * math.sin(a), radius])
            _red_cell(scene, scene.cells_dyes, at, style, rng)
    for _ in range(int(rng.poisson(PLATELETS * area))):
        _platelet(scene, rng)
    for _ in range(int(rng.poisson(PRECIPITATE * area * debris))):
        _precipitate(scene, rng)


class _Style:
    """How the red cells of one field look: alike in size, pallor and crenation, for they dried together."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.size = RED_CELL_UM * math.exp(rng.normal(0, 0.035))
        self.spread = min(abs(rng.normal(0.55, 0.25)), 1.2)  # anisocytosis
        self.oval = abs(rng.normal(0.05, 0.04))  # poikilocytosis
        self.pallor = min(max(rng.normal(0.8, 0.22), 0.1), 1.25)
        self.ring = max(0.0, rng.normal(0.15, 0.3))  # how sharply the pallor ends
        self.crenated = rng.random() < 0.08

    def radius(self, rng: np.random.Generator) -> float:
        return min(max(rng.normal(self.size, self.spread), 5.2), 9.8) / 2


def _place(scene, radius, placed, rng):
    """Find a place for a red cell: pushed aside by white cells, seldom deep over a neighbour."""
    h, w = scene.white.shape
    for _ in range(6):
        px, py = (rng.uniform(-0.8 * radius, a + 0.8 * radius) for a in (w, h))
        if _in_white_cell(scene, px, py) > -0.93 * radius:
            continue
        near = 9.0
        if len(placed):
            gaps = np.hypot(placed[:, 0] - px, placed[:, 1] - py) / (placed[:, 2] + radius)
            near = float(gaps.min())
        if near > 0.97 or rng.random() < 0.12 * max(0.0, near - 0.3):
            return px, py
    return None


def _in_white_cell(scene, px, py):
    """Give the depth, px, of a point in the nearest white cell; negative outside, and by the cell's disc far away."""
    h, w = scene.white.shape
    ix, iy = int(px), int(py)
    if 0 <= px < w and 0 <= py < h and scene.white[iy, ix] > -scene.um * 50:
        return scene.white[iy, ix]
    return max((r - math.hypot(x - px, y - py) for x, y, r in scene.discs), default=-1e9)


def _window(shape, at, reach):
    """Give the rows, columns, x and y of the part of the scene within `reach` of `at`; None where empty."""
    h, w = shape
    x0, x1 = max(0, int(at[0] - reach)), min(w, int(at[0] + reach) + 1)
    y0, y1 = max(0, int(at[1] - reach)), min(h, int(at[1] + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    x = np.arange(x0, x1, dtype=np.float32) - np.float32(at[0])
    y = np.arange(y0, y1, dtype=np.float32) - np.float32(at[1])
    return slice(y0, y1), slice(x0, x1), *np.meshgrid(x, y)


def _red_cell(scene, dyes, at, style, rng):
    """Add a biconcave disc: the thickness profile of Evans and Fung (1972), flattened by drying."""
    radius = float(at[2])
    table = shapes.outline(rng, radius, elongation=abs(rng.normal(0.0, style.oval)), rough=0.025)
    if style.crenated:
        table *= _spikes(table.size, rng)
    strength = style.pallor * rng.uniform(0.75, 1.15)
    dx, dy = rng.normal(0, 0.06 * radius, 2).tolist()  # the dimple lies a little off the middle
    density = math.exp(rng.normal(0, 0.08))
    window = _window(scene.white.shape, at, 1.35 * radius)
    if window is None:
        return
    if scene.notes:
        _note(scene, "red_cell", at, table)
    rows, columns, x, y = window
    rho, edge = shapes.radial(x, y, table)
    cover = shapes.soft(edge - rho, 0.1 * radius)
    u2 = np.minimum((np.square(x - dx) + np.square(y - dy)) / np.square(edge), 1)
    biconcave = np.sqrt(1 - 0.97 * u2) * (0.81 + 7.83 * u2 - 4.39 * u2 * u2) * (1 / 2.45)
    if style.ring:
        # Some cells dry with a pallor that ends in a step.
        biconcave -= style.ring * (shapes.soft(0.22 - u2, 0.12) - 0.1)
    thickness = np.maximum(0.9 + strength * (biconcave - 0.9), 0.12)
    dyes[HAEMOGLOBIN, rows, columns] += density * cover * thickness


def _note(scene, cell_type, at, table):
    """Enter a red cell or platelet into the things: the box of its outline, where some of it is in the picture."""
    h, w = scene.shape
    turn = np.arange(table.size) * (2 * math.pi / table.size)
    cx, cy = float(at[0]), float(at[1])
    x, y = (cx + table * np.cos(turn)) / SUPERSAMPLE, (cy + table * np.sin(turn)) / SUPERSAMPLE
    x0, x1 = max(0, math.floor(x.min())), min(w, math.ceil(x.max()))
    y0, y1 = max(0, math.floor(y.min())), min(h, math.ceil(y.max()))
    if x0 < x1 and y0 < y1:
        scene.things.append(Thing(0, cell_type, cx / SUPERSAMPLE, cy / SUPERSAMPLE, (x0, y0, x1, y1)))


def _spikes(size, rng):
    """Give the factor, by angle, that makes an echinocyte of a disc: uneven, blunt, irregularly spaced."""
    theta = np.linspace(0, 2 * math.pi, size, endpoint=False)
    count = int(rng.integers(9, 16))
    wander = 0.5 * np.cos(2 * theta + rng.uniform(0, 6.3)) + 0.4 * np.cos(3 * theta + rng.uniform(0, 6.3))
    height = 0.045 * (1 + 0.6 * np.cos(theta * int(rng.integers(1, 4)) + rng.uniform(0, 6.3)))
    return (1 + height * np.cos(count * theta + wander + rng.uniform(0, 6.3))).astype(np.float32)


def _platelet(scene, rng):
    """Add a platelet: a pale blue scrap 1.6-3.4 um across with violet grain in its middle."""
    h, w = scene.white.shape
    um = scene.um
    radius = um * rng.uniform(0.8, 1.7)
    for _ in range(3):
        at = rng.uniform(0, 1, 2) * (w, h)
        if _in_white_cell(scene, float(at[0]), float(at[1])) > -1.3 * radius:
            continue
        # They lie between the red cells, seldom on one.
        if scene.around[HAEMOGLOBIN, int(at[1]), int(at[0])] < 0.1 or rng.random() < 0.15:
            break
    else:
        return
    rows, columns, x, y = _window((h, w), at, 1.8 * radius)
    table = shapes.outline(rng, radius, elongation=rng.uniform(0.0, 0.2), rough=0.09)
    body = shapes.soft(shapes.blob(x, y, table), 0.7 * um)
    grain = (1 + 0.4 * noise.noise(rng, max(body.shape), 0.3 * um)).clip(0.3, 2.0)
    core = np.exp(-(x * x + y * y) * (1 / (0.7 * radius) ** 2))
    strength = rng.uniform(0.5, 1.1)
    scene.around[AZURE, rows, columns] += 0.18 * body
    grain = grain[: body.shape[0], : body.shape[1]]
    scene.around[VIOLET, rows, columns] += strength * body * grain * (0.14 + 0.28 * core)
    if scene.notes:
        _note(scene, "platelet", at, table)


def _precipitate(scene, rng):
    """Add a scrap of stain precipitate: dark violet grains of 0.3-0.8 um, strewn over 1-5 um, over whatever is there."""
    h, w = scene.white.shape
    um = scene.um
    at = rng.uniform(0, 1, 2) * (w, h)
    reach = um * rng.uniform(0.4, 2.2)
    rows, columns, x, y = _window((h, w), at, 2 * reach + um)
    spots = np.zeros(x.shape, np.float32)
    for dx, dy in rng.normal(0, 0.6 * reach, (int(rng.integers(4, 24)), 2)).tolist():
        r = um * 0.14 * math.exp(abs(rng.normal(0, 0.6)))
        spots += shapes.soft(r - np.hypot(x - dx, y - dy), 0.3 * um) * rng.uniform(0.2, 1.2)
    spots = np.minimum(spots, 1.6)
    scene.cells_dyes[VIOLET, rows, columns] += 0.8 * spots
    scene.cells_dyes[EOSIN, rows, columns] += 0.3 * spots
    scene.cells_dyes[AZURE, rows, columns] += 0.4 * spots
