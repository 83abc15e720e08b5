"""Every adapter on a fabricated miniature of its layout, odd cases included."""

import shutil

import numpy as np
import pytest
from fabricate_sources import (
    MINIATURES,
    all_idb1,
    bccd,
    bloodmnist_npz,
    c_nmc_tcia,
    picture,
    segmentation_wbc,
)
from PIL import Image

from leukstudy.data import DataProblem
from leukstudy.data.adapters import all_idb1 as idb1
from leukstudy.data.adapters import aml_lmu, bloodmnist, five_class_augmented, folder
from leukstudy.data.adapters import bccd as fields
from leukstudy.data.adapters import segmentation_wbc as zheng
from leukstudy.data.adapters.layout import COLUMNS
from leukstudy.data.sources import SOURCES, find_source, source_rows


@pytest.mark.parametrize("miniature", MINIATURES)
def test_a_delivery_becomes_rows(miniature, tmp_path):
    name, write = MINIATURES[miniature]
    root = tmp_path / "data"
    root.mkdir()
    expected = write(root)
    table = source_rows(find_source(name), root)

    assert list(table.columns) == [*COLUMNS, "excluded_by_source"]
    assert all(str(kind) == "str" for kind in table.dtypes)
    assert table["path"].is_monotonic_increasing and table["path"].is_unique
    assert all((root / path).is_file() and "\\" not in path for path in table["path"])
    assert table["label"].value_counts().to_dict() == expected.labels
    known = find_source(name).classes
    assert not known or set(table["label"]) <= set(known)
    assert table["official_split"].value_counts().to_dict() == (expected.splits or {"": len(table)})
    assert set(table["patient_id"]) == expected.patients
    assert table["original_id"].nunique() == expected.groups
    assert sum(table.attrs["left_out"].values()) == expected.left_out
    said = "; ".join(table.attrs["notes"])
    assert all(note in said for note in expected.notes) and bool(said) == bool(expected.notes)
    assert (table["excluded_by_source"] != "").sum() == expected.excluded
    # the same files give the same rows, and not a file was changed
    assert source_rows(find_source(name), root).equals(table)


def test_every_source_has_a_miniature():
    assert {name for name, _ in MINIATURES.values()} == set(SOURCES)


def test_the_embedded_phantom_is_read_whole(root):
    table = source_rows(find_source("phantom"), root / "assets" / "phantom")
    assert len(table) > 100 and set(table["label"]) == {"healthy", "ALL", "AML", "CLL", "CML"}
    assert (table["patient_id"] != "").all() and not table["path"].str.startswith("_").any()


@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_without_anything_of_the_source_is_refused(name, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataProblem, match=r"(?i)expected"):
        source_rows(find_source(name), tmp_path)
    with pytest.raises(DataProblem, match="no such folder"):
        source_rows(find_source(name), tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        (
            "taleqani",
            "Original/Pro/WBC-Malignant-Pre-001.jpg",
            "says Pre in its name, but its folder says Pro",
        ),
        ("aml_lmu", "AML-Cytomorphology/LYT/MYO_0001.tiff", "says MYO in its name, but its folder says LYT"),
        ("c_nmc_2019", "fold_0/hem/UID_1_1_1_all.bmp", "says ALL in its name, but its folder says HEM"),
    ],
)
def test_name_and_folder_that_disagree_are_refused(name, path, says, tmp_path):
    picture(tmp_path / path)
    with pytest.raises(DataProblem, match=says):
        source_rows(find_source(name), tmp_path)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("taleqani", ("a/Pro/WBC-Malignant-Pro-001.jpg", "b/Pro/wbc-malignant-pro-001.jpg")),
        ("c_nmc_2019", ("fold_0/all/UID_1_1_1_all.bmp", "fold_0/fold_0/all/UID_1_1_1_all.bmp")),
        ("all_idb1", ("im/Im001_1.jpg", "ALL_IDB1/im/Im001_1.jpg")),
    ],
)
def test_a_delivery_unpacked_twice_is_refused(name, paths, tmp_path):
    for path in paths:
        picture(tmp_path / path)
    with pytest.raises(DataProblem, match="unpacked more than once"):
        source_rows(find_source(name), tmp_path)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("57,1.bmp,2", "the label of '1.bmp' is '2'"),
        ("someone,1.bmp,1", "the Patient_ID of '1.bmp' is 'someone'"),
        ("UID_H57_1_1_hem.bmp,1.bmp,1", "says otherwise"),
        ("57,1.bmp,1\n57,1.bmp,0", "stands twice, with two labels"),
    ],
)
def test_c_nmc_csv_that_contradicts_itself(row, says, tmp_path):
    c_nmc_tcia(tmp_path)
    (tmp_path / "C-NMC_test_prelim_phase_data_labels.csv").write_text(f"Patient_ID,new_names,labels\n{row}\n")
    with pytest.raises(DataProblem, match=says):
        source_rows(find_source("c_nmc_2019"), tmp_path)


