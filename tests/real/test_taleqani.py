"""The Taleqani smears: what the catalogue and the split make of 2,591 real files."""

from pathlib import Path

import numpy as np
import pytest

from leukstudy.audit.boxes import chosen
from leukstudy.audit.burnt_in import overlay_finding
from leukstudy.audit.findings import Thresholds
from leukstudy.data.catalogue import catalogue
from leukstudy.data.group import file_numbers
from leukstudy.data.manifest import flow
from leukstudy.data.split import SPLITS, assign
from leukstudy.imaging.batch import prepare_all

ROOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "taleqani"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not ROOT.is_dir(), reason="the Taleqani smears are not beside the project (shared/data)"
    ),
]
FOUND = {"Benign": 399, "Early": 785, "Pre": 763, "Pro": 644}


@pytest.fixture(scope="module")
def manifest():
    return assign(catalogue(ROOT, "taleqani"), seed=7)


def test_every_file_is_found_and_decoded(manifest):
    assert manifest.groupby("label").size().to_dict() == FOUND
    assert not manifest["excluded"].str.startswith("unreadable").any()
    assert (manifest[["width", "height"]] == 224).all(axis=None)


def test_duplicates_stand_within_pro(manifest):
    excluded = manifest[manifest["excluded"] != ""]
    assert set(excluded["label"]) == {"Pro"} and len(excluded) == 28
    assert excluded["excluded"].str.startswith("duplicate: same pixels as Pro/").all()
    kept = manifest[manifest["excluded"] == ""]
    assert not kept["sha256"].duplicated().any()


def test_groups_are_blocks_of_forty_numbers(manifest):
    assert set(manifest["group_level"]) == {"block"} and (manifest["patient_id"] == "").all()
    for label, rows in manifest.groupby("label"):
        numbers = rows["image_id"].str.extract(r"(\d+)$", expand=False).astype(int)
        assert (file_numbers(rows["path"]) == numbers).all()
        spans = numbers.groupby(rows["group_id"]).agg(["min", "max"])
        assert (spans["min"] // 40 == spans["max"] // 40).all(), label
        sizes = rows.groupby("group_id").size()
        # no remnant of a block is left where files are missing; the last block of a class may be short
        assert len(spans) >= 10 and sizes.drop(max(sizes.index)).min() >= 35


def test_the_split_holds_and_is_near_its_fractions(manifest):
    kept = manifest[manifest["excluded"] == ""]
    assert (kept.groupby("group_id")["split"].nunique() == 1).all()
    shares = kept.groupby("label")["split"].value_counts(normalize=True).unstack()
    assert set(shares.columns) == set(SPLITS) and shares.notna().all(axis=None)
    assert (shares["train"] - 0.70).abs().max() < 0.05 and (shares["test"] - 0.15).abs().max() < 0.06
    table = flow(manifest).query("label == ''").set_index(["step", "split"])["images"]
    assert table["found", ""] == 2591 and table["kept", ""] == 2563


def test_a_sample_is_prepared(manifest, tmp_path):
    sample = manifest.iloc[::80]
    mask = {"corner": "bottom-right", "width": 0.35, "height": 0.15}
    features = prepare_all(ROOT, sample, tmp_path / "out", size=224, mask_corner=mask, workers=1)
    assert np.isfinite(features.drop(columns="image_id").to_numpy()).all()
    assert features["morph_found"].mean() > 0.9
    share = np.load(tmp_path / "out" / "nuclei.npy").mean(axis=(1, 2))
    assert 0.01 < np.median(share) < 0.25
    # the painted corner is flat, and nothing is found in it
    corner = np.load(tmp_path / "out" / "images.npy")[:, -33:, -77:]
    assert (corner.reshape(len(corner), -1, 3).std(axis=1) == 0).all()


def test_the_scale_bar_is_found_and_masked_untold(manifest, tmp_path):
    kept = manifest[manifest["excluded"] == ""]
    _, overlays = overlay_finding(kept, ROOT, Thresholds())
    overlays.to_csv(tmp_path / "overlays.csv", index=False)
    (box,) = chosen("auto", tmp_path / "overlays.csv")
    left, top, right, bottom = box
    assert left <= 0.87 and top <= 0.91 and right == 1 and bottom >= 0.99
    assert (right - left) * (bottom - top) < 0.03
    sample = manifest.groupby("label").head(3)
    prepare_all(ROOT, sample, tmp_path / "out", size=224, mask_boxes=[box], workers=1)
    images = np.load(tmp_path / "out" / "images.npy")
    patch = images[:, int(np.ceil(224 * top)) : int(224 * bottom), int(np.ceil(224 * left)) :]
    assert (patch == patch[:, :1, :1]).all()


def test_most_fields_are_no_failed_segmentation(manifest, tmp_path):
    sample = manifest[manifest["excluded"] == ""].iloc[::20]
    features = prepare_all(ROOT, sample, tmp_path / "out", size=224, workers=1)
    assert features["quality_failed"].mean() < 0.12 and (features["quality_cells"] > 1).mean() > 0.9
