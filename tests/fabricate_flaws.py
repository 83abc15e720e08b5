"""Fabricated sets of blob cells, clean, in a form that the audit can be given; tests plant their own flaws in them."""

from pathlib import Path

import numpy as np
import pandas as pd
from fabricate import blob_cell
from PIL import Image

from leukstudy.audit.run import Audit, run_audit
from leukstudy.data.catalogue import DRAWN, catalogue
from leukstudy.data.split import assign

CLASSES = ("healthy", "ALL", "AML")


def blob_set(root: Path, *, groups: int = 6, images: int = 4, size: int = 96, seed: int = 0) -> pd.DataFrame:
    """Write `root/<class>/P<nn>_<n>.png` of three classes that look alike, and metadata.csv; gives path, label."""
    rows = []
    for kind, label in enumerate(CLASSES):
        (root / label).mkdir(parents=True, exist_ok=True)
        for group in range(groups):
            patient = f"P{kind * groups + group:02d}"
            rng = np.random.default_rng([seed, kind, group])
            light = rng.normal(0, 6, 3)
            for number in range(images):
                rgb, _ = blob_cell(rng, size=size, kind=int(rng.integers(0, 3)))
                lit = np.clip(rgb + light + rng.normal(0, 4, 3), 0, 255).astype(np.uint8)
                path = f"{label}/{patient}_{number}.png"
                Image.fromarray(lit).save(root / path)
                rows.append((path, label, patient))
    table = pd.DataFrame(rows, columns=["path", "label", "patient_id"])
    table[["path", "patient_id"]].to_csv(root / "metadata.csv", index=False)
    return table


def add_rows(root: Path, rows: list[tuple[str, str]]) -> None:
    """Add images that a test has written, (path, patient_id) each, to metadata.csv."""
    table = pd.concat(
        [pd.read_csv(root / "metadata.csv"), pd.DataFrame(rows, columns=["path", "patient_id"])]
    )
    table.to_csv(root / "metadata.csv", index=False)


def audited(root: Path, **how: object) -> Audit:
    """Catalogue, split and audit a folder as the stage does; drawings are known by their phantom.json."""
    source = "phantom" if (root / DRAWN).is_file() else "folder"
    return run_audit(assign(catalogue(root, source), seed=5, folds=2), root, **how)


def verdicts(audit: Audit) -> dict[str, str]:
    """The checks that did not pass."""
    table = audit.findings[audit.findings["verdict"] != "pass"]
    return dict(zip(table["check"], table["verdict"], strict=True))
