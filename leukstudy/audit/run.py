"""The audit: what would make a result on these data worth less than it looks, one verdict a line.

near = find_near_duplicates(kept, root)          # before the split, for grouping
audit = run_audit(split, root, near=near)
audit.findings                                   # one row a check, always all of them
audit.details                                    # every image of every finding
audit.overlays                                   # where something is burnt into the pictures
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from leukstudy.audit import confounds, leaks
from leukstudy.audit.burnt_in import overlay_finding
from leukstudy.audit.findings import (
    Thresholds,
    details_table,
    findings_table,
)
from leukstudy.audit.near_duplicates import find_near_duplicates
from leukstudy.audit.poor_images import poor_images
from leukstudy.audit.shortcuts import shortcuts
from leukstudy.data import DataProblem
from leukstudy.data.measure import MEASURES
from leukstudy.study.checks import CHECKS


class Audit(NamedTuple):
    """findings: one row a check, in the order of `CHECKS`; details: one row an image or pair of each finding.

    overlays: one row an image and box in which something is burnt in (`boxes.OVERLAYS`).
    """

    findings: pd.DataFrame
    details: pd.DataFrame
    overlays: pd.DataFrame


def run_audit(
    catalogue: pd.DataFrame,
    root: Path,
    *,
    near: pd.DataFrame | None = None,
    thresholds: Mapping[str, float] | object | None = None,
    workers: int | None = None,
) -> Audit:
    """Ask every question of `CHECKS` of the images of a catalogue, split or not yet split.

    `catalogue` is that of `catalogue.catalogue`, with the columns of `MEASURES`. `near` is what `find_near_duplicates`
    found among the kept images; None computes it here. `thresholds` is a `findings.Thresholds`, or a mapping or object
    with some of its fields. Besides near duplicates, only the look for overlays decodes images again: a sample, and all
    where one is found. The result depends on the data alone, not on the order of rows nor on `workers`.

    Raises DataProblem where nothing is kept, ValueError for a table without measures.
    """
    root, limits = Path(root), Thresholds.of(thresholds)
    lacking = [name for name in MEASURES if name not in catalogue]
    if lacking:
        raise ValueError(
            f"the table lacks the measures {lacking}; expected what catalogue.catalogue gives, not a manifest"
        )
    kept = catalogue[catalogue["excluded"] == ""].sort_values("image_id", ignore_index=True)
    if kept.empty:
        raise DataProblem(
            f"{root}: no image is kept, so there is nothing to audit; see the column `excluded`"
        )
    if near is None:
        near = find_near_duplicates(kept, root, workers=workers)
    burnt_in, overlays = overlay_finding(kept, root, limits, workers=workers)
    found = [
        leaks.exact_duplicates(catalogue, kept),
        leaks.near_duplicates(kept, near),
        leaks.label_conflicts(catalogue, kept, near),
        leaks.groups_across_splits(kept, near),
        *confounds.confounds(kept, limits),
        *shortcuts(kept, limits),
        burnt_in,
        *poor_images(kept, limits),
        leaks.few_groups(kept, limits),
    ]
    order = list(CHECKS)
    found.sort(key=lambda finding: order.index(finding.check))
    return Audit(findings_table(found), details_table(found), overlays)