def test_c_nmc_subjects_and_fields(tmp_path):
    c_nmc_tcia(tmp_path)
    table = source_rows(find_source("c_nmc_2019"), tmp_path).set_index("path")
    assert table.loc["C-NMC_training_data/fold_1/hem/UID_h12_2_1_hem.bmp", ["patient_id", "original_id"]].tolist() == [
        "H12", "H12_2",
    ]  # fmt: skip
    prelim = table.loc["C-NMC_test_prelim_phase_data/1.bmp"]
    assert (prelim["label"], prelim["patient_id"], prelim["original_id"]) == ("ALL", "57", "57_29")


def test_overlapping_fields_of_all_idb1_are_one_group(tmp_path):
    all_idb1(tmp_path)
    groups = source_rows(find_source("all_idb1"), tmp_path).set_index("path")["original_id"]
    assert groups["im/Im009_1.jpg"] == groups["im/Im010_1.jpg"] == "Im009+Im010+Im011"
    assert groups["im/Im036_0.jpg"] == groups["im/Im103_0.jpg"] != groups["im/Im001_1.jpg"] == "Im001"


def test_centres_of_all_idb1(tmp_path):
    all_idb1(tmp_path)
    found = idb1.centres(tmp_path)
    assert found.groupby("path").size().to_dict() == {"im/Im001_1.jpg": 2, "im/Im003_1.JPG": 1}
    assert found.loc[0, ["x", "y"]].tolist() == [12.0, 7.0]
    bad = found.attrs["bad"]
    assert len(bad) == 3
    assert "outside 40 x 30" in bad[0] and "no two numbers" in bad[1] and "no such field" in bad[2]
    shutil.rmtree(tmp_path / "xyc")
    with pytest.raises(DataProblem, match=r"no \.xyc file"):
        idb1.centres(tmp_path)


def test_boxes_of_bccd_that_cannot_be_are_named_and_not_used(tmp_path):
    bccd(tmp_path)
    found = fields.boxes(tmp_path)
    assert found["cell"].tolist() == ["WBC", "RBC", "Platelets"]
    assert found.loc[0, ["path", "x0", "y0", "x1", "y1"]].tolist() == [
        "JPEGImages/BloodImage_00000.jpg",
        3,
        4,
        30,
        40,
    ]
    said = "; ".join(found.attrs["bad"])
    assert len(found.attrs["bad"]) == 6
    for why in (
        "no area",
        "outside 64 x 48",
        "no four numbers",
        "unknown kind of cell",
        "BloodImage_00001.xml: ",
        "no such image",
    ):
        assert why in said


def test_masks_stand_beside_their_images(tmp_path):
    bccd(tmp_path / "bccd")
    pairs = fields.masks(tmp_path / "bccd")
    assert pairs["mask_path"].tolist() == [f"nucleus_masks_banik/BloodImage_Mask_0000{n}.png" for n in (0, 1)]
    segmentation_wbc(tmp_path / "zheng")
    pairs = zheng.masks(tmp_path / "zheng")
    assert pairs["mask_path"].tolist() == ["Dataset 1/001.png", "Dataset 1/139.png", "Dataset 2/001.png"]
    mask = np.asarray(Image.open(tmp_path / "zheng" / pairs["mask_path"][0]))
    assert set(np.unique(mask)) == {0, 128, 255}


