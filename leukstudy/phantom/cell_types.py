"""What the cells of each class look like: distributions with overlap, and why haematology says so.

Sizes and proportions follow the descriptions in Bain, Blood Cells (5th ed., 2015), the WHO classification
(5th ed., 2022) and, for granulocytic maturation, Palmer et al., ICSH recommendations (2015). They are
rounded to what a drawing of 0.25 um a pixel can show and are no measurements.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from leukstudy.phantom.noise import Chromatin

CLASSES = ("healthy", "ALL", "AML", "CLL", "CML")


@dataclass(frozen=True)
class CellType:
    """One kind of white cell. Pairs are (mean, SD) unless said; lengths in um, dyes in relative strength."""

    reason: str
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


# One line a property is too long to read as a table: the rows below are laid out by hand.
# fmt: off
CELL_TYPES: dict[str, CellType] = {
    "neutrophil": CellType(
        "Segmented: 2-5 lobes on filaments, clumped chromatin, pink cytoplasm with fine lilac dust.",
        diameter=(13.5, 1.1), nuclear_fraction=(0.43, 0.05), shape="lobed", lobes=(0.20, 0.47, 0.27, 0.06),
        irregular=0.16, contrast=(0.21, 0.04), basophilia=(0.05, 0.03), eosin=(0.24, 0.07),
        granules="dust", granule_density=2.0,
    ),
    "band": CellType(
        "As the segmented neutrophil, its nucleus a bent band not yet constricted into lobes.",
        diameter=(13.6, 1.1), nuclear_fraction=(0.43, 0.05), shape="band",
        irregular=0.20, contrast=(0.20, 0.04), basophilia=(0.07, 0.03), eosin=(0.22, 0.07),
        granules="dust", granule_density=1.9,
    ),
    "lymphocyte": CellType(
        "Small, round, densely clumped nucleus in a thin to moderate rim of clear blue cytoplasm.",
        diameter=(10.5, 1.2), nuclear_fraction=(0.73, 0.07), cleft=0.08,
        irregular=0.16, contrast=(0.18, 0.03), basophilia=(0.42, 0.12), eosin=(0.04, 0.02),
        hof=0.15,
    ),
    "large_lymphocyte": CellType(
        "Large granular or reactive lymphocyte: ample pale blue cytoplasm, few azurophil granules, softer"
        " chromatin.",
        diameter=(14.2, 1.6), nuclear_fraction=(0.58, 0.08), chromatin="condensing", cleft=0.15,
        irregular=0.30, contrast=(0.23, 0.04), basophilia=(0.38, 0.14), eosin=(0.04, 0.02),
        nucleoli=(0, 1), nucleolus=0.3, granules="azurophil", granule_density=0.12, hof=0.25, ragged=0.3,
    ),
    "monocyte": CellType(
        "Largest normal cell: folded or kidney-shaped nucleus, lacy chromatin, grey-blue dusty cytoplasm,"
        " vacuoles.",
        diameter=(16.2, 1.4), nuclear_fraction=(0.55, 0.07), shape="kidney", chromatin="condensing",
        irregular=0.45, contrast=(0.20, 0.04), basophilia=(0.34, 0.09), eosin=(0.12, 0.05),
        granules="dust", granule_density=1.2, vacuoles=1.8, ragged=0.28,
    ),
    "eosinophil": CellType(
        "Mostly two lobes; cytoplasm packed with large refractile orange granules.",
        diameter=(13.8, 1.0), nuclear_fraction=(0.40, 0.05), shape="lobed", lobes=(0.75, 0.22, 0.03),
        irregular=0.16, contrast=(0.19, 0.04), basophilia=(0.06, 0.03), eosin=(0.26, 0.08),
        granules="eosinophil", granule_density=2.6,
    ),
    "basophil": CellType(
        "Coarse dark violet granules that lie over and hide a poorly lobed nucleus.",
        diameter=(12.4, 1.0), nuclear_fraction=(0.46, 0.06), shape="lobed", lobes=(0.6, 0.4),
        irregular=0.20, contrast=(0.15, 0.04), basophilia=(0.12, 0.05), eosin=(0.12, 0.05),
        granules="basophil", granule_density=0.75,
    ),
    "lymphoblast": CellType(
        "ALL: 10-18 um, high N:C, fine to slightly condensed chromatin, indistinct nucleoli, scant blue"
        " cytoplasm, nuclei sometimes cleaved.",
        diameter=(12.7, 1.9), nuclear_fraction=(0.77, 0.06), chromatin="fine", cleft=0.28,
        irregular=0.26, contrast=(0.11, 0.03), basophilia=(0.48, 0.14), eosin=(0.03, 0.02),
        nucleoli=(0, 2), nucleolus=0.40, vacuoles=0.3, hof=0.1, ragged=0.15,
    ),
    "myeloblast": CellType(
        "AML: 15-20 um, fine even chromatin, 2-4 prominent nucleoli, moderate blue cytoplasm, at times a few"
        " azurophil granules or an Auer rod.",
        diameter=(15.5, 1.6), nuclear_fraction=(0.63, 0.07), chromatin="fine", cleft=0.1,
        irregular=0.32, contrast=(0.10, 0.03), basophilia=(0.46, 0.14), eosin=(0.06, 0.03),
        nucleoli=(2, 4), nucleolus=0.7, granules="azurophil", granule_density=0.16, hof=0.2, auer=0.16, ragged=0.25,
    ),
    "monoblast": CellType(
        "AML with monocytic differentiation: large, folded nucleus, lacy chromatin, one or two nucleoli.",
        diameter=(16.4, 1.5), nuclear_fraction=(0.58, 0.07), shape="kidney", chromatin="fine",
        irregular=0.40, contrast=(0.11, 0.03), basophilia=(0.44, 0.12), eosin=(0.06, 0.03),
        nucleoli=(1, 2), nucleolus=0.5, granules="azurophil", granule_density=0.1, vacuoles=0.8, ragged=0.35,
    ),
    "cll_lymphocyte": CellType(
        "CLL: small, monotonous; chromatin in blocks parted by pale cracks (soccer ball), very scant"
        " cytoplasm.",
        diameter=(10.4, 0.8), nuclear_fraction=(0.80, 0.05), chromatin="blocks", cleft=0.06,
        irregular=0.14, contrast=(0.25, 0.04), basophilia=(0.40, 0.12), eosin=(0.04, 0.02),
    ),
    "prolymphocyte": CellType(
        "CLL: larger, one distinct central nucleolus, moderately condensed chromatin.",
        diameter=(12.6, 1.1), nuclear_fraction=(0.70, 0.06), chromatin="condensing",
        irregular=0.18, contrast=(0.16, 0.04), basophilia=(0.42, 0.12), eosin=(0.04, 0.02),
        nucleoli=(1, 1), nucleolus=0.55,
    ),
    "smudge": CellType(
        "CLL: a fragile cell crushed in spreading, a pale, drawn-out, ragged smear of chromatin with hardly any"
        " cytoplasm left.",
        diameter=(14.0, 2.0), nuclear_fraction=(0.86, 0.04), shape="smudge", chromatin="fine",
        irregular=1.10, contrast=(0.15, 0.04), basophilia=(0.08, 0.04), eosin=(0.06, 0.03), ragged=1.4,
    ),
    "promyelocyte": CellType(
        "CML, AML: large, round eccentric nucleus, pale Golgi zone, cytoplasm full of azurophil granules.",
        diameter=(16.8, 1.4), nuclear_fraction=(0.56, 0.06), chromatin="condensing",
        irregular=0.24, contrast=(0.13, 0.03), basophilia=(0.38, 0.11), eosin=(0.10, 0.04),
        nucleoli=(1, 3), nucleolus=0.35, granules="azurophil", granule_density=0.9, hof=0.65, ragged=0.2,
    ),
    "myelocyte": CellType(
        "CML: round to oval eccentric nucleus, condensing chromatin, no nucleolus, lilac-pink granular"
        " cytoplasm.",
        diameter=(15.4, 1.5), nuclear_fraction=(0.50, 0.06), chromatin="condensing",
        irregular=0.20, contrast=(0.18, 0.04), basophilia=(0.20, 0.09), eosin=(0.21, 0.06),
        granules="azurophil", granule_density=0.8, hof=0.5, ragged=0.15,
    ),
    "metamyelocyte": CellType(
        "CML: the nucleus indented to a kidney, chromatin clumping, pink granular cytoplasm.",
        diameter=(14.0, 1.3), nuclear_fraction=(0.46, 0.06), shape="kidney",
        irregular=0.22, contrast=(0.18, 0.04), basophilia=(0.10, 0.05), eosin=(0.21, 0.06),
        granules="dust", granule_density=2.0,
    ),
}

# Cells that are photographed in a healthy smear. Mononuclear cells are over-sampled against a normal
# differential (about 60% neutrophils): detection would otherwise be the question "is it lobed?".
NORMAL_MIX = {
    "neutrophil": 0.29, "band": 0.03, "lymphocyte": 0.27, "large_lymphocyte": 0.18, "monocyte": 0.17,
    "eosinophil": 0.04, "basophil": 0.02,
}

# Cells of the leukaemic clone; the patient's remaining cells come from the normal mix.
CLONE_MIX: dict[str, dict[str, float]] = {
    "ALL": {"lymphoblast": 1.0},
    "AML": {"myeloblast": 0.76, "monoblast": 0.14, "promyelocyte": 0.10},
    "CLL": {"cll_lymphocyte": 0.81, "prolymphocyte": 0.09, "smudge": 0.10},
    "CML": {
        "myeloblast": 0.07, "promyelocyte": 0.14, "myelocyte": 0.36, "metamyelocyte": 0.24, "band": 0.08,
        "neutrophil": 0.04, "basophil": 0.07,
    },
}
# fmt: on

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

    keep = {"reason", "shape", "lobes", "chromatin", "granules", "nucleoli", "granule_density"}
    moved = {
        f.name: move(getattr(kind, f.name), getattr(other, f.name))
        for f in fields(kind)
        if f.name not in keep
    }
    return replace(kind, **moved)


def normal_within(rng: np.random.Generator, mean_sd: tuple[float, float], low: float, high: float) -> float:
    """Draw from a normal distribution, pulled back to the nearer of the limits low and high."""
    return min(max(mean_sd[0] + mean_sd[1] * rng.standard_normal(), low), high)


def in_clone(
    rng: np.random.Generator, mean_sd: tuple[float, float], bias: float, low: float, high: float
) -> float:
    """As `normal_within`, a quarter of the variance being the patient's (`bias`, in SDs): a clone's cells are alike."""
    mean, sd = mean_sd
    return min(max(mean + sd * (0.5 * bias + 0.866 * rng.standard_normal()), low), high)
