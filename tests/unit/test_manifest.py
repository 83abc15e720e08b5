"""The catalogue: what is found, what is excluded and why, which images belong together."""

import shutil

import numpy as np
import pandas as pd
import pytest
from fabricate import class_folders, odd_files
from PIL import Image

from leukstudy.data import DataProblem
from leukstudy.data.adapters import folder
from leukstudy.data.catalogue import DRAWN, WORKING, catalogue
from leukstudy.data.group import file_numbers, join_near_duplicates
from leukstudy.data.identify import perceptual_hash
from leukstudy.data.manifest import COLUMNS, flow, read_manifest, write_manifest
from leukstudy.data.provenance import describe
from leukstudy.data.sources import SOURCES, find_source, source_rows
from leukstudy.data.split import assign
from leukstudy.study.schema import SourceUse


@pytest.fixture
def root(tmp_path):
    class_folders(tmp_path / "data", ("healthy", "ALL"), groups_per_class=4, images_per_group=3, size=40)
    return tmp_path / "data"


def excluded(manifest, image_id):
    return manifest.set_index("image_id").loc[image_id, "excluded"]


def test_columns_types_and_order(root):
    manifest = catalogue(root, "folder")
    assert {name: str(kind) for name, kind in manifest[list(COLUMNS)].dtypes.items()} == COLUMNS
    assert list(manifest.columns) == [*COLUMNS, *WORKING]
    assert manifest["image_id"].is_monotonic_increasing and manifest["image_id"].is_unique
    assert len(manifest) == 24 and (manifest["excluded"] == "").all()
    first = manifest.iloc[0]
    assert (first["image_id"], first["path"]) == ("ALL/P05_001", "ALL/P05_001.png")
    assert (first["label"], first["patient_id"], first["group_id"]) == ("ALL", "P05", "folder:patient:P05")
    assert (first["width"], first["height"], first["split"], first["fold"]) == (40, 40, "", -1)
    assert len(first["sha256"]) == 64 and len(first["phash"]) == 16


def test_the_number_of_workers_changes_nothing(root):
    one, many = (catalogue(root, "folder", workers=n) for n in (1, 5))
    pd.testing.assert_frame_equal(one, many)


def test_odd_files_are_read_or_excluded_with_a_reason(root):
    odd = odd_files(root / "ALL" / "odd")
    (root / "ALL" / "README.md").write_text("no image")
    (root / "_truth").mkdir()
    shutil.copy(root / "ALL" / "P05_001.png", root / "_truth" / "x.png")
    shutil.copy(root / "ALL" / "P05_001.png", root / "ALL" / ".hidden.png")
    manifest = catalogue(root, "folder", group_by="block", block_size=5, min_side=16)
    assert len(manifest) == 24 + len(odd)
    reasons = manifest.set_index("image_id")["excluded"]
    for kind in ("truncated", "text", "empty", "huge", "frames", "float"):
        assert reasons[f"ALL/odd/{kind}"].startswith("unreadable: ")
        assert manifest.set_index("image_id").loc[f"ALL/odd/{kind}", "width"] == 0
    assert reasons["ALL/odd/cmyk"] == reasons["ALL/odd/rgba"] == reasons["ALL/odd/rgb16"] == ""
    # grey16 holds the pixels of grey, 16 bits deep: a duplicate in another file format
    assert reasons["ALL/odd/grey16"] == "duplicate: same pixels as ALL/odd/grey"
    assert folder.listing(root)[1] == ["ALL/README.md"]


