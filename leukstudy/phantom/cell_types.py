"""What the cells of each class look like: distributions with overlap, read from model.yaml beside this module."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from ruamel.yaml import YAML

from leukstudy.phantom.noise import Chromatin

CLASSES = ("healthy", "ALL", "AML", "CLL", "CML")


@dataclass(frozen=True)
class CellType:
    """One kind of white cell. Pairs are (mean, SD) unless said; lengths in um, dyes in relative strength."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    reason: str  # how haematology describes it
    diameter: tuple[float, float]  # of the cell as flattened on the slide
    nuclear_fraction: tuple[float, float]  # area of the nucleus over area of the cell (the N:C ratio)
    shape: str = "round"  # round, kidney, band, lobed, smudge
    lobes: tuple[float, ...] = ()  # probability of 2, 3, 4, ... lobes, where shape is lobed
    irregular: float = 0.15  # how far the nuclear outline wavers, um
    cleft: float = 0.0  # probability of a nuclear cleft
    chromatin: Chromatin = "clumped"
    contrast: tuple[float, float] = (0.2, 0.04)
    nucleoli: tuple[int, int] = (0, 0)  # fewest and most
    nucleolus: float = 0.0  # how much paler than the chromatin, 0 to 1
    basophilia: tuple[float, float] = (0.3, 0.08)  # blue of the cytoplasm (RNA)
    eosin: tuple[float, float] = (0.1, 0.04)  # pink of the cytoplasm
    granules: str = ""  # dust, azurophil, eosinophil, basophil
    granule_density: float = 0.0  # granules a um^2 of cytoplasm
    vacuoles: float = 0.0  # mean number
    hof: float = 0.0  # probability of a pale zone beside the nucleus
    auer: float = 0.0  # probability of an Auer rod
    ragged: float = 0.1  # how far the cell's outline wavers, um


_MODEL = YAML(typ="safe").load(Path(__file__).with_name("model.yaml"))
CELL_TYPES: dict[str, CellType] = TypeAdapter(dict[str, CellType]).validate_python(_MODEL["cell_types"])
NORMAL_MIX: dict[str, float] = _MODEL["normal_mix"]
"""Shares of the cells that are photographed in a healthy smear."""
CLONE_MIX: dict[str, dict[str, float]] = _MODEL["clone_mix"]
"""Shares of the cells of the leukaemic clone, by class; the patient's remaining cells come from the normal mix."""
EFFECTS: dict[str, float] = _MODEL["effects"]
"""Standard deviations over all images of what differs from smear to smear (stain, light, camera, crowding)."""

# The stages of granulocytic maturation in order. They are cuts through a continuum: a cell of one stage is drawn
# part of the way towards a neighbouring one (mean and SD of the way, 0.5 being halfway).
MATURATION = ("myeloblast", "promyelocyte", "myelocyte", "metamyelocyte", "band", "neutrophil")
_ON_THE_WAY = 0.17


def pick(mix: dict[str, float], rng: np.random.Generator) -> str:
    """Draw a kind of cell by its share in a mix."""
    shares = np.cumsum(list(mix.values()))
    return list(mix)[int(np.searchsorted(shares[:-1] / shares[-1], rng.random(), side="right"))]


def vary_mix(mix: dict[str, float], concentration: float, rng: np.random.Generator) -> dict[str, float]:
    """Draw one patient's mix about the class's: a Dirichlet distribution, the less alike the lower `concentration`."""
    shares = rng.dirichlet(concentration * np.array(list(mix.values())))
    return dict(zip(mix, shares.tolist(), strict=True))


def maturing(name: str, rng: np.random.Generator) -> CellType:
    """Give the cell type `name`, moved towards a neighbouring stage of maturation where it is one of MATURATION."""
    kind = CELL_TYPES[name]
    if name not in MATURATION:
        return kind
    stage = MATURATION.index(name)
    way = min(abs(rng.normal(0.0, _ON_THE_WAY)), 0.45)
    stage += 1 if stage == 0 or (rng.random() < 0.5 and stage + 1 < len(MATURATION)) else -1
    return between(kind, CELL_TYPES[MATURATION[stage]], way)


def between(kind: CellType, other: CellType, way: float) -> CellType:
    """Move every measure of a cell type `way` (0 to 1) towards another's; its shape and words stay its own."""

    def move(a, b):
        if isinstance(a, tuple):
            return tuple(move(x, y) for x, y in zip(a, b, strict=True))
        return a + way * (b - a)

    kept = {"reason", "shape", "lobes", "chromatin", "granules", "nucleoli", "granule_density"}
    measures = [field.name for field in fields(kind) if field.name not in kept]
    return replace(kind, **{name: move(getattr(kind, name), getattr(other, name)) for name in measures})


def normal_within(rng: np.random.Generator, mean_sd: tuple[float, float], low: float, high: float) -> float:
    """Draw from a normal distribution, pulled back to the nearer of the limits low and high."""
    return min(max(mean_sd[0] + mean_sd[1] * rng.standard_normal(), low), high)


def in_clone(
    rng: np.random.Generator, mean_sd: tuple[float, float], bias: float, low: float, high: float
) -> float:
    """As `normal_within`, a quarter of the variance being the patient's (`bias`, in SDs): a clone's cells are alike."""
    mean, sd = mean_sd
    return min(max(mean + sd * (0.5 * bias + 0.866 * rng.standard_normal()), low), high)
