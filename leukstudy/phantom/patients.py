"""Laboratories, patients, slides and images: who is enrolled, and the random effects that make them differ.

Everything about stain, light and focus is drawn from the same distributions for every class, and every
laboratory enrols every class alike, so that none of it can tell the classes apart except by chance; the
classes differ by morphology alone.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from leukstudy.phantom.cell_types import CLASSES, CLONE_MIX, EFFECTS, NORMAL_MIX, pick, vary_mix

# Share of each variance that lies between laboratories, patients of one laboratory, slides of one patient and
# images of one slide. Fields are photographed anew with automatic exposure and from thick and thin parts of the
# smear, so most of it lies between images. Were it not so, a test split of a dozen patients would by chance alone
# often be separable by one colour statistic.
SHARES = {"laboratory": 0.12, "patient": 0.10, "slide": 0.06, "image": 0.72}
CLONE_FRACTION = 0.92  # median share of a leukaemic patient's white cells that belong to the clone
SLIDES = 2  # a patient
TRAITS = ("size", "nuclear_fraction", "contrast", "basophilia")  # in which the cells of one patient are alike
# How alike patients are in their mix of cells: the concentration of a Dirichlet distribution.
_CLONE_ALIKE, _NORMAL_ALIKE = 14.0, 40.0


@dataclass(frozen=True)
class Laboratory:
    """Where smears are stained and photographed: its level of every effect, its JPEG setting, dust on its sensor."""

    laboratory_id: str
    effects: dict[str, float]
    jpeg: float  # where in the range of JPEG qualities its camera saves, 0 to 1
    dust: tuple[tuple[float, float, float, float], ...]  # (x, y) in the picture, 0 to 1; radius, um; darkness


@dataclass(frozen=True)
class Patient:
    """One drawn patient: class, mix of cells, and the levels of the random effects of the patient and the slides."""

    patient_id: str
    label: str
    laboratory: Laboratory
    normal: dict[str, float]  # shares of normal cells
    clone: dict[str, float]  # shares of cells of the clone; none in health
    bias: dict[str, float]  # of the TRAITS, in SDs
    effects: dict[str, float]
    slides: tuple[dict[str, float], ...]
    seed: tuple[int, ...]
    shift: dict[str, float] = field(default_factory=dict)  # a planted offset of effects, in SDs

    def slide_id(self, slide: int) -> str:
        """Give the name of one of the patient's slides, e.g. P031-B."""
        return f"{self.patient_id}-{'ABCDEFGH'[slide]}"

    def image_rng(self, image: int) -> np.random.Generator:
        """Give the generator of one image: it depends on nothing but the seed, the patient and the image."""
        return np.random.default_rng(np.random.SeedSequence([*self.seed, 1, image]))

    def cell_type(self, effects: dict[str, float], rng: np.random.Generator) -> str:
        """Draw the kind of one white cell of this patient, seen in an image with these effects."""
        odds = math.exp(effects["clone"]) * CLONE_FRACTION / (1 - CLONE_FRACTION)
        clonal = rng.random() < odds / (1 + odds)
        return pick(self.clone if clonal and self.clone else self.normal, rng)


@dataclass(frozen=True)
class Entry:
    """What the register knows of a patient before anything of them is drawn."""

    patient_id: str
    label: str
    seed: tuple[int, int, int]  # seed of the phantom, class, number within the class
    laboratory: int


def register(seed: int, patients: dict[str, int], laboratories: int = 3) -> list[Entry]:
    """List `patients[label]` patients a class, in turn in each laboratory; ids are shuffled over classes.

    Laboratories share every class as evenly as whole patients allow, so that a laboratory does not betray the
    class. Sorted by class folder and patient_id. Raises ValueError for an unknown class, a negative count, no
    patients or no laboratory.
    """
    unknown = sorted(set(patients) - set(CLASSES))
    if unknown:
        raise ValueError(f"unknown classes {unknown}; the phantom draws {', '.join(CLASSES)}")
    if any(count < 0 for count in patients.values()) or not any(patients.values()):
        raise ValueError(f"expected at least one patient and no negative count, found {patients}")
    if laboratories < 1:
        raise ValueError(f"laboratories is {laboratories}; expected 1 or more")
    keys = [(number, i) for number, label in enumerate(CLASSES) for i in range(patients.get(label, 0))]
    width = max(3, len(str(len(keys))))
    ids = np.random.default_rng(np.random.SeedSequence([seed, 2])).permutation(len(keys)) + 1
    entries = [
        # Each class begins with another laboratory: what is left over when it is shared falls to each in turn.
        Entry(f"P{serial:0{width}d}", CLASSES[number], (seed, number, i), (i + number) % laboratories)
        for (number, i), serial in zip(keys, ids.tolist(), strict=True)
    ]
    return sorted(entries, key=lambda entry: (entry.label, entry.patient_id))


def admit(entry: Entry) -> Patient:
    """Draw the traits of a patient of the register: they depend on the seed, the class and the number in it alone."""
    rng = np.random.default_rng(np.random.SeedSequence([*entry.seed, 0]))
    effects, *slides = [_levels(rng) for _ in range(1 + SLIDES)]
    clone = CLONE_MIX.get(entry.label)
    return Patient(
        patient_id=entry.patient_id,
        label=entry.label,
        laboratory=_laboratory(entry.seed[0], entry.laboratory),
        normal=vary_mix(NORMAL_MIX, _NORMAL_ALIKE, rng),
        clone=vary_mix(clone, _CLONE_ALIKE, rng) if clone else {},
        bias=dict(zip(TRAITS, rng.standard_normal(len(TRAITS)).tolist(), strict=True)),
        effects=effects,
        slides=tuple(slides),
        seed=entry.seed,
    )


def enrol(seed: int, patients: dict[str, int], laboratories: int = 3) -> list[Patient]:
    """Register and admit patients; as `register`, sorted by patient_id."""
    return sorted(map(admit, register(seed, patients, laboratories)), key=lambda patient: patient.patient_id)


def _levels(rng: np.random.Generator) -> dict[str, float]:
    return dict(zip(EFFECTS, rng.standard_normal(len(EFFECTS)).tolist(), strict=True))


@lru_cache(maxsize=64)
def _laboratory(seed: int, number: int) -> Laboratory:
    rng = np.random.default_rng(np.random.SeedSequence([seed, 5, number]))
    effects, jpeg = _levels(rng), float(rng.random())
    dust = [
        (*rng.random(2).tolist(), float(rng.uniform(0.5, 1.6)), float(rng.uniform(0.03, 0.10)))
        for _ in range(int(rng.integers(0, 3)))
    ]
    return Laboratory(f"L{number + 1}", effects, jpeg, tuple(dust))


def image_effects(patient: Patient, slide: int, rng: np.random.Generator) -> dict[str, float]:
    """Draw the effects of one image of one slide: the levels' parts added; SDs as in EFFECTS, means 0."""
    part = {level: math.sqrt(share) for level, share in SHARES.items()}
    levels = rng.standard_normal(len(EFFECTS)).tolist()
    return {
        name: sd
        * (
            part["laboratory"] * patient.laboratory.effects[name]
            + part["patient"] * patient.effects[name]
            + part["slide"] * patient.slides[slide][name]
            + part["image"] * z
            + patient.shift.get(name, 0.0)
        )
        for (name, sd), z in zip(EFFECTS.items(), levels, strict=True)
    }