def test_tiny_duplicate_and_conflict(root):
    Image.new("RGB", (40, 12)).save(root / "ALL" / "P05_tiny.png")
    shutil.copy(root / "ALL" / "P05_001.png", root / "ALL" / "P05_same.png")
    shutil.copy(root / "ALL" / "P06_004.png", root / "healthy" / "P01_same.png")
    (root / "metadata.csv").unlink()
    manifest = catalogue(root, "folder", block_size=4)
    assert excluded(manifest, "ALL/P05_tiny") == "tiny: 40 x 12, less than 32 pixels a side"
    assert excluded(manifest, "ALL/P05_same") == "duplicate: same pixels as ALL/P05_001"
    assert excluded(manifest, "ALL/P05_001") == ""
    assert excluded(manifest, "ALL/P06_004") == "conflict: same pixels as healthy/P01_same, labelled healthy"
    assert excluded(manifest, "healthy/P01_same") == "conflict: same pixels as ALL/P06_004, labelled ALL"
    counts = flow(manifest).query("label == '' and split == ''").set_index("step")["images"]
    assert counts.to_dict() == {
        "found": 27, "unmapped": 0, "known": 0, "limited": 0, "unreadable": 0, "tiny": 1, "conflict": 2, "duplicate": 1, "kept": 23,
    }  # fmt: skip


def test_group_levels(root):
    metadata = pd.read_csv(root / "metadata.csv")
    assert set(catalogue(root, "folder")["group_level"]) == {"patient"}
    metadata.drop(columns="patient_id").to_csv(root / "metadata.csv", index=False)
    by_slide = catalogue(root, "folder")
    assert set(by_slide["group_level"]) == {"slide"} and by_slide["group_id"].iloc[0] == "folder:slide:S05"
    (root / "metadata.csv").unlink()
    by_block = catalogue(root, "folder", block_size=5)
    assert set(by_block["group_level"]) == {"block"}
    assert by_block.groupby("group_id").size().to_dict() == {  # numbers 1-12 in each class
        f"folder:block:{label}/{block:04d}": size
        for label in ("ALL", "healthy")
        for block, size in enumerate((4, 5, 3))  # number // 5
    }


def test_patients_of_two_sources_are_never_one(root):
    a = catalogue(root, "folder")["group_id"]
    (root / DRAWN).write_text("{}")
    b = catalogue(root, "phantom")["group_id"]
    assert not set(a) & set(b)


def test_drawings_are_never_taken_for_smears_nor_smears_for_drawings(root):
    with pytest.raises(DataProblem, match="these are no drawings of it"):
        catalogue(root, "phantom")
    (root / DRAWN).write_text("{}")
    with pytest.raises(DataProblem, match=r"these are drawings, but data\.sources calls them 'folder'"):
        catalogue(root, "folder")


def test_several_sources_are_joined_under_one_label_map(tmp_path):
    class_folders(tmp_path / "own", ("healthy", "ALL"), groups_per_class=4, size=40)
    class_folders(tmp_path / "phantom", ("healthy", "CLL", "CML"), groups_per_class=3, size=40, seed=1)
    (tmp_path / "phantom" / DRAWN).write_text("{}")
    uses = {
        "folder": SourceUse(folder="own", labels={"healthy": "normal", "ALL": "leukaemia"}),
        "phantom": SourceUse(folder="phantom", labels={"healthy": "normal", "CLL": "leukaemia"}),
    }
    table = catalogue(tmp_path, uses)
    assert set(table.loc[table["excluded"] == "", "label"]) == {"normal", "leukaemia"}
    assert set(table.loc[table["label"] == "CML", "excluded"]) == {"unmapped: CML"}
    assert table.groupby("source").size().to_dict() == {"folder": 24, "phantom": 27}
    assert all((tmp_path / path).is_file() for path in table["path"])
    assert table["image_id"].str.startswith(("own/", "phantom/")).all()
    split = assign(table, seed=1, external=["phantom"])
    write_manifest(split, tmp_path / "m.csv")
    assert set(read_manifest(tmp_path / "m.csv").query("source == 'phantom'")["split"]) == {"external", ""}
    with pytest.raises(DataProblem, match="labels names 'AML', which no image there has"):
        catalogue(tmp_path, uses | {"phantom": SourceUse(folder="phantom", labels={"AML": "leukaemia"})})


def test_two_hospitals_of_ones_own_are_two_sources(tmp_path):
    uses = {}
    for seed, name in enumerate(("folder-north", "folder-south")):
        class_folders(tmp_path / name, groups_per_class=3, size=40, seed=seed)
        uses[name] = SourceUse(folder=name, labels=None)
    table = catalogue(tmp_path, uses)
    assert table["group_id"].nunique() == 12  # the same patient ids in both
    split = assign(table, seed=1, external=["folder-south"])
    assert set(split.loc[split["source"] == "folder-south", "split"]) == {"external"}
    assert "Own smears in class folders: north" in describe(table)


