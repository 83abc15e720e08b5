"""The audit of the Taleqani smears finds their copies and their scale bar without being told; other smears' pairs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leukstudy.audit.near_duplicates import COLUMNS, find_near_duplicates
from leukstudy.audit.run import run_audit
from leukstudy.data.catalogue import catalogue
from leukstudy.data.identify import identify_all
from leukstudy.data.split import assign

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROOT, BCCD, ZHENG = DATA / "taleqani", DATA / "bccd" / "JPEGImages", DATA / "zheng-wbc-1"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not ROOT.is_dir(), reason="the Taleqani smears are not beside the project (shared/data)"
    ),
]


@pytest.fixture(scope="module")
def audit():
    manifest = assign(catalogue(ROOT, "taleqani"), seed=7)
    near = find_near_duplicates(manifest[manifest["excluded"] == ""], ROOT)
    return run_audit(manifest, ROOT, near=near)


def found(audit, check):
    return audit.findings.set_index("check").loc[check]


def test_the_exact_duplicates_are_reported(audit):
    assert "28 copies (Pro 28)" in found(audit, "exact_duplicates")["found"]
    copies = audit.details[audit.details["check"] == "exact_duplicates"]
    assert len(copies) == 28 and copies["image_id"].str.startswith("Pro/").all()


def test_the_scale_bar_is_found_without_being_told_where(audit):
    row = found(audit, "overlay")
    assert row["verdict"] == "fail" and row["images"] >= 2500
    assert "corner: bottom-right" in row["advice"]
    # It lies wholly within the patch that the preset of this source masks, which was found by eye.
    width, height = (
        float(row["advice"].split(f"{name}: ")[1].split("}")[0].split(",")[0]) for name in ("width", "height")
    )
    assert 0.12 <= width <= 0.35 and 0.08 <= height <= 0.15


def test_fields_that_were_shot_twice_are_found_within_classes(audit):
    pairs = audit.details[audit.details["check"] == "near_duplicates"]
    assert 45 <= len(pairs) <= 70 and (pairs["value"] >= 0.85).all()
    assert (pairs["image_id"].str.split("/").str[0] == pairs["other_id"].str.split("/").str[0]).all()
    numbers = [
        pairs[side].str.extract(r"(\d+)$", expand=False).astype(int) for side in ("image_id", "other_id")
    ]
    assert (np.abs(numbers[0] - numbers[1]) <= 6).mean() > 0.9  # neighbours, as fields shot twice are


def test_light_tells_these_classes_apart(audit):
    for check in ("shortcut_background", "shortcut_borders", "shortcut_brightness"):
        assert found(audit, check)["verdict"] == "warn", check
    for check in (
        "class_by_source",
        "class_by_camera",
        "class_by_size",
        "class_by_format",
        "shortcut_image_size",
    ):
        assert found(audit, check)["verdict"] == "pass", check
    assert 3 <= found(audit, "out_of_focus")["images"] <= 25


@pytest.mark.parametrize(
    ("folder", "pattern", "known"),
    [
        (BCCD, "*.jpg", {("BloodImage_00037", "BloodImage_00038")}),
        (ZHENG, "*.bmp", {("112", "139"), ("157", "158"), ("166", "171"), ("167", "169")}),
    ],
)
def test_other_smears_hold_few_copies_and_no_false_ones(folder, pattern, known):
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not beside the project (shared/data)")
    paths = sorted(folder.glob(pattern))
    table = identify_all(paths)
    table = table.assign(image_id=[path.stem for path in paths], path=[path.name for path in paths])
    near = find_near_duplicates(table, folder)
    assert list(near.columns) == list(COLUMNS)
    # Each of these pairs was looked at: the same cell or field, cut out or shot twice.
    assert set(zip(near["a"], near["b"], strict=True)) == known
    assert isinstance(near, pd.DataFrame)
