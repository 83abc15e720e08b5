"""Features with known answers, and the batch that writes them."""

import os

import numpy as np
import pandas as pd
import pytest
from fabricate import blob_cell, class_folders

from leukstudy.data.catalogue import catalogue
from leukstudy.imaging import batch
from leukstudy.imaging.batch import prepare_all, read_features
from leukstudy.imaging.dictionary import FEATURES
from leukstudy.imaging.features import (
    all_features,
    colour_features,
    corner_features,
    morphology_features,
)
from leukstudy.imaging.io import BadImage, read_image
from leukstudy.imaging.preprocess import base, finish
from leukstudy.imaging.segment import label_cells


def disc(size: int, row: float, column: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def measured(nucleus: np.ndarray, cell: np.ndarray, rgb: np.ndarray | None = None) -> dict[str, float]:
    rgb = np.full((*nucleus.shape, 3), 200, np.uint8) if rgb is None else rgb
    return {
        name.removeprefix("morph_"): value for name, value in morphology_features(rgb, nucleus, cell).items()
    }


def test_every_feature_is_described_and_given():
    rgb, truth = blob_cell(np.random.default_rng(0))
    values = all_features(rgb, truth == 255, truth > 0, rgb)
    assert set(values) == set(FEATURES)
    assert all(isinstance(value, float) and np.isfinite(value) for value in values.values())
    assert {name.split("_")[0] for name in FEATURES} == {
        "colour",
        "corner",
        "morph",
        "texture",
        "quality",
    }
    assert sum(name.startswith("colour_") for name in FEATURES) == 12
    assert all(all(feature) for feature in FEATURES.values())


def test_a_disc_in_a_disc():
    got = measured(disc(101, 50, 50, 20), disc(101, 50, 50, 30))
    assert got["nc_ratio"] == pytest.approx((20 / 30) ** 2, rel=0.01)
    assert got["nucleus_area"] == pytest.approx(np.pi * 400, rel=0.01)
    assert got["nucleus_perimeter"] == pytest.approx(2 * np.pi * 20, rel=0.05)
    assert got["nucleus_circularity"] > 0.9 and got["nucleus_solidity"] > 0.95
    assert got["nucleus_eccentricity"] < 0.1 and got["nucleus_fullness"] > 0.93
    assert got["nucleus_offset"] == 0 and got["nucleus_lobes"] == 1 and got["found"] == 1


def test_an_ellipse_has_its_eccentricity():
    y, x = np.mgrid[:101, :101]
    ellipse = ((y - 50) / 15) ** 2 + ((x - 50) / 30) ** 2 <= 1
    assert measured(ellipse, ellipse)["nucleus_eccentricity"] == pytest.approx(np.sqrt(0.75), abs=0.01)


def test_lobes_show():
    lobes = disc(101, 50, 35, 12) | disc(101, 50, 66, 12)
    got = measured(lobes, disc(101, 50, 50, 35))
    assert got["nucleus_lobes"] == 2 and got["nucleus_solidity"] < 0.9 and got["nucleus_fullness"] < 0.8


def test_the_main_cell_is_large_and_central():
    cell = disc(120, 60, 60, 20) | disc(120, 12, 12, 12)
    nucleus = disc(120, 60, 60, 10) | disc(120, 12, 12, 10)
    rgb = np.full((120, 120, 3), 230, np.uint8)
    rgb[disc(120, 60, 60, 10)] = (80, 20, 120)
    got = measured(nucleus, cell, rgb)
    assert got["nucleus_red"] == 80 and got["nuclei"] == 2
    assert got["nc_ratio"] == pytest.approx(0.25, rel=0.05)
    assert got["contrast"] > 150


def test_chromatin_texture_is_told_from_stain():
    rng = np.random.default_rng(0)
    nucleus = disc(64, 32, 32, 25)
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    rough = rng.integers(0, 128, (64, 64)).astype(np.uint8)
    a, b = (measured(nucleus, nucleus, np.repeat(g[:, :, None], 3, 2)) for g in (smooth, rough))
    assert a["texture_contrast_1"] < 0.2 * b["texture_contrast_1"]
    assert a["texture_homogeneity_1"] > b["texture_homogeneity_1"]
    assert a["texture_nucleus_fine"] < b["texture_nucleus_fine"]
    darker = measured(nucleus, nucleus, np.repeat((rough // 2 + 60)[:, :, None], 3, 2).astype(np.uint8))
    assert darker["texture_contrast_1"] == pytest.approx(b["texture_contrast_1"], rel=0.1)


def test_outlines():
    round_ = measured(disc(161, 80, 80, 40), disc(161, 80, 80, 60))
    assert round_["nucleus_bending"] == pytest.approx(1, abs=0.15) and round_["nucleus_roughness"] < 0.03
    assert round_["nucleus_clefts"] == 0 and round_["cell_solidity"] > 0.97
    assert round_["cell_perimeter"] == pytest.approx(2 * np.pi * 60, rel=0.05)
    kidney = measured(disc(161, 80, 80, 40) & ~disc(161, 50, 80, 18), disc(161, 80, 80, 60))
    assert kidney["nucleus_clefts"] == 1 and 0.3 < kidney["nucleus_cleft_depth"] < 0.8
    assert kidney["nucleus_bending"] > 1.5 and kidney["nucleus_roughness"] > 0.05
    y, x = np.mgrid[:161, :161]
    turn = np.arctan2(y - 80, x - 80)
    wavy = np.hypot(y - 80, x - 80) <= 40 + 3 * np.cos(9 * turn)
    rough = measured(wavy, disc(161, 80, 80, 60))
    assert rough["nucleus_bending"] > 5 and rough["nucleus_roughness"] == pytest.approx(3 / 40, rel=0.3)


def test_size_does_not_change_shape():
    values = [
        measured(
            disc(n, n // 2, n // 2, r) & ~disc(n, n // 2 - r, n // 2, r / 2), disc(n, n // 2, n // 2, 1.5 * r)
        )
        for n, r in ((81, 20), (321, 80))
    ]
    for name in (
        "nucleus_bending",
        "nucleus_roughness",
        "nucleus_cleft_depth",
        "nucleus_solidity",
        "nc_ratio",
    ):
        assert values[0][name] == pytest.approx(values[1][name], rel=0.15, abs=0.01), name


def test_colours_and_dyes():
    nucleus, cell = disc(61, 30, 30, 12), disc(61, 30, 30, 22)
    rgb = np.full((61, 61, 3), 240, np.uint8)
    rgb[cell], rgb[nucleus] = (170, 190, 230), (90, 40, 130)
    blue = measured(nucleus, cell, rgb)
    assert [blue[f"nucleus_{name}"] for name in ("red", "green", "blue")] == [90, 40, 130]
    assert blue["nucleus_hue"] == pytest.approx(273.3, abs=0.5) and blue["cytoplasm_value"] == pytest.approx(
        230 / 255, abs=1e-4
    )
    assert blue["cytoplasm_lightness"] > blue["nucleus_lightness"] and blue["cytoplasm_b"] < 0
    rgb[cell & ~nucleus] = (235, 190, 200)
    pink = measured(nucleus, cell, rgb)
    assert blue["cytoplasm_basophilia"] > 0.6 and pink["cytoplasm_basophilia"] < 0.3
    assert (
        blue["cytoplasm_azure"] > pink["cytoplasm_azure"]
        and blue["cytoplasm_eosin"] < pink["cytoplasm_eosin"]
    )
    bare = measured(nucleus, nucleus, rgb)
    assert bare["cytoplasm_basophilia"] == 0 and bare["contrast"] == 0


def test_nucleoli_and_granules():
    nucleus, cell = disc(101, 50, 50, 25), disc(101, 50, 50, 42)
    rng = np.random.default_rng(0)
    grey = np.where(nucleus, 90, np.where(cell, 190, 235)).astype(float) + rng.normal(0, 2, (101, 101))
    plain = morphology_features(np.repeat(grey[:, :, None], 3, 2).astype(np.uint8), nucleus, cell)
    marked = grey.copy()
    for row, column in ((45, 42), (55, 60)):
        marked[disc(101, row, column, 4)] += 35
    for row, column in ((14, 50), (50, 84), (84, 50), (50, 14)):
        marked[disc(101, row, column, 1.5)] -= 60
    spots = morphology_features(np.repeat(marked[:, :, None], 3, 2).astype(np.uint8), nucleus, cell)
    assert plain["texture_nucleoli"] == 0 and spots["texture_nucleoli"] == 2
    assert spots["texture_nucleoli_share"] == pytest.approx(2 * 16 / 25**2, rel=0.6)
    assert (
        spots["texture_granule_share"] > plain["texture_granule_share"]
        and spots["texture_granules"] > plain["texture_granules"]
    )


def test_shares_of_patterns_add_up():
    rgb, truth = blob_cell(np.random.default_rng(4), size=96)
    values = morphology_features(rgb, truth == 255, truth > 0)
    assert sum(values[f"texture_lbp_{k}"] for k in range(10)) == pytest.approx(1)
    assert 0 < values["texture_chromatin_entropy"] <= 4


def test_a_touching_neighbour_is_not_measured():
    nuclei = disc(100, 50, 30, 12) | disc(100, 50, 66, 10)
    cells = disc(100, 50, 30, 20) | disc(100, 50, 66, 17)
    rgb = np.full((100, 100, 3), 200, np.uint8)
    apart = morphology_features(rgb, nuclei, label_cells(rgb, nuclei, cells))
    assert apart["morph_nucleus_area"] == disc(100, 50, 30, 12).sum() and apart["morph_nucleus_lobes"] == 1
    assert morphology_features(rgb, nuclei, cells)["morph_nucleus_lobes"] == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (40, 40)])
@pytest.mark.parametrize("fill", [False, True])
def test_always_finite(shape, fill):
    mask = np.full(shape, fill)
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    with np.errstate(all="raise"):
        values = all_features(rgb, mask, mask, rgb)
    assert np.isfinite(list(values.values())).all()
    assert values["morph_found"] == float(fill)
    if not fill:
        assert all(value == 0 for name, value in values.items() if name.startswith(("morph", "texture")))


def test_colour_statistics():
    rgb = np.zeros((10, 10, 3), np.uint8)
    rgb[:5] = (255, 0, 0)
    rgb[5:] = (0, 0, 255)
    got = colour_features(rgb)
    assert (
        got["colour_red_mean"] == 127.5 and got["colour_red_std"] == 127.5 and got["colour_green_mean"] == 0
    )
    assert got["colour_hue_mean"] == pytest.approx(120) and got["colour_hue_std"] == pytest.approx(120)
    assert got["colour_saturation_mean"] == pytest.approx(1) and got["colour_value_mean"] == pytest.approx(1)


def test_corner_statistics():
    rgb = np.full((100, 100, 3), 200, np.uint8)
    rgb[85:, 65:] = (10, 20, 30)
    rgb[:15, :35] = (90, 90, 90)
    got = corner_features(rgb)
    assert [got[f"corner_bottom_right_{c}_mean"] for c in ("red", "green", "blue")] == [10, 20, 30]
    assert got["corner_bottom_right_red_std"] == 0
    assert got["corner_top_left_red_mean"] == 90 and got["corner_top_right_red_mean"] == 200


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    class_folders(root, groups_per_class=3, images_per_group=4)
    (root / "ALL" / "P04_001.png").write_bytes(b"")
    return root, catalogue(root, "folder")


def test_the_batch_writes_what_it_says(data, tmp_path):
    root, manifest = data
    mask = {"corner": "bottom-right", "width": 0.3, "height": 0.2}
    settings = {"size": 40, "gaussian_sigma": 0.7, "equalise": "global", "mask_corner": mask}
    features = prepare_all(root, manifest, tmp_path / "out", **settings)
    kept = manifest[manifest["excluded"] == ""]
    assert len(kept) == 23 and features["image_id"].tolist() == kept["image_id"].tolist()
    assert features.columns.tolist() == ["image_id", *FEATURES]
    assert np.isfinite(features[list(FEATURES)].to_numpy()).all() and features["morph_found"].all()
    images, nuclei, cells = (np.load(tmp_path / "out" / f"{n}.npy") for n in ("images", "nuclei", "cells"))
    assert images.shape == (23, 40, 40, 3) and images.dtype == np.uint8
    assert nuclei.shape == cells.shape == (23, 40, 40) and nuclei.dtype == cells.dtype == np.bool_
    alone = base(read_image(root / kept["path"].iloc[7]), size=40, mask=mask)
    assert np.array_equal(images[7], finish(alone, gaussian_sigma=0.7, equalise="global"))
    assert sorted(os.listdir(tmp_path)) == ["out"]
    pd.testing.assert_frame_equal(read_features(tmp_path / "out"), features)


def test_corner_features_are_of_the_unmasked_file(data, tmp_path):
    root, manifest = data
    mask = {"corner": "bottom-right", "width": 0.5, "height": 0.5}
    plain = prepare_all(root, manifest, tmp_path / "a", size=40)
    masked = prepare_all(root, manifest, tmp_path / "b", size=40, mask_corner=mask)
    corner = [name for name in FEATURES if name.startswith("corner_")]
    pd.testing.assert_frame_equal(plain[corner], masked[corner])
    assert not plain["colour_red_std"].equals(masked["colour_red_std"])


def test_processes_give_the_same_bytes(data, tmp_path, monkeypatch):
    root, manifest = data
    monkeypatch.setattr(batch, "_WORTH_A_POOL", 1)
    monkeypatch.setattr(batch, "_CHUNK", 8)
    for workers in (1, 2):
        prepare_all(root, manifest, tmp_path / str(workers), size=32, workers=workers)
    for name in ("images.npy", "nuclei.npy", "cells.npy", "features.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_what_models_see_changes_neither_masks_nor_features(data, tmp_path):
    root, manifest = data
    plain = prepare_all(root, manifest, tmp_path / "plain", size=40)
    other = prepare_all(
        root,
        manifest,
        tmp_path / "other",
        size=40,
        stain="macenko",
        contrast=1.4,
        brightness=0.1,
        view="cell",
    )
    pd.testing.assert_frame_equal(plain, other)
    for name in ("nuclei.npy", "cells.npy"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    images = [np.load(tmp_path / folder / "images.npy") for folder in ("plain", "other")]
    assert images[0].shape == images[1].shape and not np.array_equal(*images)


@pytest.mark.parametrize("pool", [False, True])
def test_a_batch_that_fails_leaves_the_old_result(data, tmp_path, monkeypatch, pool):
    root, manifest = data
    if pool:
        monkeypatch.setattr(batch, "_WORTH_A_POOL", 1)
        monkeypatch.setattr(batch, "_CHUNK", 8)
    prepare_all(root, manifest, tmp_path / "out", size=32)
    before = (tmp_path / "out" / "features.csv").read_bytes()
    changed = manifest.assign(excluded="")  # as though the empty file had become so after cataloguing
    with pytest.raises(BadImage, match="empty file"):
        prepare_all(root, changed, tmp_path / "out", size=32, workers=2)
    assert (tmp_path / "out" / "features.csv").read_bytes() == before
    assert os.listdir(tmp_path) == ["out"]


def test_a_killed_batch_is_swept_up(data, tmp_path):
    root, manifest = data
    (tmp_path / ".out.partial-dead").mkdir()
    prepare_all(root, manifest, tmp_path / "out", size=32)
    assert os.listdir(tmp_path) == ["out"]


def test_settings_are_refused_before_any_work(data, tmp_path):
    root, manifest = data
    with pytest.raises(ValueError, match="unknown segmentation method"):
        prepare_all(root, manifest, tmp_path / "out", size=32, segmentation="magic")
    with pytest.raises(ValueError, match="unknown equalisation 'some'"):
        prepare_all(root, manifest, tmp_path / "out", size=32, equalise="some")
    with pytest.raises(ValueError, match="unknown view 'nucleus'"):
        prepare_all(root, manifest, tmp_path / "out", size=32, view="nucleus")
    with pytest.raises(ValueError, match="unknown stain normalisation 'some'"):
        prepare_all(root, manifest, tmp_path / "out", size=32, stain="some")
    with pytest.raises(ValueError, match="keeps no image"):
        prepare_all(root, manifest.assign(excluded="tiny"), tmp_path / "out", size=32)
    assert os.listdir(tmp_path) == []
