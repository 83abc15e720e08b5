"""The index finds what comparing all pairs finds; correlation keeps what are the same pictures."""

import time

import cv2
import numpy as np
import pandas as pd
import pytest
from fabricate_flaws import blob_set
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leukstudy.audit.hash_index import TRANSFORMS, as_uint64, pairs, turn
from leukstudy.audit.near_duplicates import COLUMNS, clusters, find_near_duplicates, turn_pixels
from leukstudy.data.catalogue import catalogue


def all_pairs(hashes, reach, turned):
    """What `pairs` must find: (i, j) -> least distance over the eight transforms."""
    found = {}
    for transform in range(8 if turned is not None else 1):
        distance = np.bitwise_count(turn(hashes, transform)[:, None] ^ hashes)
        for i, j in zip(*np.nonzero(distance <= (turned if transform else reach)), strict=True):
            if i < j:
                found[i, j] = min(int(distance[i, j]), found.get((i, j), 99))
    return found


def near_hashes(rng, n):
    """Hashes of which many are a few bits apart, turned or not."""
    hashes = rng.integers(0, 2**63, n, dtype=np.uint64)
    for k in range(n // 2):
        flips = rng.choice(64, rng.integers(0, 13), replace=False).astype(np.uint64)
        mask = np.bitwise_xor.reduce(np.uint64(1) << flips) if len(flips) else np.uint64(0)
        hashes[n // 2 + k] = turn(hashes[k : k + 1], int(rng.integers(0, 8)))[0] ^ mask
    return hashes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from([None, 0, 3, 5]))
def test_the_index_finds_what_all_pairs_find(seed, reach, turned):
    hashes = near_hashes(np.random.default_rng(seed), 60)
    found = pairs(hashes, reach, turned)
    got = dict(
        zip(zip(found.i.tolist(), found.j.tolist(), strict=True), found.distance.tolist(), strict=True)
    )
    assert got == all_pairs(hashes, reach, turned)
    assert found.crowded == 0
    for i, j, distance, transform in zip(*found[:4], strict=True):
        assert np.bitwise_count(turn(hashes[i : i + 1], transform)[0] ^ hashes[j]) == distance


def test_many_hashes_take_seconds_and_no_pair_is_missed():
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**63, 30_000, dtype=np.uint64)
    hashes[-300:] = hashes[:300] ^ (np.uint64(1) << rng.integers(0, 64, 300, dtype=np.uint64))
    started = time.perf_counter()
    found = pairs(hashes)
    assert time.perf_counter() - started < 30  # about one second; all pairs take 25
    known = set(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert {(k, 29_700 + k) for k in range(300)} <= known and len(known) < 330


def test_equal_hashes_are_capped_said_and_hang_together():
    hashes = np.concatenate(
        [np.zeros(5_000, np.uint64), np.random.default_rng(0).integers(1, 2**63, 500, dtype=np.uint64)]
    )
    found = pairs(hashes)
    assert found.crowded >= 1 and len(found.i) < 6_000
    lowest = clusters(found.i, found.j, len(hashes))
    assert (lowest[:5_000] == 0).all() and (lowest[5_000:] != 0).all()


def test_crowds_of_near_hashes_end_too():
    some = np.random.default_rng(0).integers(0, 2**63, 20_000, dtype=np.uint64) & np.uint64(0xFFFFFF)
    started = time.perf_counter()
    found = pairs(some)
    assert time.perf_counter() - started < 60 and found.crowded > 0 and len(found.i) < 300 * len(some)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_hashes(n):
    found = pairs(np.full(n, 7, np.uint64))
    assert found.i.tolist() == [0] * (n == 2) and found.j.tolist() == [1] * (n == 2)


def test_hex_and_numbers_are_the_same_hashes():
    texts = pd.Series(["00000000000000ff", "ffffffffffffffff"])
    assert as_uint64(texts).tolist() == [255, 2**64 - 1] == as_uint64(as_uint64(texts)).tolist()


def test_transforms_are_named_as_they_are():
    picture = np.arange(12).reshape(3, 4)
    named = dict(zip(TRANSFORMS, (turn_pixels(picture, k) for k in range(8)), strict=True))
    assert (named["mirrored"] == picture[:, ::-1]).all()
    assert (named["turned by 180 degrees"] == np.rot90(picture, 2)).all()
    assert (named["turned clockwise"] == np.rot90(picture, -1)).all()
    assert (named["turned anticlockwise"] == np.rot90(picture)).all()


def test_clusters_join_chains():
    chain = np.arange(999)
    assert (clusters(chain, chain + 1, 1_001) == np.array([0] * 1_000 + [1_000])).all()
    assert clusters(np.array([], int), np.array([], int), 3).tolist() == [0, 1, 2]


# What may be done to a picture and leaves it the same picture, and how it is called.
COPIES = {
    "jpeg": (lambda a: cv2.imdecode(cv2.imencode(".jpg", a, [1, 60])[1], 1), "none"),
    "smaller": (lambda a: cv2.resize(a, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), "none"),
    "brighter": (lambda a: cv2.convertScaleAbs(a, alpha=1.0, beta=12), "none"),
    "mirrored": (lambda a: a[:, ::-1], "mirrored"),
    "clockwise": (lambda a: np.rot90(a, -1), "turned clockwise"),
    "cropped": (lambda a: a[2:-2, 2:-2], "none"),
}


def test_copies_are_found_and_other_cells_are_not(tmp_path):
    table = blob_set(tmp_path, groups=6, images=5)
    made = {}
    for number, (name, (change, transform)) in enumerate(COPIES.items()):
        source = table["path"].iloc[3 + 14 * number]
        copy = f"{source[:-4]}_{name}.png"
        cv2.imwrite(str(tmp_path / copy), np.ascontiguousarray(change(cv2.imread(str(tmp_path / source)))))
        made[source[:-4], copy[:-4]] = transform
    (tmp_path / "metadata.csv").unlink()
    manifest = catalogue(tmp_path, "folder", block_size=5)
    found = find_near_duplicates(manifest, tmp_path)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == COLUMNS
    assert dict(zip(zip(found["a"], found["b"], strict=True), found["transform"], strict=True)) == made
    assert found["correlation"].between(0.85, 1.0001).all() and found.attrs["crowded"] == 0
    pd.testing.assert_frame_equal(found, find_near_duplicates(manifest, tmp_path, workers=1))


def test_empty_pictures_are_no_duplicates_of_each_other(tmp_path):
    blob_set(tmp_path, groups=2, images=2)
    rng = np.random.default_rng(0)
    for number in range(4):
        noise = np.clip(200 + rng.normal(0, 0.6, (96, 96, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / "ALL" / f"P90_{number}.png")
    (tmp_path / "metadata.csv").unlink()
    manifest = catalogue(tmp_path, "folder", block_size=2)
    assert len(manifest) == 16
    assert find_near_duplicates(manifest, tmp_path).empty


def test_a_file_that_has_gone_is_no_duplicate(tmp_path):
    table = blob_set(tmp_path, groups=2, images=2)
    manifest = catalogue(tmp_path, "folder")
    manifest.loc[1, "phash"] = manifest.loc[0, "phash"]
    (tmp_path / manifest.loc[1, "path"]).unlink()
    assert len(table) == len(manifest) == 12
    assert find_near_duplicates(manifest, tmp_path).empty


def on_black(seed, shift=0):
    """A cell cut out on black, as C-NMC delivers them; (120, 120, 3) uint8."""
    rng = np.random.default_rng([4, seed])
    inside = cv2.GaussianBlur(rng.normal(0, 1, (120, 120, 3)), (0, 0), 5) * 300 + (150, 110, 170)
    y, x = np.mgrid[:120, :120] - 60
    disc = (x - shift) ** 2 + y**2 < 40**2
    return (np.roll(np.clip(inside, 30, 255), shift, axis=1) * disc[:, :, None]).astype(np.uint8)


def test_cells_on_black_are_compared_by_what_is_in_them(tmp_path):
    from leukstudy.data.identify import identify_all

    for seed in range(40):
        Image.fromarray(on_black(seed)).save(tmp_path / f"cell{seed:02d}.png")
    Image.fromarray(on_black(7, shift=9)).save(tmp_path / "moved.png")
    paths = sorted(tmp_path.glob("*.png"))
    table = identify_all(paths).assign(image_id=[p.stem for p in paths], path=[p.name for p in paths])
    assert len(pairs(table["phash"]).i) < 20  # all of them look alike to a hash of the whole picture
    near = find_near_duplicates(table, tmp_path)
    assert list(zip(near["a"], near["b"], strict=True)) == [("cell07", "moved")]
