"""The audit finds each planted flaw, and nothing in a clean set."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from fabricate_flaws import CLASSES, audited, blob_set, verdicts
from PIL import Image

from leukstudy.audit.findings import DETAILS, FINDINGS, Thresholds, failing, require
from leukstudy.audit.near_duplicates import find_near_duplicates
from leukstudy.audit.overlay import corner_mask
from leukstudy.audit.run import run_audit
from leukstudy.audit.shortcuts import shortcut
from leukstudy.data import DataProblem
from leukstudy.data.catalogue import catalogue
from leukstudy.data.manifest import COLUMNS
from leukstudy.data.split import assign
from leukstudy.phantom import write_phantom
from leukstudy.phantom.plant import FLAWS
from leukstudy.study.checks import CHECKS

# Which check must find which planted flaw; other checks may see the same flaw from their side.
FOUND_BY = {
    "patients_in_two_classes": {"label_conflicts"},
    "duplicates": {"exact_duplicates", "near_duplicates"},
    "mislabelled": {"label_conflicts"},
    "scale_bar": {"overlay"},
    "stain": {"shortcut_background"},
    "size": {"class_by_size", "shortcut_image_size"},
    "format": {"class_by_format"},
    "camera": {"class_by_camera"},
    "file_size": {"class_by_file_size", "shortcut_file_size"},
    "quality": {"out_of_focus", "exposure", "nearly_empty"},
}


def phantom(root, plant):
    patients = dict.fromkeys(("healthy", "ALL", "CLL"), 6)
    write_phantom(root, seed=11, patients=patients, images_per_patient=3, plant=plant)
    return root


@pytest.fixture
def root(tmp_path):
    blob_set(tmp_path / "data")
    return tmp_path / "data"


def edit(root, change, label="ALL"):
    """Change all pictures of a class in place."""
    for path in sorted((root / label).glob("*.png")):
        cv2.imwrite(str(path), change(cv2.imread(str(path))))


def row(audit, check):
    return audit.findings.set_index("check").loc[check]


def images_of(audit, check):
    rows = audit.details[audit.details["check"] == check]
    return set(rows["image_id"]) | set(rows["other_id"]) - {""}


# --- planted in the phantom ----------------------------------------------------------------------------------


def test_every_flaw_of_the_phantom_is_expected_here():
    assert set(FOUND_BY) == set(FLAWS)
    assert set().union(*FOUND_BY.values()) <= set(CHECKS)


@pytest.mark.parametrize("flaw", FOUND_BY)
def test_a_planted_flaw_is_found(tmp_path, flaw):
    root = phantom(tmp_path / "p", flaw)
    audit = audited(root)
    assert FOUND_BY[flaw] <= set(verdicts(audit)), audit.findings[["check", "verdict", "found"]].to_string()
    if flaw in ("duplicates", "mislabelled", "patients_in_two_classes", "quality"):
        planted = pd.read_csv(root / "_truth" / "planted.csv")["path"].str.replace(r"\.\w+$", "", regex=True)
        named = set().union(*(images_of(audit, check) for check in FOUND_BY[flaw]))
        # Of a mislabelled patient's pictures those are found of which a copy stands under the right label.
        assert named & set(planted) if flaw == "mislabelled" else set(planted) <= named


@pytest.mark.parametrize("patients", [{"healthy": 6, "ALL": 6, "CLL": 6}, {"healthy": 8, "AML": 8}])
def test_a_clean_phantom_raises_nothing(tmp_path, patients):
    write_phantom(tmp_path / "p", seed=12, patients=patients, images_per_patient=4)
    audit = audited(tmp_path / "p")
    assert verdicts(audit) == {}, audit.findings[["check", "verdict", "found"]].to_string()
    assert audit.findings["check"].tolist() == list(CHECKS) and audit.details.empty


# --- fabricated ----------------------------------------------------------------------------------------------


def test_clean_blobs_raise_nothing_and_the_tables_are_whole(root):
    audit = audited(root)
    assert verdicts(audit) == {}, audit.findings[["check", "verdict", "found"]].to_string()
    assert {name: str(kind) for name, kind in audit.findings.dtypes.items()} == FINDINGS
    assert {name: str(kind) for name, kind in audit.details.dtypes.items()} == DETAILS
    assert (audit.findings["found"] != "").all()


def test_the_result_depends_on_the_data_alone(root):
    edit(root, lambda bgr: cv2.rectangle(bgr, (70, 86), (92, 88), (0, 0, 0), -1))
    one, many = audited(root, workers=1), audited(root, workers=3)
    for first, second in zip(one, many, strict=True):
        pd.testing.assert_frame_equal(first, second)
    manifest = assign(catalogue(root, "folder"), seed=5, folds=2)
    shuffled = manifest.sample(frac=1, random_state=1)
    third = run_audit(shuffled, root)
    pd.testing.assert_frame_equal(one.findings, third.findings)


def test_near_duplicates_are_searched_once_and_passed_on(root, monkeypatch):
    shutil.copy(root / "ALL" / "P06_0.png", root / "ALL" / "P06_9.png")
    picture = cv2.imread(str(root / "ALL" / "P06_9.png"))
    cv2.imwrite(str(root / "ALL" / "P06_9.png"), cv2.convertScaleAbs(picture, alpha=0.97))
    table = pd.read_csv(root / "metadata.csv")
    table.loc[len(table)] = ["ALL/P06_9.png", "P06"]
    table.to_csv(root / "metadata.csv", index=False)
    manifest = assign(catalogue(root, "folder"), seed=5, folds=2)
    near = find_near_duplicates(manifest[manifest["excluded"] == ""], root)
    monkeypatch.setattr("leukstudy.audit.run.find_near_duplicates", lambda *_, **__: pytest.fail("twice"))
    audit = run_audit(manifest, root, near=near)
    assert verdicts(audit) == {"near_duplicates": "warn"}
    assert "0 across splits, 0 across groups, 0 across classes" in row(audit, "near_duplicates")["found"]
    assert row(audit, "near_duplicates")["examples"] == "ALL/P06_0 = ALL/P06_9"


def test_a_split_that_parts_copies_fails(root):
    manifest = assign(catalogue(root, "folder"), seed=5, folds=2)
    sides = {
        side: manifest[(manifest["split"] == side) & (manifest["label"] == "ALL")]
        for side in ("train", "test")
    }
    near = pd.DataFrame([(sides["test"]["image_id"].iloc[0], sides["train"]["image_id"].iloc[0], 3, 0.97, "mirrored")],
                        columns=["a", "b", "distance", "correlation", "transform"])  # fmt: skip
    audit = run_audit(manifest, root, near=near)
    assert verdicts(audit) == {"near_duplicates": "fail", "groups_across_splits": "fail"}
    assert (
        "mirrored" in audit.details["note"].iloc[0]
        and "1 turned or flipped" in row(audit, "near_duplicates")["found"]
    )


def test_a_group_on_two_sides_fails(root):
    manifest = assign(catalogue(root, "folder"), seed=5, folds=2)
    group = manifest.loc[manifest["split"] == "test", "group_id"].iloc[0]
    manifest.loc[manifest.index[manifest["group_id"] == group][0], "split"] = "train"
    audit = run_audit(manifest, root)
    assert row(audit, "groups_across_splits")["verdict"] == "fail"
    assert images_of(audit, "groups_across_splits") == set(
        manifest.loc[manifest["group_id"] == group, "image_id"]
    )


def test_the_same_picture_under_two_labels(root):
    shutil.copy(root / "ALL" / "P06_0.png", root / "AML" / "P12_9.png")
    (root / "metadata.csv").unlink()
    manifest = assign(catalogue(root, "folder", block_size=4), seed=5, folds=2)
    audit = run_audit(manifest, root)
    assert verdicts(audit)["label_conflicts"] == "fail"
    assert images_of(audit, "label_conflicts") == {"ALL/P06_0", "AML/P12_9"}


def test_a_duplicate_that_is_still_kept_fails(root):
    shutil.copy(root / "ALL" / "P06_0.png", root / "ALL" / "P06_9.png")
    (root / "metadata.csv").unlink()
    manifest = catalogue(root, "folder", block_size=5)
    assert row(run_audit(manifest, root), "exact_duplicates")["verdict"] == "warn"
    manifest["excluded"] = ""
    audit = run_audit(assign(manifest, seed=5, folds=2), root)
    assert row(audit, "exact_duplicates")["verdict"] == "fail"


def test_two_sources_that_hold_one_class_each(root):
    manifest = assign(catalogue(root, "folder"), seed=5, folds=2)
    manifest.loc[manifest["label"] == "AML", "source"] = "elsewhere"
    audit = run_audit(manifest, root)
    assert row(audit, "class_by_source")["verdict"] == "fail"
    assert "elsewhere in AML only" in row(audit, "class_by_source")["found"]
    # Two sources with all classes in each give nothing away, nor does a single stray image.
    manifest["source"] = np.where(np.arange(len(manifest)) % 2, "one", "other")
    assert row(run_audit(manifest, root), "class_by_source")["verdict"] == "pass"
    manifest["source"] = "one"
    manifest.loc[0, "source"] = "stray"
    assert (
        row(run_audit(manifest, root, thresholds={"confined_share": 0.2}), "class_by_source")["verdict"]
        == "pass"
    )


def test_a_moving_stroke_is_found_too(root):
    rng = np.random.default_rng(0)

    def draw(bgr):
        x, y = rng.integers(5, 60), rng.integers(4, 16)  # above the cell, whose nucleus is dark too
        return cv2.rectangle(bgr, (int(x), int(y)), (int(x) + 25, int(y) + 1), (0, 0, 0), -1)

    edit(root, draw)
    audit = audited(root)
    assert row(audit, "overlay")["verdict"] == "fail" and "no fixed place" in row(audit, "overlay")["found"]
    assert len(images_of(audit, "overlay")) >= 22


@pytest.mark.parametrize("corner", ["top-left", "bottom-right"])
def test_writing_is_placed_and_the_mask_covers_it_whatever_the_sizes(root, corner):
    def write(bgr, side):
        bgr = cv2.resize(bgr, (side, side))
        x, y = (4, 12) if corner == "top-left" else (side - 26, side - 6)
        return cv2.putText(bgr, "20um", (x, y), cv2.FONT_HERSHEY_PLAIN, 0.6, (0, 0, 0), 1)

    for label in CLASSES:
        sizes = iter(range(90, 1000))
        edit(root, lambda bgr, sizes=sizes: write(bgr, next(sizes)), label)
    audit = audited(root)
    found = row(audit, "overlay")
    assert found["verdict"] in ("warn", "fail") and f"corner: {corner}" in found["advice"], found["found"]
    assert len(images_of(audit, "overlay")) >= 0.9 * 72


def test_corner_masks():
    assert corner_mask((0.8, 0.9, 0.97, 0.98)) == {"corner": "bottom-right", "width": 0.25, "height": 0.15}
    assert corner_mask((0.0, 0.02, 0.2, 0.1)) == {"corner": "top-left", "width": 0.25, "height": 0.15}
    assert corner_mask((0.4, 0.4, 0.6, 0.6)) is None


def test_few_groups(tmp_path):
    blob_set(tmp_path, groups=4, images=3)
    manifest = assign(catalogue(tmp_path, "folder"), seed=5, folds=4)
    audit = run_audit(manifest, tmp_path)
    found = row(audit, "few_groups")
    assert found["verdict"] == "warn" and "ALL has 4 patients (expected 5 or more" in found["found"]
    lacking = manifest.copy()
    lacking.loc[(lacking["label"] == "ALL") & (lacking["fold"] == 1), "fold"] = 0
    audit = run_audit(lacking, tmp_path)
    assert "missing from 1 fold of the cross-validation" in row(audit, "few_groups")["found"]
    lacking = manifest.copy()
    lacking.loc[(lacking["label"] == "ALL") & (lacking["split"] == "test"), "split"] = "train"
    audit = run_audit(lacking, tmp_path)
    assert (
        row(audit, "few_groups")["verdict"] == "fail"
        and "missing from test" in row(audit, "few_groups")["found"]
    )


# --- shortcuts -----------------------------------------------------------------------------------------------


def light(groups, images, tied, seed=0):
    """Rows of two classes whose groups differ in brightness by chance, and by class where tied."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(2 * groups):
        label = "ab"[group % 2]
        level = rng.normal(6 * tied * (label == "a"), 1)
        rows += [(f"{group}-{k}", label, f"g{group:03d}", rng.normal(level, 0.3)) for k in range(images)]
    return pd.DataFrame(rows, columns=["image_id", "label", "group_id", "brightness"])


