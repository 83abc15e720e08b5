"""What the audit asks, what counts as found, and the tables that findings are handed on in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.study.checks import CHECKS

FINDINGS = {"check": "str", "verdict": "str", "found": "str", "images": "int64", "examples": "str", "advice": "str"}  # fmt: skip
"""The columns of the findings, one row a check: what was found in a sentence, and how many images it concerns."""

DETAILS = {"check": "str", "image_id": "str", "other_id": "str", "value": "float64", "note": "str"}
"""The columns of the details: every image of every finding, the other one of a pair, and a number to sort by."""


@dataclass(frozen=True)
class Thresholds:
    """From where on something counts as found.

    shortcut_auroc: a shortcut that reaches this AUROC (one class against the rest) on held-out groups,
    shortcut_p: and does so in at most this share of permutations of the labels between groups.
    confined_share: a source, camera, size or format that gives the class away for this share of a class.
    blur: sharpness below this share of the median of its source and size.
    clipped: share of pixels that are black or white.
    empty: share of pixels that are not background.
    min_groups: fewest groups of a class.
    """

    shortcut_auroc: float = 0.85
    shortcut_p: float = 0.01
    confined_share: float = 0.10
    blur: float = 0.60
    clipped: float = 0.50
    empty: float = 0.02
    min_groups: int = 5

    @classmethod
    def of(cls, limits: "Mapping[str, float] | object | None") -> "Thresholds":
        """Thresholds from a mapping, or an object with such attributes; what it lacks has its default.

        Raises ValueError for a key of a mapping that is no threshold.
        """
        names = [threshold.name for threshold in fields(cls)]
        if limits is None or isinstance(limits, cls):
            return limits or cls()
        if isinstance(limits, Mapping):
            wrong = [name for name in limits if name not in names]
            if wrong:
                raise ValueError(f"unknown threshold {wrong[0]!r}; known are: {', '.join(names)}")
            return cls(**limits)
        return cls(**{name: getattr(limits, name) for name in names if hasattr(limits, name)})


@dataclass(frozen=True)
class Finding:
    """What one check found; `details` are (image_id, other_id, value, note), the most telling first."""

    check: str
    verdict: str
    found: str
    advice: str = ""
    details: Sequence[tuple[str, str, float, str]] = field(default=())


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row a check, with the columns of `FINDINGS`. Up to five images or pairs (a = b) stand as examples."""
    rows = []
    for finding in findings:
        images = {image for detail in finding.details for image in detail[:2] if image}
        examples = [" = ".join(filter(None, detail[:2])) for detail in finding.details[:5]]
        rows.append(
            (finding.check, finding.verdict, finding.found, len(images), ";".join(examples), finding.advice)
        )
    return pd.DataFrame(rows, columns=list(FINDINGS)).astype(FINDINGS)


def details_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """All images of all findings, with the columns of `DETAILS`."""
    rows = [(finding.check, *detail) for finding in findings for detail in finding.details]
    return pd.DataFrame(rows, columns=list(DETAILS)).astype(DETAILS)


def failing(findings: pd.DataFrame, fail_on: Sequence[str]) -> list[str]:
    """The checks that must stop the study: those named in `fail_on` that did not pass.

    The word `fail` in `fail_on` stands for every check whose verdict is fail. Raises ValueError for a name that is
    neither.
    """
    unknown = [name for name in fail_on if name not in CHECKS and name != "fail"]
    if unknown:
        raise ValueError(f"audit.fail_on names {unknown[0]!r}; known are: fail, {', '.join(CHECKS)}")
    stop = (findings["verdict"] == "fail") & ("fail" in fail_on)
    stop |= (findings["verdict"] != "pass") & findings["check"].isin(list(fail_on))
    return findings.loc[stop, "check"].tolist()


def require(findings: pd.DataFrame, fail_on: Sequence[str]) -> None:
    """Raise DataProblem, which says what was found and what to do, where a check named in `fail_on` did not pass."""
    stop = findings[findings["check"].isin(failing(findings, fail_on))]
    if len(stop):
        lines = [f"  {row.check}: {row.found} {row.advice}" for row in stop.itertuples()]
        raise DataProblem(
            "the audit of data/ found what audit.fail_on names (all images: build/audit/details.csv):\n"
            + "\n".join(lines)
        )


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 image`, `1,234 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
