"""What is there against what was published: agreement, contradiction, and what is only noted."""

from dataclasses import replace

import pytest
from fabricate_sources import MINIATURES, bccd, bloodmnist_npz, c_nmc_tcia, picture, taleqani_flat

from leukstudy.data import DataProblem
from leukstudy.data.sources import find_source
from leukstudy.data.verify import AGREES, DIFFERS, NOTED, contradicts, verify


def rows(table):
    return {
        what: (published, found, verdict) for what, published, found, verdict in table.itertuples(index=False)
    }


def test_a_whole_delivery_is_as_published(tmp_path):
    taleqani_flat(tmp_path)
    source = replace(find_source("taleqani"), classes={"Benign": 1, "Pro": 1}, images=2, image_size="12x10")
    found = verify(source, tmp_path)
    assert not contradicts(found)
    assert rows(found)["images"] == ("2", "2", AGREES) and rows(found)["image size"][2] == AGREES
    assert rows(found)["left out: in no folder of a class"] == ("", "1", NOTED)


def test_missing_surplus_and_resized_images_differ(tmp_path):
    taleqani_flat(tmp_path)
    picture(tmp_path / "Pro" / "WBC-Malignant-Pro-002.jpg", size=(9, 9))
    (tmp_path / "Pro" / "WBC-Malignant-Pro-003.jpg").write_bytes(b"")
    source = replace(find_source("taleqani"), classes={"Benign": 4, "Pro": 1}, images=4, image_size="12x10")
    found = verify(source, tmp_path)
    assert contradicts(found)
    assert rows(found)["label Benign"] == ("4", "1 (3 missing)", DIFFERS)
    assert rows(found)["label Pro"] == ("1", "3 (2 too many)", DIFFERS)
    assert rows(found)["images"][2] == AGREES
    _, sizes, verdict = rows(found)["image size"]
    assert (
        verdict == DIFFERS and "12x10 2" in sizes and "9x9 1" in sizes and "unreadable (empty file" in sizes
    )


def test_what_the_registry_does_not_know_contradicts_nothing(tmp_path):
    MINIATURES["aml_mll"][1](tmp_path)
    found = verify(find_source("aml_mll"), tmp_path)
    assert not contradicts(found) and set(found["verdict"]) == {NOTED}
    assert rows(found)["patients"] == ("", "3, known of 5 images", NOTED)
    about = replace(find_source("aml_mll"), image_size="about 400x400")
    assert rows(verify(about, tmp_path))["image size"][2] == NOTED


def test_a_label_nobody_published_differs(tmp_path):
    picture(tmp_path / "ALL" / "a.png")
    source = replace(find_source("folder"), classes={"AML": 1}, images=1)
    found = rows(verify(source, tmp_path))
    assert found["label ALL"] == ("unknown label", "1", DIFFERS) and found["label AML"][2] == DIFFERS


def test_splits_notes_and_exclusions_are_told(tmp_path):
    c_nmc_tcia(tmp_path / "c_nmc")
    found = rows(verify(find_source("c_nmc_2019"), tmp_path / "c_nmc"))
    assert (
        found["official split test"][1] == "3" and found["left out: final test set, without labels"][1] == "2"
    )
    assert "2 spellings of one subject" in found["note"][1] or "names 1 image(s)" in found["note"][1]
    MINIATURES["segmentation_wbc"][1](tmp_path / "zheng")
    found = rows(verify(find_source("segmentation_wbc"), tmp_path / "zheng"))
    assert found["masks"][1] == "for 3 of 4 images"
    assert any(what.startswith("excluded: the same picture as 112.bmp") for what in found)


def test_boxes_that_cannot_be_used_are_counted(tmp_path):
    bccd(tmp_path)
    found = rows(verify(find_source("bccd"), tmp_path))
    assert found["boxes"][1] == "3 on 1 images" and found["boxes not used"][1].startswith("6: Annotations/")
    MINIATURES["all_idb1"][1](tmp_path / "idb1")
    found = rows(verify(find_source("all_idb1"), tmp_path / "idb1"))
    assert found["centres"][1] == "3 on 2 images" and found["centres not used"][1].startswith("3: ")


def test_checksums_of_a_file_and_within_a_folder(tmp_path):
    archive = bloodmnist_npz(tmp_path / "bloodmnist.npz")
    found = rows(verify(find_source("bloodmnist"), archive))
    assert found["checksum of bloodmnist.npz"][2] == DIFFERS  # a miniature is not the publisher's file
    import hashlib

    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    known = replace(find_source("bloodmnist"), checksums={"bloodmnist.npz": f"sha256:{digest}"})
    assert not contradicts(verify(known, archive))
    picture(tmp_path / "basophil" / "a.png")
    beside = replace(known, classes={}, images=None, image_size="?")
    assert rows(verify(beside, tmp_path))["checksum of bloodmnist.npz"][2] == AGREES
    with pytest.raises(DataProblem, match=r"without a published checksum .*bloodmnist_64\.npz"):
        verify(find_source("bloodmnist"), archive.rename(tmp_path / "other.npz"))
