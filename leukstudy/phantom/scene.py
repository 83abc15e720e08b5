"""What lies on a piece of the slide: white cells one by one, what surrounds them, and the truth of it all."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from leukstudy.phantom.cell import draw_white_cell
from leukstudy.phantom.cell_types import in_clone, maturing
from leukstudy.phantom.dyes import DYES
from leukstudy.phantom.shapes import canvas, soft

SUPERSAMPLE = 2
FAR = np.float32(-1e6)  # the field of white cells where none is near


@dataclass(frozen=True)
class Thing:
    """One cell of a picture, in picture pixels: its kind, centre and box (x1, y1 exclusive), clipped to the picture.

    `number` is its value in the label images; red cells and platelets have none there, and 0 here.
    """

    number: int
    cell_type: str
    cx: float
    cy: float
    box: tuple[int, int, int, int]


@dataclass
class Scene:
    """A piece of a smear, drawn SUPERSAMPLE times as fine as the picture: (h, w) drawn, (H, W) picture pixels."""

    shape: tuple[int, int]  # (H, W)
    um: float  # drawn pixels a micrometre
    cells_dyes: np.ndarray  # (4, h, w), of white cells and of what lies over them
    around: np.ndarray  # (4, h, w), of what lies beside or under them
    white: np.ndarray  # field (h, w) of all white cells
    cells: np.ndarray  # (H, W) uint16: the number of the white cell, 0 where there is none; nuclei likewise
    nuclei: np.ndarray
    notes: bool = False  # whether red cells and platelets are noted
    discs: list[tuple[float, float, float]] = field(
        default_factory=list
    )  # x, y, radius of white cells, drawn pixels
    things: list[Thing] = field(default_factory=list)


def empty_scene(shape: tuple[int, int], um: float, notes: bool = False) -> Scene:
    """Make a scene with nothing in it."""
    h, w = shape[0] * SUPERSAMPLE, shape[1] * SUPERSAMPLE
    dyes = (len(DYES), h, w)
    labels = [np.zeros(shape, np.uint16) for _ in range(2)]
    cells_dyes, around = (np.zeros(dyes, np.float32) for _ in range(2))
    return Scene(shape, um, cells_dyes, around, np.full((h, w), FAR), *labels, notes)


def draw_radius(cell_type: str, um: float, bias: dict[str, float], rng: np.random.Generator):
    """Draw how far along its maturation a cell of this type is, and its radius in drawn pixels."""
    kind = maturing(cell_type, rng)
    return kind, in_clone(rng, kind.diameter, bias["size"], 7.5, 20.5) * um / 2


def add_white_cell(
    scene: Scene,
    cell_type: str,
    at: tuple[float, float],
    *,
    sized: tuple,
    bias: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Draw a white cell at (x, y) drawn pixels, pressed against the white cells that are there already.

    `sized` is what `draw_radius` gave. Its part outside the scene is lost.
    """
    um = scene.um
    kind, radius = sized
    half = 2 * math.ceil((1.28 * radius + um) / 2)
    # Whole picture pixels, so that truth can be counted at the picture's resolution.
    left, top = (SUPERSAMPLE * math.floor((a - half) / SUPERSAMPLE) for a in at)
    n = 2 * half
    middle = (n - 1) / 2
    h, w = scene.white.shape
    x0, x1, y0, y1 = max(left, 0), min(left + n, w), max(top, 0), min(top + n, h)
    if x0 >= x1 or y0 >= y1:
        return
    here = np.s_[y0:y1, x0:x1]
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    room = None
    if scene.discs:
        room = np.full((n, n), -FAR)
        # Cells that touch share a wall; where they lie a little over each other both are seen.
        room[part] = -scene.white[here] + um * np.float32(rng.uniform(-0.2, 0.5))
    square = canvas(n, um, (at[0] - left - middle, at[1] - top - middle))
    dyes, cell, nucleus = draw_white_cell(kind, square, radius=radius, bias=bias, rng=rng, room=room)
    scene.cells_dyes[:, here[0], here[1]] += dyes[:, part[0], part[1]]
    np.maximum(scene.white[here], cell[part], out=scene.white[here])
    scene.discs.append((*at, radius))
    _label(scene, cell_type, cell[part], nucleus[part], (x0 // SUPERSAMPLE, y0 // SUPERSAMPLE))


def _label(scene, cell_type, cell, nucleus, corner):
    """Enter a cell into the truth: a picture pixel belongs to what covers at least half of it."""
    size = cell.shape[1] // SUPERSAMPLE, cell.shape[0] // SUPERSAMPLE
    inside = ((field > 0).astype(np.float32) for field in (cell, nucleus))
    covers = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) >= 0.5 for part in inside]
    x, y = corner
    here = np.s_[y : y + size[1], x : x + size[0]]
    free = scene.cells[here] == 0
    inside = covers[0] & free
    if not inside.any():
        return
    number = len([thing for thing in scene.things if thing.number]) + 1
    scene.cells[here][inside] = number
    scene.nuclei[here][covers[1] & inside] = number
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    moments = cv2.moments(inside.astype(np.uint8), binaryImage=True)
    box = (x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1)
    centre = x + moments["m10"] / moments["m00"], y + moments["m01"] / moments["m00"]
    scene.things.append(Thing(number, cell_type, *centre, box))


def flatten(scene: Scene) -> np.ndarray:
    """Lay the white cells over their surroundings: the dyes (4, h, w) of the whole scene. Uses up the scene's own."""
    scene.around *= 1 - soft(scene.white, 0.6 * scene.um)
    scene.around += scene.cells_dyes
    scene.cells_dyes = np.empty(0, np.float32)
    return scene.around
