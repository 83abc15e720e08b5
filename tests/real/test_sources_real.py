"""Adapters on the real deliveries: Taleqani, BCCD, Zheng's Dataset 1."""

from pathlib import Path

import numpy as np
import pytest

from leukstudy.data.adapters import bccd, segmentation_wbc
from leukstudy.data.sources import find_source, source_rows
from leukstudy.data.verify import DIFFERS, contradicts, verify
from leukstudy.imaging.io import read_image

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.real


def folder(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not beside the project (shared/data)")
    return DATA / name


def test_taleqani():
    root = folder("taleqani")
    table = source_rows(find_source("taleqani"), root)
    assert table["label"].value_counts().to_dict() == {"Early": 785, "Pre": 763, "Pro": 644, "Benign": 399}
    assert table.attrs == {"left_out": {}, "notes": []}
    assert (
        table[["patient_id", "slide_id", "original_id", "official_split", "excluded_by_source"]] == ""
    ).all(axis=None)


def test_taleqani_here_is_a_part_of_what_was_published():
    found = verify(find_source("taleqani"), folder("taleqani"))
    assert contradicts(found)
    assert set(found.loc[found["verdict"] == DIFFERS, "what"]) == {
        "images", "label Benign", "label Early", "label Pre", "label Pro",
    }  # fmt: skip
    assert found.set_index("what").loc["images", "found"] == "2,591 (665 missing)"


def test_bccd_is_as_published_but_for_two_boxes():
    root = folder("bccd")
    assert not contradicts(verify(find_source("bccd"), root))
    table = source_rows(find_source("bccd"), root)
    assert table["official_split"].value_counts().to_dict() == {"train": 205, "val": 87, "test": 72}
    boxes = bccd.boxes(root)
    assert boxes["cell"].value_counts().to_dict() == {"RBC": 4153, "WBC": 372, "Platelets": 361}
    assert boxes["path"].nunique() == 364 and len(boxes.attrs["bad"]) == 2
    assert all("no area" in bad for bad in boxes.attrs["bad"])
    assert (boxes["x0"] < boxes["x1"]).all() and boxes[["x1", "y1"]].max().tolist() == [640, 480]


def test_bccd_masks_fit_their_images():
    root = folder("bccd")
    pairs = bccd.masks(root)
    assert len(pairs) == 364 and pairs["mask_path"].is_unique
    assert all(path[-9:-4] == mask[-9:-4] for path, mask in pairs.itertuples(index=False))
    for path, mask in pairs.iloc[::60].itertuples(index=False):
        assert read_image(root / path).shape == read_image(root / mask).shape


def test_zheng_images_masks_and_types():
    root = folder("zheng-wbc-1")
    table = source_rows(find_source("segmentation_wbc"), root)
    counts = table["label"].value_counts().to_dict()
    assert counts == {"type 1": 176, "type 2": 53, "type 3": 48, "type 4": 22, "type 5": 1}
    assert not table.attrs["notes"] and not table.attrs["left_out"]
    pairs = segmentation_wbc.masks(root)
    assert len(pairs) == 300
    for path, mask in pairs.itertuples(index=False):
        image, truth = read_image(root / path), read_image(root / mask)
        assert image.shape == truth.shape and set(np.unique(truth)) == {0, 128, 255}


def test_the_known_duplicate_of_zheng_is_left_out_and_is_one():
    root = folder("zheng-wbc-1")
    table = source_rows(find_source("segmentation_wbc"), root)
    excluded = table.loc[table["excluded_by_source"] != "", "path"].tolist()
    assert excluded == ["139.bmp"]
    assert (read_image(root / "112.bmp") == read_image(root / "139.bmp")).all()
