"""One white cell: its outline, nucleus, cytoplasm and granules, as amounts of dye."""

import math

import numpy as np

from leukstudy.phantom import noise, shapes
from leukstudy.phantom import nucleus as nuclei
from leukstudy.phantom.cell_types import CellType, in_clone, normal_within
from leukstudy.phantom.dyes import AZURE, DYES, EOSIN, HAEMOGLOBIN, VIOLET
from leukstudy.phantom.shapes import Canvas


def draw_white_cell(
    kind: CellType,
    canvas: Canvas,
    *,
    radius: float,
    bias: dict[str, float],
    rng: np.random.Generator,
    room: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one white cell of mean `radius` px about the origin of the canvas.

    `bias` moves its traits (`patients.TRAITS`) by half of so many SDs, for cells of one clone resemble each
    other. `room`, a field (n, n), is positive where other white cells leave room: the cell is pressed flat against
    them. Returns the dyes (4, n, n) float32, and the fields (n, n) of the cell and of its nucleus: positive
    inside, px.
    """
    um = canvas.um
    fraction = in_clone(rng, kind.nuclear_fraction, bias["nuclear_fraction"], 0.25, 0.94)
    cell = _outline(kind, canvas, radius, rng)
    area = fraction * float(np.count_nonzero(cell > 0))
    angle = rng.uniform(0, 2 * math.pi)  # the side of the cell on which the nucleus lies
    nucleus = nuclei.nucleus_outline(kind, canvas, radius=radius, area=area, angle=angle, rng=rng)
    if room is not None:
        cell = np.minimum(cell, room)
    nucleus = np.minimum(nucleus, cell - 0.35 * um)
    dyes = np.zeros((len(DYES), canvas.n, canvas.n), np.float32)
    blue = in_clone(rng, kind.basophilia, bias["basophilia"], 0.02, 0.95)
    _cytoplasm(dyes, kind, canvas, fields=(cell, nucleus), angle=angle, blue=blue, rng=rng)
    contrast = in_clone(rng, kind.contrast, bias["contrast"], 0.05, 0.32)
    nuclei.stain_nucleus(dyes, kind, canvas, nucleus=nucleus, contrast=contrast, rng=rng)
    _granules(dyes, kind, canvas, fields=(cell, nucleus), rng=rng)
    return dyes, cell, nucleus


def _outline(kind, canvas, radius, rng):
    table = shapes.outline(
        rng,
        radius,
        elongation=abs(rng.normal(0.0, 0.075 + 0.06 * kind.ragged)),
        rough=0.014 + 0.06 * kind.ragged,
    )
    field = shapes.blob(canvas.x, canvas.y, np.minimum(table, 1.27 * radius))
    return shapes.roughen(rng, field, 0.6 * canvas.um, 0.5 * kind.ragged * canvas.um)


def _cytoplasm(dyes, kind, canvas, *, fields, angle, blue, rng):
    n, um = canvas.n, canvas.um
    cell, nucleus = fields
    # Thin at the margin, thickest beside the nucleus.
    thick = shapes.soft(cell, 0.5 * um) * (0.62 + 0.38 * (cell * (1 / (2.2 * um))).clip(0, 1))
    thick *= 1 + 0.16 * noise.noise(rng, n, 0.3 * um) + 0.16 * noise.noise(rng, n, 0.9 * um)
    pink = normal_within(rng, kind.eosin, 0.0, 0.5)
    # RNA lies towards the margin: deeply blue cytoplasm is often paler around the nucleus.
    margin = 1 + rng.uniform(0.0, 0.5) * np.exp(-np.maximum(cell, 0) * (1 / um))
    if rng.random() < kind.hof:
        thick *= 1 - rng.uniform(0.35, 0.7) * _golgi_zone(canvas, nucleus, angle, rng)
    if rng.random() < 0.35:
        halo = np.exp(-np.square(np.minimum(nucleus, 0) * (2 / um)))
        thick *= 1 - rng.uniform(0.15, 0.45) * halo
    reach = 0.85 * math.sqrt(float(np.count_nonzero(cell > 0)) / math.pi)
    for _ in range(rng.poisson(kind.vacuoles)):
        a, d, r = rng.uniform(0, 2 * math.pi), reach * math.sqrt(rng.random()), um * rng.uniform(0.3, 0.75)
        hole = r - np.hypot(canvas.x - d * math.cos(a), canvas.y - d * math.sin(a))
        thick *= 1 - rng.uniform(0.4, 0.8) * shapes.soft(hole, 0.8 * r)
    dyes[AZURE] += blue * thick * margin
    dyes[EOSIN] += pink * thick


def _golgi_zone(canvas, nucleus, angle, rng):
    """The hof: a pale zone in the wide part of the cytoplasm, against the nucleus."""
    r = math.sqrt(max(1.0, float(np.count_nonzero(nucleus > 0))) / math.pi)
    away = angle + math.pi + rng.normal(0, 0.4)
    dx, dy = canvas.x - 0.75 * r * math.cos(away), canvas.y - 0.75 * r * math.sin(away)
    return np.exp(-(dx * dx + dy * dy) * (1 / (0.55 * r) ** 2))


def _granules(dyes, kind, canvas, *, fields, rng):
    um = canvas.um
    cell, nucleus = fields
    inner = shapes.soft(cell - 0.4 * um, 0.5 * um)
    cytoplasm = inner * (1 - shapes.soft(nucleus, 0.4 * um))
    # Basophil granules lie over the nucleus too.
    where = inner if kind.granules == "basophil" else cytoplasm
    expected = kind.granule_density * float(where.sum()) / um**2 * rng.uniform(0.4, 1.6)
    count = int(rng.poisson(expected))
    if kind.granules == "dust":
        dust = noise.stipple(rng, where, count, 0.16 * um)
        dyes[VIOLET] += 0.13 * dust
        dyes[EOSIN] += 0.10 * dust
    elif kind.granules == "azurophil":
        grains = noise.stipple(rng, where, count, 0.26 * um)
        dyes[VIOLET] += 0.45 * grains
        dyes[EOSIN] += 0.35 * grains
    elif kind.granules == "eosinophil":
        beads = np.minimum(noise.stipple(rng, where, count, 0.42 * um), 1.6)
        dyes[EOSIN] += 0.44 * beads
        dyes[HAEMOGLOBIN] += 0.38 * beads
    elif kind.granules == "basophil":
        dyes[VIOLET] += 0.75 * np.minimum(noise.stipple(rng, where, count, 0.48 * um), 1.4)
    if rng.random() < kind.auer:
        _auer_rod(dyes, canvas, cytoplasm, rng)


def _auer_rod(dyes, canvas, cytoplasm, rng):
    """A thin red-violet needle of fused azurophil granules, 2-4 um long."""
    n, um = canvas.n, canvas.um
    where = np.flatnonzero(cytoplasm.ravel() > 0.9)
    if where.size == 0:
        return
    row, column = divmod(int(where[int(rng.random() * where.size)]), n)
    x, y = canvas.x - canvas.x[0, column], canvas.y - canvas.y[row, 0]
    a = rng.uniform(0, math.pi)
    along, across = x * math.cos(a) + y * math.sin(a), y * math.cos(a) - x * math.sin(a)
    beyond = np.maximum(np.abs(along) - um * rng.uniform(1.0, 2.0), 0)
    rod = shapes.soft(0.2 * um - np.hypot(across, beyond), 0.25 * um) * np.minimum(1, 2 * cytoplasm)
    dyes[VIOLET] += 0.55 * rod
    dyes[EOSIN] += 0.60 * rod