def test_blocks_never_cross_an_official_split(root):
    metadata = pd.read_csv(root / "metadata.csv")[["path"]]
    metadata["official_split"] = ["train"] * 4 + ["test"] * 8 + ["train"] * 5 + ["val"] * 3 + ["test"] * 4
    metadata.to_csv(root / "metadata.csv", index=False)
    table = catalogue(root, "folder", block_size=5)
    assert (table.groupby("group_id")["official_split"].nunique() == 1).all()


def test_near_duplicates_join_groups_under_the_first_name(root):
    table = catalogue(root, "folder")
    near = pd.DataFrame({"a": ["ALL/P06_004", "ALL/P07_007"], "b": ["ALL/P05_001", "healthy/P02_004"]})
    joined = join_near_duplicates(table, near).set_index("image_id")["group_id"]
    assert joined["ALL/P06_005"] == joined["ALL/P05_002"] == "folder:patient:P05"
    assert joined["ALL/P07_008"] == joined["healthy/P02_005"] == "folder:patient:P02"
    assert joined["ALL/P08_010"] == "folder:patient:P08"
    gone = table.assign(excluded=table["excluded"].where(table["image_id"] != "ALL/P06_004", "duplicate: x"))
    assert join_near_duplicates(gone, near)["group_id"].nunique() == 7


def test_copies_of_one_original_are_one_group(root):
    metadata = pd.read_csv(root / "metadata.csv").drop(columns=["patient_id", "slide_id"])
    metadata["original_id"] = metadata["path"].str.extract(r"(P\d+)", expand=False)
    metadata.to_csv(root / "metadata.csv", index=False)
    assert set(catalogue(root, "folder")["group_level"]) == {"original"}
    metadata.loc[~metadata["original_id"].isin(["P05", "P06"]), "original_id"] = ""
    metadata.loc[metadata["original_id"] == "P06", "original_id"] = "P05"
    metadata.to_csv(root / "metadata.csv", index=False)
    some = catalogue(root, "folder", block_size=3)
    assert set(some["group_level"]) == {"block"}
    first = some.loc[some["image_id"].str.contains("P05|P06"), "group_id"]
    assert first.nunique() == 1 and some["group_id"].nunique() == 8


def test_partly_known_patients_are_refused(root):
    metadata = pd.read_csv(root / "metadata.csv")
    metadata.iloc[:-2].to_csv(root / "metadata.csv", index=False)
    with pytest.raises(DataProblem, match=r"patient_id is known of 22 of 24 images"):
        catalogue(root, "folder")
    assert set(catalogue(root, "folder", group_by="block", block_size=6)["group_level"]) == {"block"}


def test_file_numbers():
    numbered = pd.Series(["Pre/WBC-Malignant-Pre-017.jpg", "Pre/WBC-Malignant-Pre-009.jpg"])
    assert file_numbers(numbered).tolist() == [17, 9]
    # numbers that repeat are no file numbers, and names may have none: the natural order counts
    assert file_numbers(pd.Series(["a/p2_1.png", "a/p10_1.png", "a/p1_1.png"])).tolist() == [1, 2, 0]
    assert file_numbers(pd.Series(["a/x.png", "a/b.png"])).tolist() == [1, 0]


def test_limit_keeps_whole_groups(root):
    manifest = catalogue(root, "folder", max_groups_per_class=2)
    kept = manifest[manifest["excluded"] == ""]
    assert kept["group_id"].nunique() == 4 and len(kept) == 12
    assert set(manifest["excluded"]) == {"", "limited"}


def test_class_names_may_be_odd(tmp_path):
    names = ("Leucémie, aiguë", "健康", "NA")
    class_folders(tmp_path, names, groups_per_class=3, images_per_group=1)
    manifest = assign(catalogue(tmp_path, "folder"), seed=0)
    write_manifest(manifest, tmp_path / "m.csv")
    assert set(read_manifest(tmp_path / "m.csv")["label"]) == set(names)


