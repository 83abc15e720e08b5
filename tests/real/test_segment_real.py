"""Segmentation against experts' masks (Zheng et al. 2018, dataset 1) and on whole fields (BCCD)."""

from pathlib import Path

import numpy as np
import pytest

from leukstudy.imaging.io import read_image
from leukstudy.imaging.segment import label_cells, segment_cells, segment_nuclei
from leukstudy.study.methods import SEGMENTATIONS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ZHENG, BCCD = DATA / "zheng-wbc-1", DATA / "bccd"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not ZHENG.is_dir(), reason="the smears of Zheng are not beside the project (shared/data)"
    ),
]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / max((a.sum() + b.sum()), 1)


@pytest.fixture(scope="module")
def zheng():
    pairs = [
        (read_image(path), read_image(path.with_suffix(".png"))[:, :, 0])
        for path in sorted(ZHENG.glob("*.bmp"))
    ]
    assert len(pairs) == 300
    return pairs


def test_nuclei_agree_with_the_experts(zheng):
    scores = np.array([dice(segment_nuclei(rgb), truth > 192) for rgb, truth in zheng])
    assert scores.mean() >= 0.955 and np.median(scores) >= 0.965 and np.percentile(scores, 5) >= 0.89


def test_cells_agree_with_the_experts(zheng):
    scores = np.array([dice(segment_cells(rgb), truth > 64) for rgb, truth in zheng])
    assert scores.mean() >= 0.95 and np.percentile(scores, 5) >= 0.88


def test_the_default_beats_the_simple_methods(zheng):
    some = zheng[::5]
    means = {
        method: np.mean([dice(segment_nuclei(rgb, method), truth > 192) for rgb, truth in some])
        for method in SEGMENTATIONS
    }
    assert max(means, key=means.get) == "stain" and means["otsu_green3"] > means["otsu_grey"]
    assert 0.60 < means["otsu_grey"] < 0.72  # paper A's method, the polarity mended


def test_small_crops_are_segmented_as_well(zheng):
    crops = [(rgb[8:104, 8:104], truth[8:104, 8:104]) for rgb, truth in zheng[::5] if min(truth.shape) >= 104]
    scores = [dice(segment_nuclei(np.ascontiguousarray(rgb)), truth > 192) for rgb, truth in crops]
    assert len(crops) > 40 and np.mean(scores) >= 0.93


@pytest.mark.skipif(not BCCD.is_dir(), reason="the BCCD fields are not beside the project (shared/data)")
def test_nuclei_of_fields_lie_in_the_boxes_of_white_cells():
    import xml.etree.ElementTree as ET

    inside, found, boxes = [], 0, 0
    for path in sorted((BCCD / "JPEGImages").glob("*.jpg"))[::12]:
        tree = ET.parse(BCCD / "Annotations" / f"{path.stem}.xml")
        allowed = np.zeros((480, 640), dtype=bool)
        nuclei = segment_nuclei(read_image(path))
        for item in tree.iter("object"):
            if item.findtext("name") != "WBC":
                continue
            left, top, right, bottom = (
                int(item.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")
            )
            allowed[top:bottom, left:right] = True
            boxes += 1
            found += nuclei[top:bottom, left:right].mean() > 0.1
        if allowed.any() and nuclei.any():
            inside.append((nuclei & allowed).sum() / nuclei.sum())
    assert found / boxes >= 0.9 and np.mean(inside) >= 0.8


@pytest.mark.skipif(not BCCD.is_dir(), reason="the BCCD fields are not beside the project (shared/data)")
def test_cells_of_fields_agree_with_third_party_masks():
    # They are called nucleus masks and are drawn around whole cells.
    scores, single = [], []
    for path in sorted((BCCD / "nucleus_masks_banik").glob("*.png"))[::12]:
        rgb = read_image(BCCD / "JPEGImages" / f"BloodImage_{path.stem[-5:]}.jpg")
        labels = label_cells(rgb)
        scores.append(dice(labels > 0, read_image(path)[:, :, 0] > 127))
        single.append(labels.max())
    assert np.mean(scores) >= 0.83 and np.median(scores) >= 0.88
    assert np.median(single) == 1 and max(single) <= 5