def test_types_of_two_datasets_are_never_mixed_up(tmp_path):
    segmentation_wbc(tmp_path)
    (tmp_path / "Class Labels of Dataset 2.csv").rename(tmp_path / "labels.csv")
    table = source_rows(find_source("segmentation_wbc"), tmp_path)
    assert table["path"].str.startswith("Dataset 1/").all() and table.attrs["left_out"] == {
        "image that no CSV names": 3
    }


def test_re_annotations_of_lmu(tmp_path):
    MINIATURES["aml_lmu"][1](tmp_path)
    said = aml_lmu.annotations(tmp_path)
    assert said.iloc[0].tolist() == ["MYO/MYO_0001.tiff", "MYO", "MYO", "MOB"]
    assert said.iloc[1, 2:].tolist() == said.iloc[2, 2:].tolist() == ["", ""]
    next(tmp_path.rglob("annotations.dat")).write_text("MYO/MYO_0001.tiff\n")
    with pytest.raises(DataProblem, match="line 1 has not 2 to 4 fields"):
        aml_lmu.annotations(tmp_path)
    assert "no readable annotations.dat" in source_rows(find_source("aml_lmu"), tmp_path).attrs["notes"][0]


def test_copies_stay_with_their_original(tmp_path):
    MINIATURES["five_class_augmented"][1](tmp_path)
    groups = five_class_augmented.rows(tmp_path).set_index("path")["original_id"]
    assert (
        groups["set/ALL_train/Im1_1.jpg"]
        == groups["set/ALL_test/ALL_original_Im1_1.jpg_ffee-1.jpg"]
        == "ALL/Im1_1"
    )
    # one name in two classes is two originals
    assert groups["set/H/H_original_12_77aa.jpg"] != groups["set/CML-2/CML_original_12_abc.jpg"]


def test_bloodmnist_is_unpacked_pixel_for_pixel(tmp_path):
    archive = bloodmnist_npz(tmp_path / "bloodmnist_64.npz", side=64)
    assert bloodmnist.unpack(archive, tmp_path / "out") == 6
    images = np.load(archive)["train_images"]
    assert (np.asarray(Image.open(tmp_path / "out" / "platelet" / "train_00002.png")) == images[2]).all()
    (tmp_path / "packed").mkdir()
    shutil.copy(archive, tmp_path / "packed")
    with pytest.raises(
        DataProblem, match=r"not unpacked; `leukstudy data use bloodmnist=.*bloodmnist_64\.npz`"
    ):
        bloodmnist.rows(tmp_path / "packed")


def _npz(path, **changes):
    arrays = dict(np.load(bloodmnist_npz(path))) | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"val_images": None}, "no array 'val_images'"),
        ({"val_labels": np.array([[8]], np.uint8)}, "numbers from 0 to 7"),
        ({"val_labels": np.array([[{"a": 1}]], object)}, "expected whole numbers"),
        ({"val_images": np.zeros((2, 28, 28, 3), np.uint8)}, "one for each label"),
        ({"val_images": np.zeros((1, 28, 28, 3), np.float32)}, "expected whole numbers"),
    ],
)
def test_an_npz_that_is_not_bloodmnist_is_refused(changes, says, tmp_path):
    with pytest.raises(DataProblem, match=says):
        bloodmnist.unpack(_npz(tmp_path / "x.npz", **changes), tmp_path / "out")


def test_a_broken_npz_is_refused(tmp_path):
    archive = bloodmnist_npz(tmp_path / "x.npz")
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(DataProblem, match=r"no sound \.npz file"):
        bloodmnist.unpack(archive, tmp_path / "out")


def test_own_metadata_is_checked(tmp_path):
    picture(tmp_path / "ALL" / "a.png")
    (tmp_path / "metadata.csv").write_text("path,official_split\nALL/a.png,training\n")
    with pytest.raises(
        DataProblem, match=r"official_split is 'training' for 'ALL/a.png'.*expected train, val, test"
    ):
        folder.rows(tmp_path)
    (tmp_path / "metadata.csv").write_text("path,official_split,slide_id\nALL/a.png, test ,S1\n")
    assert folder.rows(tmp_path).iloc[0].tolist() == ["ALL/a.png", "ALL", "", "S1", "", "test"]
