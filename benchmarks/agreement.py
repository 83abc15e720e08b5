"""Size and shape as measured against the phantom's truth: bias and 95% limits of agreement (Bland and Altman 1986).

    python benchmarks/agreement.py [assets/phantom]

Both are measured by the same code, once on the masks that segmentation finds and once on the true ones, so the table says
what segmentation adds. Images whose segmentation is flagged (`quality_failed`) are counted and left out, as in the study.
"""

import sys
from pathlib import Path

import cv2
import pandas as pd

from leukstudy.imaging.dictionary import FEATURES
from leukstudy.imaging.features import morphology_features
from leukstudy.imaging.io import read_image
from leukstudy.imaging.quality import judge
from leukstudy.imaging.segment import label_cells, segment_nuclei
from leukstudy.report.agreement import limits_of_agreement

NAMES = (
    "morph_nucleus_area", "morph_cell_area", "morph_nc_ratio", "morph_nucleus_perimeter", "morph_nucleus_circularity",
    "morph_nucleus_solidity", "morph_nucleus_eccentricity",
)  # fmt: skip


def measure(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Measured and true features of every sound image of a phantom of single cells, and how many were flagged."""
    truths = folder / "_truth"
    measured, true, flagged = [], [], 0
    for path in sorted(truths.glob("*/*.png")):
        rgb, truth = read_image(folder / path.relative_to(truths)), read_image(path)[:, :, 0]
        nuclei = segment_nuclei(rgb)
        labels = label_cells(rgb, nuclei)
        if judge(rgb, nuclei, labels)["quality_failed"]:
            flagged += 1
            continue
        measured.append(morphology_features(rgb, nuclei, labels))
        true.append(morphology_features(rgb, truth > 192, label_cells(rgb, truth > 192, truth > 64)))
    return pd.DataFrame(measured), pd.DataFrame(true), flagged


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "assets/phantom")
    measured, true, flagged = measure(folder)
    print(f"`{folder.name}`: {len(measured)} images measured, {flagged} flagged and left out\n")
    print("| feature | unit | true mean | bias | 95% limits of agreement | bias / mean | correlation |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name in NAMES:
        bias, low, high = limits_of_agreement(measured[name], true[name])
        mean = true[name].mean()
        r = measured[name].corr(true[name])
        print(
            f"| {name} | {FEATURES[name].unit} | {mean:.3g} | {bias:.3g} | {low:.3g} to {high:.3g} | {bias / mean:.1%} | {r:.3f} |"
        )


if __name__ == "__main__":
    main()
