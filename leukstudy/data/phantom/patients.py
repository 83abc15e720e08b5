"""Patients, slides and images: who is enrolled, and the random effects that make them differ.

Everything about stain, light and focus is drawn from the same distributions for every class, so that none
of it can tell the classes apart except by chance; the classes differ by morphology alone.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from leukstudy.data.phantom.morphology import CLASSES, CLONE_FRACTION

# Standard deviations over all images. Dyes and light on the log scale, hues as log ratios of channels.
EFFECTS = {
    "violet": 0.20,  # strength of the nuclear dye
    "azure": 0.28,  # strength of the blue dye
    "eosin": 0.28,  # strength of the pink dye
    "haemoglobin": 0.26,  # darkness of the red cells
    "violet_hue": 0.14,  # nuclei from blue to red violet
    "red_hue": 0.14,  # red cells from grey to salmon
    "exposure": 0.10,  # brightness of the light
    "warmth": 0.055,  # red against blue in the light
    "tint": 0.03,  # green against magenta in the light
    "haze": 0.35,  # dye left on the background
    "gradient": 1.0,  # unevenness of the light, in units of 4%
    "contrast": 0.10,  # the camera's tone curve
    "focus": 0.25,  # width of the blur
    "noise": 0.40,  # strength of the sensor's noise
    "magnification": 0.055,  # pixels a micrometre
    "crowding": 0.45,  # number of red cells
}

# Share of each variance that lies between patients, between slides of one patient, and between images of one
# slide. Fields are photographed anew with automatic exposure and from thick and thin parts of the smear, so
# most of it lies between images. Were it not so, a test split of a dozen patients would by chance alone
# often be separable by one colour statistic.
SHARES = {"patient": 0.16, "slide": 0.08, "image": 0.76}


@dataclass(frozen=True)
class Patient:
    """One drawn patient: class, clone, and the levels of the random effects of the patient and the slides."""

    patient_id: str
    label: str
    clone_fraction: float
    size_bias: float
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


def enrol(seed: int, patients: dict[str, int]) -> list[Patient]:
    """Enrol `patients[label]` patients a class; ids are shuffled so that they do not betray the class.

    A patient's traits depend on (seed, class, number within the class) alone. Sorted by patient_id.
    Raises ValueError for an unknown class, a negative count or no patients at all.
    """
    unknown = sorted(set(patients) - set(CLASSES))
    if unknown:
        raise ValueError(f"unknown classes {unknown}; the phantom draws {', '.join(CLASSES)}")
    if any(count < 0 for count in patients.values()) or not any(patients.values()):
        raise ValueError(f"expected at least one patient and no negative count, found {patients}")
    keys = [(label, i) for label in CLASSES for i in range(patients.get(label, 0))]
    width = max(3, len(str(len(keys))))
    numbers = np.random.default_rng(np.random.SeedSequence([seed, 2])).permutation(len(keys)) + 1
    enrolled = [
        _patient((seed, CLASSES.index(label), i), f"P{number:0{width}d}", label)
        for (label, i), number in zip(keys, numbers, strict=True)
    ]
    return sorted(enrolled, key=lambda patient: patient.patient_id)


def _patient(seed: tuple[int, int, int], patient_id: str, label: str) -> Patient:
    rng = np.random.default_rng(np.random.SeedSequence([*seed, 0]))
    levels = [dict(zip(EFFECTS, rng.standard_normal(len(EFFECTS)).tolist(), strict=True)) for _ in range(3)]
    return Patient(
        patient_id=patient_id,
        label=label,
        clone_fraction=float(rng.uniform(*CLONE_FRACTION)),
        size_bias=float(rng.standard_normal()),
        effects=levels[0],
        slides=tuple(levels[1:]),
        seed=seed,
    )


def image_effects(patient: Patient, slide: int, rng: np.random.Generator) -> dict[str, float]:
    """Draw the effects of one image of one slide: patient, slide and image parts added; SDs as in EFFECTS."""
    part = {level: math.sqrt(share) for level, share in SHARES.items()}
    own = rng.standard_normal(len(EFFECTS))
    return {
        name: float(
            sd
            * (
                part["patient"] * patient.effects[name]
                + part["slide"] * patient.slides[slide][name]
                + part["image"] * z
                + patient.shift.get(name, 0.0)
            )
        )
        for (name, sd), z in zip(EFFECTS.items(), own, strict=True)
    }
