"""What is taken from the single decode of a file: hashes, measures, and what becomes of bad files."""

import numpy as np
import pandas as pd
import pytest
from fabricate import blob_cell, class_folders, odd_files
from PIL import Image

from leukstudy.data import identify as module
from leukstudy.data.identify import FACTS, MEASURES, identify, identify_all, perceptual_hash
from leukstudy.data.measure import longest_stroke, measure
from leukstudy.imaging import workers


@pytest.fixture
def cell():
    return blob_cell(np.random.default_rng(3), size=120)[0]


def test_a_row_a_file_in_order_whatever_the_workers(tmp_path, monkeypatch):
    rows = class_folders(tmp_path, groups_per_class=4, images_per_group=5)
    paths = [tmp_path / path for path in rows["path"]]
    one, many = identify_all(paths, workers=1), identify_all(paths, workers=3)
    pd.testing.assert_frame_equal(one, many)
    monkeypatch.setattr(workers, "WORTH_PROCESSES", 10)
    pd.testing.assert_frame_equal(one, identify_all(iter(paths), workers=2))
    assert list(one.columns) == [*FACTS, *MEASURES] and len(one) == 40
    assert one["bytes"].tolist() == [path.stat().st_size for path in paths]
    assert (one["error"] == "").all() and one.notna().all(axis=None)
    assert str(one["width"].dtype) == "int64" and str(one["camera"].dtype) == "str"


def test_each_file_is_decoded_once(tmp_path, monkeypatch, cell):
    calls = []
    monkeypatch.setattr(module, "read_image", lambda path: calls.append(path) or cell)
    Image.fromarray(cell).save(tmp_path / "a.png")
    identify(tmp_path / "a.png")
    assert len(calls) == 1


def test_no_file_makes_it_raise(tmp_path):
    odd = odd_files(tmp_path)
    odd["missing"] = tmp_path / "none.png"
    table = identify_all(odd.values()).set_index(pd.Index(odd))
    bad = {"truncated", "text", "empty", "huge", "frames", "float", "missing"}
    assert set(table.index[table["error"] != ""]) == bad
    assert (table.loc[sorted(bad), "width"] == 0).all() and (table.loc[sorted(bad), "phash"] == "").all()
    assert table.loc[sorted(bad), "brightness"].isna().all()
    sound = table.drop(index=sorted(bad))
    assert np.isfinite(sound.select_dtypes("number")).all(axis=None)
    assert table.loc["cmyk", "format"] == "JPEG" and table.loc["rgb16", "format"] == "TIFF"


def test_no_paths_give_an_empty_table():
    assert identify_all([]).columns.tolist() == [*FACTS, *MEASURES]


def test_the_camera_is_read_from_the_header(tmp_path, cell):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Olympus ", "DP71\0", "cellSens 1.9"
    for name in ("a.jpg", "a.tif", "a.png"):
        Image.fromarray(cell).save(tmp_path / name, exif=exif)
        assert identify(tmp_path / name)["camera"] == "Olympus DP71 cellSens 1.9", name
    Image.fromarray(cell).save(tmp_path / "b.jpg")
    assert identify(tmp_path / "b.jpg")["camera"] == ""


def test_measures_say_what_they_say():
    grey = np.full((100, 200, 3), 100, np.uint8)
    flat = measure(grey)
    assert flat["brightness"] == flat["background_red"] == flat["border_blue"] == 100
    assert flat["contrast"] == flat["sharpness"] == flat["foreground"] == flat["saturation"] == 0
    grey[:15, -50:] = 255
    grey[50:60, 50:60] = 0
    marked = measure(grey)
    assert marked["top_right_mean"] > 250 and marked["top_left_mean"] == 100
    assert marked["bright"] == pytest.approx(750 / 20000, abs=1e-3)
    assert marked["dark"] == pytest.approx(100 / 20000, abs=1e-3)
    assert marked["foreground"] == pytest.approx(850 / 20000, abs=1e-3)
    red = measure(np.full((50, 50, 3), (200, 0, 0), np.uint8))
    assert red["saturation"] == 1 and red["background_red"] == 200 and red["border_green"] == 0


def test_sharpness_falls_with_focus_and_not_with_light_or_size(cell):
    import cv2

    sharp = measure(cell)["sharpness"]
    blurred = [measure(cv2.GaussianBlur(cell, (0, 0), sigma))["sharpness"] for sigma in (1, 2, 4)]
    assert sharp > blurred[0] > blurred[1] > blurred[2] and blurred[2] < 0.6 * sharp
    dim = (cell * 0.6).astype(np.uint8)
    assert measure(dim)["sharpness"] == pytest.approx(sharp, rel=0.05)


def test_measures_do_not_depend_on_the_size_of_the_file_much():
    big = np.kron(blob_cell(np.random.default_rng(0), size=256)[0], np.ones((3, 3, 1), np.uint8))
    small = measure(big[::3, ::3])
    for name in ("brightness", "contrast", "background_green", "border_red", "foreground"):
        assert measure(big)[name] == pytest.approx(small[name], rel=0.03, abs=0.02), name


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (2, 3), (20, 3000)])
def test_odd_shapes_are_measured_too(shape):
    odd = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert np.isfinite(list(measure(odd).values())).all() and len(perceptual_hash(odd)) == 16


def test_strokes_are_found_where_they_are(cell):
    assert longest_stroke(cell) == (0, 0, 0)
    level, upright = cell.copy(), cell.copy()
    level[108:110, 80:110] = (200, 0, 0)
    upright[60:100, 5:7] = 0
    assert longest_stroke(level) == pytest.approx((30 / 120, 95 / 120, 109 / 120), abs=0.01)
    assert longest_stroke(upright) == pytest.approx((40 / 120, 6 / 120, 80 / 120), abs=0.01)


@pytest.mark.parametrize("transform", range(8))
def test_hashes_of_turned_pictures_follow_from_the_hash(cell, transform):
    from leukstudy.audit.hash_index import as_uint64, turn
    from leukstudy.audit.near_duplicates import turn_pixels

    turned = np.dstack([turn_pixels(cell[:, :, channel], transform) for channel in range(3)])
    said = turn(as_uint64([perceptual_hash(cell)]), transform)[0]
    assert np.bitwise_count(said ^ as_uint64([perceptual_hash(turned)])[0]) <= 2


def test_a_flat_picture_has_no_hash_bits():
    assert perceptual_hash(np.full((40, 50, 3), 190, np.uint8)) == "0" * 16