@pytest.mark.parametrize("name", [" ALL", "ALL ", "A:B", "A\nB", "what?"])
def test_unfit_class_names_are_refused(tmp_path, name):
    class_folders(tmp_path, ("healthy", name), groups_per_class=2, images_per_group=1)
    with pytest.raises(DataProblem, match="rename"):
        catalogue(tmp_path, "folder")


def test_decomposed_names_are_one_label(tmp_path):
    class_folders(tmp_path, ("healthy", "aigue\u0308"), groups_per_class=2, images_per_group=1)
    manifest = catalogue(tmp_path, "folder")
    assert set(manifest["label"]) == {"healthy", "aigu\u00eb"}
    assert all((tmp_path / path).is_file() for path in manifest["path"])


def test_data_that_cannot_be_studied(tmp_path):
    with pytest.raises(DataProblem, match="no such folder"):
        catalogue(tmp_path / "none", "folder")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataProblem, match=r"no image found.*data use"):
        catalogue(empty, "folder")
    class_folders(tmp_path / "one", ("ALL",))
    with pytest.raises(DataProblem, match="one class only"):
        catalogue(tmp_path / "one", "folder")
    class_folders(tmp_path / "lone", ("ALL", "healthy"), groups_per_class=2, images_per_group=2)
    metadata = pd.read_csv(tmp_path / "lone" / "metadata.csv").replace("P02", "P01")
    metadata.to_csv(tmp_path / "lone" / "metadata.csv", index=False)
    with pytest.raises(DataProblem, match=r"class 'ALL' has one patient only.*both training and test"):
        catalogue(tmp_path / "lone", "folder")
    class_folders(tmp_path / "loose")
    shutil.copy(tmp_path / "loose" / "ALL" / "P05_001.png", tmp_path / "loose" / "x.png")
    with pytest.raises(DataProblem, match="outside any class folder"):
        catalogue(tmp_path / "loose", "folder")


def test_a_class_without_sound_images(root):
    for path in (root / "ALL").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataProblem, match=r"no usable image in class 'ALL': all 12 are excluded.*empty file"):
        catalogue(root, "folder")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,patient_id\nALL/P05_001.png,1\n", "a column `path` is needed"),
        ("path,patient_id\nALL/none.png,1\n", r"1 row\(s\) name a path that is no image"),
        ("path,patient_id\nALL/P05_001.png,1\nALL/P05_001.png,2\n", "in more than one row"),
        ("", "cannot be read"),
        ("path,patient_id\na,b,c,d\ne\n", "cannot be read|no image"),
    ],
)
def test_bad_metadata(root, text, message):
    (root / "metadata.csv").write_text(text)
    with pytest.raises(DataProblem, match=message):
        folder.rows(root)


def test_metadata_from_windows(root):
    lines = [f"ALL\\{path.name},p{path.name[:3]},x" for path in sorted((root / "ALL").iterdir())]
    lines += [f"./healthy/{path.name},q{path.name[:3]},y" for path in sorted((root / "healthy").iterdir())]
    text = "path,patient_id,extra\r\n" + "\r\n".join(lines) + "\r\n"
    (root / "metadata.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert catalogue(root, "folder")["patient_id"].iloc[0] == "pP05"


def test_same_name_in_two_formats(root):
    Image.open(root / "ALL" / "P05_001.png").save(root / "ALL" / "P05_001.jpg")
    (root / "metadata.csv").unlink()
    ids = set(catalogue(root, "folder", block_size=4)["image_id"])
    assert {"ALL/P05_001.png", "ALL/P05_001.jpg"} <= ids and "ALL/P05_001" not in ids


def test_round_trip_is_exact_and_bytes_are_the_same(root, tmp_path):
    manifest = assign(catalogue(root, "folder"), seed=3)
    for name in ("a.csv", "b.csv"):
        write_manifest(manifest, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "a.csv"), manifest[list(COLUMNS)])
    assert sorted(p.name for p in tmp_path.glob("*.csv")) == ["a.csv", "b.csv"]
    assert not list(tmp_path.glob(".a.csv*"))