def test_a_shortcut_counts_on_held_out_groups_only():
    reached = shortcut(light(10, 20, tied=True), ("brightness",), threshold=0.8)
    assert reached.auroc > 0.99 and reached.p <= 0.01
    # Each group has its own level: within groups the label would be read off perfectly.
    chance = [
        shortcut(light(10, 20, tied=False, seed=s), ("brightness",), threshold=0.8).auroc for s in range(12)
    ]
    assert 0.3 < np.mean(chance) < 0.6 and max(chance) < 0.9


def test_few_groups_that_differ_by_chance_are_not_above_it():
    results = [shortcut(light(3, 30, tied=False, seed=s), ("brightness",), threshold=0.8) for s in range(30)]
    assert not any(result.best >= 0.8 and result.p <= 0.01 for result in results)


def test_a_middle_class_is_told_too_and_a_constant_tells_nothing():
    rows = pd.concat([light(8, 5, tied=False, seed=s).assign(label=name, brightness=lambda t, at=at: t["brightness"] + at,
                      group_id=lambda t, name=name: name + t["group_id"], image_id=lambda t, name=name: name + t["image_id"])
                      for s, (name, at) in enumerate((("low", 0), ("middle", 8), ("high", 16)))])  # fmt: skip
    assert min(shortcut(rows, ("brightness",), threshold=0.8).classes.values()) > 0.98
    assert shortcut(rows.assign(brightness=5.0), ("brightness",), threshold=0.8).best == 0.5


