"""What the audit finds burnt in is painted over with `prepare.mask_boxes: auto`, in every class alike."""

import cv2
import numpy as np
import pandas as pd
import pytest

from leukstudy.audit.boxes import chosen, one_each, overlays, place, sentence
from leukstudy.audit.run import run_audit
from leukstudy.data.catalogue import catalogue
from leukstudy.data.manifest import write_table
from leukstudy.data.split import assign
from leukstudy.imaging.batch import prepare_all
from leukstudy.imaging.io import read_image
from leukstudy.phantom import write_phantom

PATIENTS = {"healthy": 6, "ALL": 6, "CLL": 6}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A phantom with a scale bar in all classes but healthy: its folder, manifest, and the audit's details.csv."""
    root = tmp_path_factory.mktemp("overlays")
    write_phantom(root / "data", seed=11, patients=PATIENTS, images_per_patient=3, plant="scale_bar")
    manifest = assign(catalogue(root / "data", "phantom"), seed=7)
    details = run_audit(manifest, root / "data").details
    write_table(details, root / "details.csv")
    return root / "data", manifest[manifest["excluded"] == ""].reset_index(drop=True), root / "details.csv"


def test_the_planted_bar_is_masked_untold(studied, tmp_path):
    root, kept, details = studied
    found = chosen("auto", details)
    assert len(found) == 1
    ((left, top, right, bottom),) = found
    planted = pd.read_csv(root / "_truth" / "planted.csv")["path"]
    (images,) = found.values()
    marked = kept.loc[kept["image_id"].isin(images), "path"]
    assert len(set(marked) & set(planted)) >= 0.9 * len(planted)
    # what the flaw changed lies in the box: the same phantom without it tells
    plain = tmp_path / "plain"
    write_phantom(plain, seed=11, patients=PATIENTS, images_per_patient=3)
    prepared = prepare_all(root, kept, tmp_path / "a", size=96, mask_boxes=list(found))
    assert len(prepared) == len(kept)
    pixels = np.load(tmp_path / "a" / "images.npy")
    for row, path in kept["path"].items():
        drawn, marked = read_image(plain / path), read_image(root / path)
        changed = np.argwhere(np.abs(drawn.astype(int) - marked).max(axis=2) > 40)
        if len(changed):
            low, high = changed.min(axis=0) / drawn.shape[:2], (changed.max(axis=0) + 1) / drawn.shape[:2]
            assert top <= low[0] and left <= low[1] and high[0] <= bottom and high[1] <= right
        box = pixels[row][
            int(np.ceil(96 * top)) : int(96 * bottom), int(np.ceil(96 * left)) : int(96 * right)
        ]
        assert (box == box[0, 0]).all(), "painted in one colour, whether the image has the bar or not"


def test_what_was_masked_is_said_and_shown(studied):
    _, kept, details = studied
    found = chosen("auto", details)
    said = sentence("auto", found, kept)
    assert "mask_boxes (auto): x " in said and f"in all {len(kept)} images" in said and "healthy 0%" in said
    (images,) = found.values()
    first = one_each(kept, found)
    assert set(first.index) == set(PATIENTS)
    ids = kept.set_index("path")["image_id"]
    assert {label for label, path in first.items() if ids[path] in images} == {"ALL", "CLL"}


def test_given_boxes_stay_and_nothing_found_masks_nothing(tmp_path):
    empty = pd.DataFrame({"check": ["few_groups"], "image_id": ["a"], "note": ["x 0.10-0.20, y 0.10-0.20"]})
    empty.to_csv(tmp_path / "details.csv", index=False)
    assert chosen("auto", tmp_path / "details.csv") == {}
    assert chosen([[0, 0.1, 0.2, 0.3]], tmp_path / "none.csv") == {(0.0, 0.1, 0.2, 0.3): []}
    kept = pd.DataFrame({"image_id": ["b", "a"], "label": ["x", "x"], "path": ["b.png", "a.png"]})
    assert sentence([], {}, kept) == "mask_boxes: no part of the images is painted over"
    assert "the audit found nothing" in sentence("auto", {}, kept)
    assert one_each(kept, {}).to_dict() == {"x": "b.png"}
    assert one_each(kept, {(0.0, 0.0, 0.1, 0.1): ["a"]}).to_dict() == {"x": "a.png"}


@pytest.mark.parametrize(
    "box", [(0.8661, 0.9107, 1.0, 0.9866), (0.0, 0.0, 0.1, 0.07), (0.29, 0.57, 0.58, 0.81)]
)
def test_a_place_is_read_back_no_smaller_than_it_was(box):
    notes = [f"ALL: 80% of its edges at {place(box)}", "ALL: 90% of its edges at x 0.10-0.20, y 0.10-0.20"]
    details = pd.DataFrame({"check": "overlay", "image_id": ["a", "b"], "note": notes})
    details = pd.concat([details, details.iloc[:1].assign(image_id="c")], ignore_index=True)
    (first, images), (second, others) = overlays(details).items()
    assert images == ["a", "c"] and others == ["b"] and second == (0.08, 0.08, 0.22, 0.22)
    for own, given, outwards in zip(first, box, (-1, -1, 1, 1), strict=True):
        assert (own - given) * outwards >= 0.019 or own in (0.0, 1.0)
        assert abs(own - given) <= 0.0301


def test_strokes_at_no_fixed_place_have_no_box():
    details = pd.DataFrame({"check": ["overlay"], "image_id": ["a"], "note": ["ALL: at x 0.52, y 0.31"]})
    assert overlays(details) == {}


def test_a_box_at_the_edge_is_painted(tmp_path):
    rgb = np.full((60, 60, 3), 200, np.uint8)
    rgb[55:, 50:] = 0
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    manifest = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "excluded": [""]})
    details = pd.DataFrame(
        {"check": ["overlay"], "image_id": ["a"], "note": [f"at {place((0.84, 0.92, 1, 1))}"]}
    )
    prepare_all(tmp_path, manifest, tmp_path / "out", size=60, mask_boxes=list(overlays(details)))
    assert (np.load(tmp_path / "out" / "images.npy") == 200).all()