def test_a_manifest_that_leaks_is_never_written(root, tmp_path):
    manifest = assign(catalogue(root, "folder"), seed=3)
    write_manifest(manifest, tmp_path / "m.csv")
    before = (tmp_path / "m.csv").read_bytes()
    leaking = manifest.copy()
    row = leaking.index[leaking["split"] == "train"][0]
    leaking.loc[row, "split"] = "test"
    with pytest.raises(DataProblem, match="group_in_one_split"):
        write_manifest(leaking, tmp_path / "m.csv")
    with pytest.raises(DataProblem, match="columns"):
        write_manifest(manifest.drop(columns="fold"), tmp_path / "m.csv")
    assert (tmp_path / "m.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", "", "'label' fails 'not_empty' with ''"),
        ("image_id", "ALL/P05_001", "'image_id' fails 'unique' with 'ALL/P05_001'"),
        ("group_level", "cell", "'group_level' fails \"one of "),
        ("width", -1, "'width' fails '0 or more' with"),
        ("sha256", "abc", "'sha256' fails '64 hex digits or nothing' with 'abc'"),
        ("phash", "z" * 16, "'phash' fails '16 hex digits or nothing'"),
        ("split", "tets", "'split' fails 'a split or nothing' with 'tets'"),
        ("fold", -2, "'fold' fails '-1 or more' with"),
        ("fold", "x", "not a manifest of this study: "),
        ("excluded", "tiny", "an excluded image has a split or a fold"),
    ],
)
def test_a_manifest_that_breaks_a_promise_is_refused(root, tmp_path, column, value, message):
    manifest = assign(catalogue(root, "folder"), seed=3).astype({column: "object"})
    manifest.loc[manifest.index[-1], column] = value
    with pytest.raises(DataProblem) as error:
        write_manifest(manifest, tmp_path / "m.csv")
    assert message in str(error.value) and not list(tmp_path.glob("*.csv"))


def test_reading_a_manifest_that_is_none(tmp_path):
    with pytest.raises(DataProblem, match="run the stage `acquire`"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "m.csv").write_text("image_id,path\na,b\n")
    with pytest.raises(DataProblem, match="columns are"):
        read_manifest(tmp_path / "m.csv")


def test_flow_adds_up(root):
    manifest = assign(catalogue(root, "folder"), seed=0)
    table = flow(manifest).set_index(["step", "split", "label"])
    assert table.loc[("found", "", ""), "images"] == 24
    for label in ("", "ALL", "healthy"):
        parts = [table.loc[("kept", split, label)] for split in ("train", "val", "test")]
        assert sum(part["images"] for part in parts) == table.loc[("kept", "", label), "images"]
        assert sum(part["groups"] for part in parts) == table.loc[("kept", "", label), "groups"]


def test_sources_registry(root):
    assert all(name == source.name for name, source in SOURCES.items())
    assert SOURCES["phantom"].synthetic and not SOURCES["taleqani"].synthetic
    with pytest.raises(DataProblem, match=r"did you mean 'taleqani'\?.*folder"):
        find_source("taleqanni")
    for name in ("folder", "phantom"):  # the others: test_adapters.py
        assert list(source_rows(SOURCES[name], root).columns) == [*folder.COLUMNS, "excluded_by_source"]


def test_perceptual_hash_sees_pictures_not_pixels():
    rng = np.random.default_rng(1)
    smooth = np.kron(rng.integers(60, 200, (8, 8)), np.ones((12, 12))).astype(np.uint8)
    rgb = np.repeat(smooth[:, :, None], 3, axis=2)

    def apart(a, b):
        return bin(int(perceptual_hash(a), 16) ^ int(perceptual_hash(b), 16)).count("1")

    assert apart(rgb, np.clip(rgb.astype(int) + 20, 0, 255).astype(np.uint8)) <= 4
    assert apart(rgb, rgb[::2, ::2]) <= 4
    assert apart(rgb, rgb[:, ::-1]) >= 16