def test_nothing_can_be_held_out():
    rows = light(6, 3, tied=True)
    rows.loc[rows["label"] == "a", "group_id"] = "g000"
    assert shortcut(rows, ("brightness",), threshold=0.8) is None


# --- what is asked of it -------------------------------------------------------------------------------------


def test_failing():
    findings = pd.DataFrame(
        {"check": ["overlay", "exposure", "few_groups"], "verdict": ["fail", "warn", "pass"]}
    )
    assert failing(findings, []) == []
    assert failing(findings, ["fail"]) == ["overlay"]
    assert failing(findings, ["exposure", "few_groups"]) == ["exposure"]
    with pytest.raises(ValueError, match=r"names 'exposures'; known are: fail, exact_duplicates"):
        failing(findings, ["exposures"])


def test_thresholds_from_a_mapping_or_an_object():
    assert Thresholds.of(None) == Thresholds()
    assert (
        Thresholds.of({"blur": 0.5}).blur == 0.5 and Thresholds.of({"blur": 0.5}).empty == Thresholds().empty
    )
    assert Thresholds.of(type("Block", (), {"min_groups": 9})()).min_groups == 9
    with pytest.raises(ValueError, match="unknown threshold 'blurr'"):
        Thresholds.of({"blurr": 1})


def test_what_fail_on_names_stops_the_study_with_what_to_do(tmp_path):
    audit = audited(phantom(tmp_path / "data", "duplicates"))
    require(audit.findings, [])
    require(audit.findings, ["overlay", "class_by_camera"])
    with pytest.raises(
        DataProblem, match=r"audit\.fail_on names \(all images: build/audit/details\.csv\)"
    ) as error:
        require(audit.findings, ["near_duplicates", "overlay"])
    assert "near_duplicates: " in str(error.value) and "overlay" not in str(error.value).split("\n", 1)[1]
    row = audit.findings.set_index("check").loc["near_duplicates"]
    assert row["found"] in str(error.value) and row["advice"] in str(error.value)


def test_what_cannot_be_audited(root):
    manifest = catalogue(root, "folder")
    with pytest.raises(ValueError, match=r"lacks the measures \['bytes', .*what catalogue\.catalogue gives"):
        run_audit(manifest[list(COLUMNS)], root)
    with pytest.raises(DataProblem, match="no image is kept"):
        run_audit(manifest.assign(excluded="limited"), root)


def test_a_set_without_a_split_and_with_bad_files_is_audited(root):
    (root / "ALL" / "P06_0.png").write_bytes(b"nothing")
    Image.new("RGB", (20, 20)).save(root / "ALL" / "P06_1.png")
    manifest = catalogue(root, "folder")
    audit = run_audit(manifest, root)
    assert (
        verdicts(audit) == {}
        and row(audit, "groups_across_splits")["found"] == "No split has been assigned yet."
    )
