"""Features of the true masks, where the data have them, so that what segmentation adds can be measured."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.imaging.features import morphology_features
from leukstudy.imaging.io import read_image
from leukstudy.imaging.segment import label_cells

COMPARED = ("morph_nucleus_area", "morph_nc_ratio", "morph_nucleus_circularity")
"""What agrees with the truth or does not: the three that the study's claims rest on."""


def truth_of(path: Path, root: Path) -> Path:
    """Where the mask of an image below `root` lies, as the phantom writes it: `_truth/<class>/<name>.png`."""
    return root / "_truth" / path.relative_to(root).with_suffix(".png")


def true_features(root: Path, paths: pd.Series, *, size: int, most: int = 150) -> pd.DataFrame:
    """Morphology of the true masks of up to `most` images, evenly taken: the features of `morphology_features`.

    `paths` are relative to `root`; the index of the result is theirs. Masks hold 0, 128 for cytoplasm and 255 for
    nuclei, and are resized to `size` as the images were, so that both are measured at one scale. Images without a mask
    are passed over; without any the table is empty.
    """
    root = Path(root)
    there = paths[[truth_of(root / path, root).is_file() for path in paths]]
    chosen = there.iloc[np.unique(np.linspace(0, max(0, len(there) - 1), min(most, len(there))).astype(int))]
    rows = []
    for path in chosen:
        rgb, truth = read_image(root / path), read_image(truth_of(root / path, root))[:, :, 0]
        rgb = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA)
        truth = cv2.resize(truth, (size, size), interpolation=cv2.INTER_NEAREST)
        nuclei = truth > 192
        rows.append(morphology_features(rgb, nuclei, label_cells(rgb, nuclei, truth > 64)))
    return pd.DataFrame(rows, index=chosen.index)
