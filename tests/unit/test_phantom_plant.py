"""Planted flaws: each is in the folder as planted.csv says, and nothing else has changed."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leukstudy.phantom import write_phantom
from leukstudy.phantom.plant import FLAWS, RIGHT_COPIES

PATIENTS = {"healthy": 3, "ALL": 3, "CML": 2}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    out = tmp_path_factory.mktemp("clean") / "out"
    return out, draw(out)


def draw(out: Path, flaw: str | None = None) -> pd.DataFrame:
    frame = write_phantom(out, seed=7, patients=PATIENTS, images_per_patient=4, size=64, plant=flaw)
    return frame.assign(label=frame["path"].str.split("/").str[0])


def planted(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "_truth" / "planted.csv", dtype="str")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pixels(path: Path) -> np.ndarray:
    return cv2.imread(str(path)).astype(int)


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_flaw_is_recorded_and_leaves_a_whole_phantom(tmp_path, flaw):
    frame = draw(tmp_path / "out", flaw)
    record = planted(tmp_path / "out")
    assert set(record["flaw"]) == {flaw} and set(record["path"]) <= set(frame["path"])
    found = {
        path.relative_to(tmp_path / "out").as_posix()
        for label in PATIENTS
        for path in (tmp_path / "out" / label).iterdir()
    }
    assert found == set(frame["path"]) and frame["path"].is_unique
    for path in frame["path"]:
        truth = cv2.imread(
            str((tmp_path / "out" / "_truth" / path).with_suffix(".png")), cv2.IMREAD_UNCHANGED
        )
        assert truth.shape == pixels(tmp_path / "out" / path).shape[:2]
    again = draw(tmp_path / "again", flaw)
    pd.testing.assert_frame_equal(frame, again)
    for path in [*frame["path"], "_truth/planted.csv"]:
        assert sha(tmp_path / "out" / path) == sha(tmp_path / "again" / path)


def test_a_clean_phantom_holds_none_of_them(clean):
    out, frame = clean
    assert not (out / "_truth" / "planted.csv").exists()
    assert (frame.groupby("patient_id")["label"].nunique() == 1).all()
    assert len({sha(out / path) for path in frame["path"]}) == len(frame)


def test_patients_in_two_classes(tmp_path, clean):
    frame = draw(tmp_path / "out", "patients_in_two_classes")
    classes = frame.groupby("patient_id")["label"].nunique()
    assert (classes == 2).sum() >= 2
    shared = frame["patient_id"].isin(classes.index[classes == 2])
    assert set(planted(tmp_path / "out")["path"]) <= set(frame.loc[shared, "path"])
    # The same pictures as in the clean phantom, in the same classes.
    assert sorted(frame["label"]) == sorted(clean[1]["label"])
    assert {sha(tmp_path / "out" / p) for p in frame["path"]} == {sha(clean[0] / p) for p in clean[1]["path"]}


def test_duplicates(tmp_path):
    out = tmp_path / "out"
    frame = draw(out, "duplicates").set_index("path")
    kinds = set()
    for path, detail in planted(out)[["path", "detail"]].itertuples(index=False):
        kind, original = detail.split(" copy of ")
        kinds.add(kind)
        one, other = pixels(out / path), pixels(out / original)
        assert (sha(out / path) == sha(out / original)) == (kind == "bytes")
        assert np.array_equal(one, other) == (kind in ("bytes", "pixels"))
        like = one[:, ::-1] if kind == "flipped" else one
        assert np.corrcoef(like.ravel(), other.ravel())[0, 1] > 0.98
        assert frame.at[path, "label"] == frame.at[original, "label"]
        assert frame.at[path, "patient_id"] != frame.at[original, "patient_id"]
    assert kinds == {"bytes", "pixels", "brighter", "jpeg", "flipped"}


def test_mislabelled_patients(tmp_path, clean):
    out = tmp_path / "out"
    frame = draw(out, "mislabelled").set_index("path")
    right = clean[1].drop_duplicates("patient_id").set_index("patient_id")["label"]
    copies = 0
    for path, detail in planted(out)[["path", "detail"]].itertuples(index=False):
        if "copy of" in detail:
            original = detail.split(" copy of ")[1].split(" under")[0]
            assert frame.at[path, "label"] != frame.at[original, "label"]
            assert frame.at[path, "label"] == right[frame.at[original, "patient_id"]]
            assert np.corrcoef(pixels(out / path).ravel(), pixels(out / original).ravel())[0, 1] > 0.98
            copies += 1
        else:
            assert frame.at[path, "label"] != right[frame.at[path, "patient_id"]]
    assert copies == RIGHT_COPIES * len(PATIENTS)
    # No patient stands in two classes: that is another flaw.
    assert (frame.groupby("patient_id")["label"].nunique() == 1).all()


def test_what_is_tied_to_class_is_tied_to_all_classes_but_the_first(tmp_path, clean):
    healthy = clean[1]["label"] == "healthy"
    for flaw in ("scale_bar", "stain", "size", "format", "camera", "file_size"):
        out = tmp_path / flaw
        frame = draw(out, flaw)
        assert (frame["label"] == "healthy").tolist() == healthy.tolist()
        for path, old in zip(frame["path"], clean[1]["path"], strict=True):
            now, before, first = out / path, clean[0] / old, path.startswith("healthy/")
            if flaw == "size":
                assert pixels(now).shape[0] == (64 if first else 80)
            elif flaw == "format":
                assert now.suffix == (".png" if first else ".jpg")
            elif flaw == "camera":
                assert Image.open(now).getexif()[0x0110] == ("A" if first else "B")
            elif flaw == "file_size":
                assert np.array_equal(pixels(now), pixels(before))
                assert (now.stat().st_size > 64 * 64 * 3) == (not first)
            else:
                assert (sha(now) == sha(before)) == first
            if flaw == "scale_bar" and not first:
                changed = np.argwhere((pixels(now) != pixels(before)).any(axis=2))
                assert changed.min() > 40 and (pixels(now)[59:61, 46:60] == 0).all()


def test_the_tied_stain_can_be_told_from_the_background_alone(tmp_path):
    out = tmp_path / "out"
    frame = write_phantom(out, seed=3, patients={"healthy": 8, "AML": 8}, images_per_patient=5, plant="stain")
    warm = []
    for path in frame["path"]:
        blue, _, red = np.median(pixels(out / path)[cv2.imread(str(out / "_truth" / path), 0) == 0], axis=0)
        warm.append(red - blue)
    healthy = frame["path"].str.startswith("healthy/").to_numpy()
    warm = np.array(warm)
    assert np.mean(warm[~healthy][:, None] > warm[healthy][None, :]) > 0.85


def test_bad_pictures(tmp_path, clean):
    out = tmp_path / "out"
    draw(out, "quality")
    record = planted(out).set_index("detail")["path"]
    assert set(record.index) == {"out of focus", "overexposed", "underexposed", "empty"}
    assert pixels(out / record["empty"]).std(axis=(0, 1)).max() == 0
    assert pixels(out / record["underexposed"]).mean() < 40
    assert (pixels(out / record["overexposed"]) == 255).mean() > 0.4
    sharp = cv2.Laplacian(pixels(clean[0] / record["out of focus"]).astype(np.uint8), cv2.CV_64F).var()
    assert cv2.Laplacian(pixels(out / record["out of focus"]).astype(np.uint8), cv2.CV_64F).var() < sharp / 5


def test_an_unknown_flaw_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"unknown flaw 'typo'.*scale_bar"):
        draw(tmp_path / "out", "typo")
    assert list(tmp_path.iterdir()) == []
