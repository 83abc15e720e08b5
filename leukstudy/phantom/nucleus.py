"""The nucleus: round, cleaved, kidney-shaped, banded, segmented or crushed, its chromatin and its nucleoli."""

import math

import numpy as np

from leukstudy.phantom import noise, shapes
from leukstudy.phantom.cell_types import CellType
from leukstudy.phantom.dyes import AZURE, EOSIN, VIOLET
from leukstudy.phantom.shapes import Canvas


def nucleus_outline(
    kind: CellType, canvas: Canvas, *, radius: float, area: float, angle: float, rng: np.random.Generator
) -> np.ndarray:
    """Give the field (n, n) of a nucleus of `area` px^2 in a cell of `radius` px, off centre towards `angle`."""
    um = canvas.um
    r = math.sqrt(area / math.pi)
    off = rng.uniform(0.1, 0.85)  # the nucleus lies off centre by up to most of the room it has
    if kind.shape in ("round", "smudge"):
        shift = max(0.0, radius - r) * off
        x, y = canvas.x - shift * math.cos(angle), canvas.y - shift * math.sin(angle)
        table = shapes.outline(rng, r, elongation=abs(rng.normal(0.03, 0.05)), rough=0.10 * kind.irregular)
        field = shapes.blob(x, y, table)
        if rng.random() < kind.cleft:
            depth, width = r * rng.uniform(0.15, 0.45), um * rng.uniform(0.6, 1.3)
            field = shapes.notch(field, x, y, angle=rng.uniform(0, 2 * math.pi), depth=depth, width=width)
    else:
        points, radii = _skeleton(kind, rng, area, radius, um)
        reach = float((np.hypot(points[:, 0], points[:, 1]) + radii).max())
        shift = max(0.0, 0.93 * radius - reach) * off
        # Chains count from the middle of the square, the canvas from the middle of the cell.
        middle = -float(canvas.x.mean()), -float(canvas.y.mean())
        points = points + np.array(middle) + shift * np.array([math.cos(angle), math.sin(angle)])
        field = shapes.chain(canvas.n, points, radii, 0.35 * um)
        # Where lobes overlap, growing them to the full area would fuse them into one.
        area = min(area, 1.12 * float(np.count_nonzero(field > 0)))
    field = shapes.roughen(
        rng, field, (1.1 if kind.shape == "smudge" else 0.75) * um, 0.45 * kind.irregular * um
    )
    return shapes.fit_area(field, area)


def _skeleton(kind, rng, area, radius, um):
    """Give a nucleus that is not round as a chain of discs about the middle of a cell of `radius` px."""
    r = math.sqrt(area / math.pi)
    if kind.shape == "lobed":
        shares = np.cumsum(kind.lobes)
        count = 2 + int(np.searchsorted(shares[:-1], rng.random() * shares[-1], side="right"))
        return shapes.lobes(rng, count, area, 0.92 * radius, um)
    if kind.shape == "band":
        width = r * rng.uniform(0.46, 0.62)
        length = max(area / (2 * width) - 0.5 * math.pi * width, width)
        # It bends around the middle of the cell, more or less closely.
        orbit = max(0.92 * radius - width, 0.5 * width) * rng.uniform(0.75, 1.0)
        turn = min(length / orbit, 4.7)
        angle = rng.uniform(0, 2 * math.pi) + np.linspace(-0.5, 0.5, 17) * turn
        wander = orbit * (1 + 0.1 * rng.standard_normal() * np.sin(2 * angle))
        points = np.stack([wander * np.cos(angle), wander * np.sin(angle)], axis=1)
        radii = width * (1 + 0.18 * np.sin(np.linspace(0, 2 * math.pi, 17) + rng.uniform(0, 6.3)))
    elif kind.shape == "kidney":
        width = r * rng.uniform(0.62, 0.82)
        points = shapes.arc(rng, 2.3 * (r - width) + 0.9 * r, rng.uniform(2.4, 3.6), 11)
        radii = width * (1 + 0.14 * rng.standard_normal() * np.linspace(-1, 1, 11))
    else:
        raise ValueError(
            f"nuclear shape {kind.shape!r} is unknown; expected round, smudge, lobed, band or kidney"
        )
    return shapes.fit_within(points, radii, 0.96 * radius), radii


def stain_nucleus(
    dyes: np.ndarray,
    kind: CellType,
    canvas: Canvas,
    *,
    nucleus: np.ndarray,
    contrast: float,
    rng: np.random.Generator,
) -> None:
    """Lay the nucleus over the cytoplasm in `dyes` (4, n, n), in place: chromatin, membrane, nucleoli."""
    n, um = canvas.n, canvas.um
    smudge = kind.shape == "smudge"
    # About the same DNA is spread over a small or a large nucleus: large ones stain paler.
    area = max(10.0, float(np.count_nonzero(nucleus > 0)) / um**2)
    dense = (
        min(max((75.0 / area) ** 0.40, 0.58), 1.2) * math.exp(rng.normal(0, 0.1)) * (0.6 if smudge else 1.0)
    )
    body = shapes.soft(nucleus, (2.2 if smudge else 0.45) * um)
    dome = 0.80 + 0.20 * (nucleus * (1 / (1.5 * um))).clip(0, 1)
    pattern = noise.chromatin(rng, n, um, kind.chromatin, contrast)
    rim = np.exp(-np.square((nucleus - 0.3 * um) * (1 / (0.28 * um))))
    tint = noise.noise(rng, n, 0.5 * um).clip(-1, 1)
    paler = _nucleoli(kind, canvas, nucleus, rng)
    dyes[VIOLET] += dense * body * dome * pattern * (1 + rng.uniform(0.0, 0.22) * rim) * (1 - paler)
    # Nucleoli are RNA: where they pale the chromatin they leave a trace of blue. Between the strands of chromatin
    # lies parachromatin, paler and pinker or bluer from place to place.
    dyes[AZURE] *= 1 - 0.75 * body
    dyes[AZURE] += (0.16 * np.maximum(paler, 0) + 0.07 + 0.07 * tint) * body
    dyes[EOSIN] *= 1 - 0.6 * body
    dyes[EOSIN] += (0.08 - 0.08 * tint) * body


def _nucleoli(kind, canvas, nucleus, rng):
    """Give how much paler than chromatin each pixel is, (n, n); negative in the dark rim around a nucleolus."""
    n, um = canvas.n, canvas.um
    paler = np.zeros((n, n), np.float32)
    count = int(rng.integers(kind.nucleoli[0], kind.nucleoli[1] + 1))
    inside = np.flatnonzero(nucleus.ravel() > 1.0 * um) if count else np.empty(0)
    if inside.size == 0:
        return paler
    for _ in range(count):
        row, column = divmod(int(inside[int(rng.random() * inside.size)]), n)
        table = shapes.outline(rng, um * rng.uniform(0.6, 1.25), elongation=rng.uniform(0, 0.2), rough=0.05)
        field = shapes.blob(canvas.x - canvas.x[0, column], canvas.y - canvas.y[row, 0], table)
        strength = min(max(kind.nucleolus * rng.uniform(0.4, 1.2), 0.0), 0.75)
        rim = np.exp(-np.square((field + 0.4 * um) * (1 / (0.35 * um))))
        paler += strength * (shapes.soft(field, 1.0 * um) - 0.3 * rim)
    return paler.clip(-0.4, 0.75)
