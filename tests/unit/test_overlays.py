"""What the audit finds burnt in is painted over with `prepare.mask_boxes: auto`, in every class alike."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukstudy.audit.boxes import Box, chosen, one_each, overlay_table, sentence
from leukstudy.audit.burnt_in import overlay_finding
from leukstudy.audit.findings import Thresholds
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
    """A phantom with a scale bar in all classes but healthy: its folder, manifest, and the audit's overlays.csv."""
    root = tmp_path_factory.mktemp("overlays")
    write_phantom(root / "data", seed=11, patients=PATIENTS, images_per_patient=3, plant="scale_bar")
    manifest = assign(catalogue(root / "data", "phantom"), seed=7)
    write_table(run_audit(manifest, root / "data").overlays, root / "overlays.csv")
    return root / "data", manifest[manifest["excluded"] == ""].reset_index(drop=True), root / "overlays.csv"


def written(folder, overlays):
    """overlays.csv with boxes and the images (all of one source) that show them."""
    rows = [
        (box, pd.DataFrame({"image_id": image_ids, "source": "x"})) for box, image_ids in overlays.items()
    ]
    write_table(overlay_table(rows), folder / "overlays.csv")
    return folder / "overlays.csv"


def test_the_planted_bar_is_masked_untold(studied, tmp_path):
    root, kept, overlays = studied
    found = chosen("auto", overlays)
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
    _, kept, overlays = studied
    found = chosen("auto", overlays)
    said = sentence("auto", found, kept)
    assert "mask_boxes (auto): x " in said and f"in all {len(kept)} images" in said and "healthy 0%" in said
    (images,) = found.values()
    first = one_each(kept, found)
    assert set(first.index) == set(PATIENTS)
    ids = kept.set_index("path")["image_id"]
    assert {label for label, path in first.items() if ids[path] in images} == {"ALL", "CLL"}


def test_given_boxes_stay_and_nothing_found_masks_nothing(tmp_path):
    assert chosen("auto", written(tmp_path, {})) == {}
    assert chosen([[0, 0.1, 0.2, 0.3]], tmp_path / "none.csv") == {(0.0, 0.1, 0.2, 0.3): []}
    kept = pd.DataFrame({"image_id": ["b", "a"], "label": ["x", "x"], "path": ["b.png", "a.png"]})
    assert sentence([], {}, kept) == "mask_boxes: no part of the images is painted over"
    assert "the audit found nothing" in sentence("auto", {}, kept)
    assert one_each(kept, {}).to_dict() == {"x": "b.png"}
    assert one_each(kept, {(0.0, 0.0, 0.1, 0.1): ["a"]}).to_dict() == {"x": "a.png"}


@pytest.mark.parametrize(
    "box", [(0.8661, 0.9107, 1.0, 0.9866), (0.0, 0.0, 0.1, 0.07), (0.29, 0.57, 0.58, 0.81)]
)
def test_a_box_is_read_back_no_smaller_than_it_was(box, tmp_path):
    file = written(tmp_path, {Box(0.1, 0.1, 0.2, 0.2): ["b"], Box(*box): ["a", "NA"]})
    (first, images), (second, others) = chosen("auto", file).items()
    assert images == ["a", "NA"] and others == ["b"] and second == (0.08, 0.08, 0.22, 0.22)
    for own, given, outwards in zip(first, box, (-1, -1, 1, 1), strict=True):
        assert (own - given) * outwards >= 0.019 or own in (0.0, 1.0)
        assert abs(own - given) <= 0.0301


def test_strokes_at_no_fixed_place_have_no_box():
    drawn = {
        "label": "ALL",
        "source": "x",
        "group_id": "g",
        "phash": "",
        "stroke": 0.5,
        "stroke_x": 0.52,
        "stroke_y": 0.31,
    }
    kept = pd.DataFrame([{"image_id": f"{number}", **drawn} for number in range(8)])
    finding, overlays = overlay_finding(kept, Path(), Thresholds())
    assert finding.verdict == "warn" and overlays.empty and len(finding.details) == 8


def test_a_box_at_the_edge_is_painted(tmp_path):
    rgb = np.full((60, 60, 3), 200, np.uint8)
    rgb[55:, 50:] = 0
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    manifest = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "excluded": [""]})
    boxes = chosen("auto", written(tmp_path, {Box(0.84, 0.92, 1.0, 1.0): ["a"]}))
    prepare_all(tmp_path, manifest, tmp_path / "out", size=60, mask_boxes=list(boxes))
    assert (np.load(tmp_path / "out" / "images.npy") == 200).all()
