"""The phantom: same seed same bytes, sane truth, the classes' morphology, and no shortcut to the answer."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import label as components
from scipy.stats import rankdata
from typer.testing import CliRunner

from leukstudy.cli import app
from leukstudy.phantom import CELL_TYPES, CLASSES, allot, draw_image, enrol, write_phantom
from leukstudy.phantom.card import data_card
from leukstudy.phantom.cell_types import CLONE_MIX, MATURATION, NORMAL_MIX, between, maturing
from leukstudy.phantom.draw import JPEG
from leukstudy.phantom.images import draw_picture
from leukstudy.phantom.patients import EFFECTS, image_effects, register
from leukstudy.phantom.smear import EMBEDDED, EMBEDDED_IMAGES, EMBEDDED_SEED
from leukstudy.study import paths

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "phantom"
FEW = {"healthy": 2, "CLL": 1}


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def truth_of(path: str) -> np.ndarray:
    return cv2.imread(str(ASSETS / "_truth" / path), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def embedded() -> pd.DataFrame:
    frame = pd.read_csv(ASSETS / "metadata.csv", keep_default_na=False)
    frame["label"] = frame["path"].str.split("/").str[0]
    return frame


@pytest.fixture(scope="module")
def statistics(embedded: pd.DataFrame) -> pd.DataFrame:
    """Every colour, border, size and file statistic of every embedded picture, and the areas of its truth."""
    return pd.DataFrame([image_statistics(path) for path in embedded["path"]])


def image_statistics(path: str) -> dict[str, float]:
    picture, truth = rgb(ASSETS / path), truth_of(path)
    spaces = [picture, cv2.cvtColor(picture, cv2.COLOR_RGB2HSV), cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)]
    planes = np.stack([*(p for s in spaces for p in cv2.split(s)), cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)])
    names = [f"{space}_{c}" for space, cs in (("rgb", "RGB"), ("hsv", "HSV"), ("lab", "Lab")) for c in cs]
    names.append("grey")
    ordered = np.sort(planes.reshape(10, -1), axis=1)
    edge = np.ones(truth.shape, bool)
    edge[4:-4, 4:-4] = False
    border = planes[:, edge]
    measures = {
        "mean": planes.mean(axis=(1, 2)),
        "std": planes.std(axis=(1, 2), dtype=np.float32),
        "border mean": border.mean(axis=1),
        "border std": border.std(axis=1),
        "background": np.sort(planes[:, truth == 0], axis=1)[:, (truth == 0).sum() // 2],
        **{f"p{p}": ordered[:, ordered.shape[1] * p // 100] for p in (1, 10, 25, 50, 75, 90, 99)},
    }
    row = {f"{n} {m}": float(v) for m, values in measures.items() for n, v in zip(names, values, strict=True)}
    nucleus, cell = float((truth == 255).sum()), float((truth > 0).sum())
    return row | {
        "file size": float((ASSETS / path).stat().st_size),
        "nucleus area": nucleus,
        "cell area": cell,
        "nuclear fraction": nucleus / cell,
    }


def separation(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """max(AUROC, 1 - AUROC) of each column, by ranks."""
    ranks = rankdata(values, axis=0)
    n1 = int(positive.sum())
    area = (ranks[positive].sum(axis=0) - n1 * (n1 + 1) / 2) / (n1 * (len(positive) - n1))
    return np.maximum(area, 1 - area)


# --- determinism ---------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    for name, seed, workers in (("a", 5, 1), ("b", 5, 2), ("c", 6, 1)):
        write_phantom(
            tmp_path / name, seed=seed, patients=FEW, images_per_patient=3, size=48, workers=workers
        )
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert len(a) == 2 * 9 + 3  # pictures and truth; metadata.csv, phantom.json, README.md
    assert a == b
    assert not {data for path, data in a.items() if path.endswith(".png")} & {
        data for path, data in c.items() if path.endswith(".png")
    }


def test_a_patient_does_not_depend_on_how_many_others_are_enrolled():
    few = next(p for p in enrol(3, {"ALL": 1, "CLL": 2}) if p.label == "ALL")
    many = next(p for p in enrol(3, {"healthy": 9, "ALL": 4, "CML": 2}) if p.seed == few.seed)
    assert few.clone == many.clone and few.effects == many.effects and few.laboratory == many.laboratory
    how = {"images": 4, "shape": (48, 48), "field": False, "jpeg": JPEG}
    for image in (0, 3):
        one, other = draw_picture(few, image, **how), draw_picture(many, image, **how)
        np.testing.assert_array_equal(one.picture, other.picture)


def test_embedded_pictures_are_what_the_program_draws(embedded):
    drawn = []
    how = {"images": EMBEDDED_IMAGES, "shape": (96, 96), "field": False, "jpeg": JPEG}
    for patient in enrol(EMBEDDED_SEED, EMBEDDED)[::16]:
        rows = embedded[embedded["patient_id"] == patient.patient_id]
        assert set(rows["label"]) == {patient.label}
        assert set(rows["laboratory"]) == {patient.laboratory.laboratory_id}
        for image, row in enumerate(rows.itertuples()):
            drawing = draw_picture(patient, image, **how)
            assert (drawing.cell_type, drawing.white_cells) == (row.cell_type, row.white_cells)
            # Not byte for byte: another processor's vector units may round the last grey level otherwise, and
            # JPEG spreads one level over its block.
            drawn.append(np.abs(drawing.picture.astype(int) - rgb(ASSETS / row.path)).mean())
            assert np.mean(drawing.truth != truth_of(row.path)) < 0.002, row.path
    assert len(drawn) == 50 and max(drawn) < 0.5


def test_the_card_is_the_programs_and_its_first_line_says_drawings():
    card = (ASSETS / "README.md").read_text(encoding="utf-8")
    assert "drawings, not patients' cells" in card.splitlines()[0]
    about = json.loads((ASSETS / "phantom.json").read_text(encoding="utf-8"))
    assert card == data_card(about)
    assert about["synthetic"] is True and about["planted"] is None
    assert (about["seed"], about["patients"], about["images"]) == (EMBEDDED_SEED, EMBEDDED, 800)


# --- the embedded set ----------------------------------------------------------------------------------------


def test_embedded_set_is_whole(embedded):
    per_patient = embedded.groupby("patient_id")
    assert per_patient.ngroups == sum(EMBEDDED.values()) >= 60
    assert (per_patient.size() == 10).all()
    assert (per_patient["label"].nunique() == 1).all()
    assert (per_patient["slide_id"].nunique() == 2).all()
    assert embedded.groupby("label")["patient_id"].nunique().to_dict() == EMBEDDED
    assert (per_patient["laboratory"].nunique() == 1).all()
    found = {p.relative_to(ASSETS).as_posix() for label in CLASSES for p in (ASSETS / label).iterdir()}
    assert found == set(embedded["path"])
    assert {p.relative_to(ASSETS / "_truth").as_posix() for p in (ASSETS / "_truth").rglob("*.png")} == found
    assert sum(p.stat().st_size for p in ASSETS.rglob("*") if p.is_file()) <= 12e6


def test_patient_ids_do_not_betray_the_class(embedded):
    patients = embedded.drop_duplicates("patient_id")
    number = patients["patient_id"].str[1:].astype(int).to_numpy()[:, None]
    for label in CLASSES:
        assert separation(number, (patients["label"] == label).to_numpy())[0] < 0.75


def test_laboratories_share_every_class_alike(embedded):
    counts = pd.crosstab(embedded["label"], embedded["laboratory"]) / EMBEDDED_IMAGES
    assert counts.shape == (5, 3)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert counts.sum().max() - counts.sum().min() <= 2
    many = pd.DataFrame(register(1, {label: 7 for label in CLASSES}, laboratories=5))
    assert pd.crosstab(many["label"], many["laboratory"]).isin([1, 2]).all(axis=None)


def test_truth_is_one_cell_in_the_middle_around_its_nucleus(embedded):
    assert 0.02 < (embedded["white_cells"] > 1).mean() < 0.15
    columns = ["path", "white_cells", "cell_type"]
    for path, others, cell_type in embedded[columns].itertuples(index=False):
        truth = truth_of(path)
        assert truth.shape == (96, 96) and truth.dtype == np.uint8
        assert set(np.unique(truth)) == {0, 128, 255}, path
        cell, nucleus = truth > 0, truth == 255
        if others > 1:
            assert cell[36:60, 36:60].mean() > 0.5, path
            continue
        # Between 7 and 22 um across, at 0.25 um a pixel.
        assert 28 < 2 * np.sqrt(cell.sum() / np.pi) < 88, path
        assert 0.2 < nucleus.sum() / cell.sum() < 0.97, path
        assert np.hypot(*(np.argwhere(cell).mean(axis=0) - 47.5)) < 12, path
        sizes = np.bincount(components(cell)[0].ravel())[1:]
        assert sizes.max() > 0.98 * cell.sum(), path
        if cell_type == "smudge":
            continue
        # A rim of cytoplasm parts the nucleus from the background, but for a pixel here and there.
        around = cv2.dilate(nucleus.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        assert (around & ~cell).sum() < 0.02 * nucleus.sum(), path


def test_nuclei_are_darker_than_cytoplasm_and_bluer_than_red_cells(embedded):
    right = []
    for path in embedded["path"][::8]:
        picture, truth = rgb(ASSETS / path).astype(float), truth_of(path)
        nucleus = picture[truth == 255].mean(axis=0)
        right.append(
            nucleus[1] < picture[truth == 128].mean(axis=0)[1] < picture[truth == 0].mean(axis=0)[1] + 40
        )
        assert nucleus[2] > nucleus[1], path
    assert np.mean(right) > 0.95


def test_the_classes_morphology(embedded, statistics):
    alone = embedded["white_cells"] == 1
    of = (
        statistics[alone]
        .groupby(embedded["cell_type"])[["nucleus area", "cell area", "nuclear fraction"]]
        .mean()
    )
    nucleus, cell, fraction = of["nucleus area"], of["cell area"], of["nuclear fraction"]
    assert nucleus["cll_lymphocyte"] < nucleus["lymphoblast"] < nucleus["myeloblast"]
    assert cell["lymphocyte"] < cell["neutrophil"] < cell["monocyte"]
    assert cell["cll_lymphocyte"] < cell["neutrophil"] < cell["promyelocyte"]
    assert (
        fraction["neutrophil"] < fraction["myeloblast"] < fraction["lymphoblast"] < fraction["cll_lymphocyte"]
    )


def test_only_clonal_cells_tell_and_not_all_cells_are_clonal(embedded):
    for label in CLASSES[1:]:
        kinds = embedded.loc[embedded["label"] == label, "cell_type"]
        assert 0.03 < 1 - kinds.isin(list(CLONE_MIX[label])).mean() < 0.25
    assert set(embedded.loc[embedded["label"] == "healthy", "cell_type"]) <= set(NORMAL_MIX)


# --- no shortcut ---------------------------------------------------------------------------------------------


def test_no_single_statistic_separates_detection(embedded, statistics):
    leukaemia = (embedded["label"] != "healthy").to_numpy()
    values = statistics.to_numpy()
    overall = pd.Series(separation(values, leukaemia), statistics.columns)
    assert overall.max() < 0.70, overall.nlargest(5)
    shortcuts = overall.drop(
        ["nucleus area", "cell area", "nuclear fraction"]
    )  # that is morphology, and truth
    assert shortcuts.max() < 0.65, shortcuts.nlargest(5)

    # Test splits of about 15% of each class's patients are small: now and then chance alone gives one of a
    # hundred statistics more than 0.80. It must stay rare.
    rng = np.random.default_rng(0)
    patients = embedded.groupby("label")["patient_id"].unique().sort_index()
    worst = []
    for _ in range(200):
        test = np.concatenate([rng.choice(ids, round(0.15 * len(ids)), replace=False) for ids in patients])
        rows = embedded["patient_id"].isin(test).to_numpy()
        worst.append(separation(values[rows], leukaemia[rows]).max())
    assert np.mean(np.array(worst) > 0.80) < 0.06
    assert np.median(worst) < 0.74


def test_stain_light_and_focus_have_the_same_distribution_in_every_class(embedded, statistics):
    background = statistics[[c for c in statistics if c.endswith("background")]]
    for label in CLASSES:
        apart = separation(background.to_numpy(), (embedded["label"] == label).to_numpy())
        assert apart.max() < 0.68, (label, background.columns[apart.argmax()], apart.max())
    within = statistics.groupby(embedded["patient_id"])["grey background"].std().mean()
    assert within > 0.5 * statistics["grey background"].std()


# --- drawing -------------------------------------------------------------------------------------------------


def test_draw_image_shapes_and_repeatability():
    patient = enrol(1, {"AML": 1})[0]
    for size in (64, 96, 97):
        drawing = draw_image(patient, np.random.default_rng(4), size)
        assert drawing.picture.shape == (size, size, 3) and drawing.picture.dtype == np.uint8
        assert drawing.truth.shape == (size, size) and drawing.truth.dtype == np.uint8
        assert drawing.cells.dtype == drawing.nuclei.dtype == np.uint16
        again = draw_image(patient, np.random.default_rng(4), size)
        np.testing.assert_array_equal(drawing.picture, again.picture)
    other = draw_image(patient, np.random.default_rng(5), 97)
    assert np.abs(other.picture.astype(int) - drawing.picture).mean() > 5


@pytest.mark.parametrize("cell_type", sorted(CELL_TYPES))
def test_every_cell_type_can_be_drawn(cell_type):
    patient = enrol(2, {"healthy": 1})[0]
    mean, sd = CELL_TYPES[cell_type].diameter
    areas = []
    for i in range(4):
        drawing = draw_image(patient, np.random.default_rng(i), cell_type=cell_type)
        assert drawing.cell_type == cell_type and drawing.picture.std() > 8
        areas.append((drawing.cells == 1).sum() * 0.25**2)
    diameter = 2 * np.sqrt(np.mean(areas) / np.pi)
    assert abs(diameter - mean) < 2 * sd + 0.1 * mean


def test_cell_types_follow_the_patients_mix_and_clone():
    rng = np.random.default_rng(0)
    healthy, ill = (enrol(1, {label: 1})[0] for label in ("healthy", "ALL"))
    for odds, share in ((-20.0, 0.0), (0.0, 0.92), (20.0, 1.0)):
        drawn = [ill.cell_type({"clone": odds}, rng) for _ in range(2000)]
        assert abs(drawn.count("lymphoblast") / 2000 - share) < 0.02
    assert "lymphoblast" not in {healthy.cell_type({"clone": 20.0}, rng) for _ in range(300)}
    for mix in (NORMAL_MIX, *CLONE_MIX.values()):
        assert sum(mix.values()) == pytest.approx(1) and set(mix) <= set(CELL_TYPES)
    mixes = [patient.clone for patient in enrol(1, {"AML": 40})]
    monoblasts = [mix["monoblast"] for mix in mixes]
    assert np.mean(monoblasts) == pytest.approx(CLONE_MIX["AML"]["monoblast"], abs=0.06)
    assert np.std(monoblasts) > 0.04 and sum(mixes[0].values()) == pytest.approx(1)


def test_maturation_is_a_continuum():
    rng = np.random.default_rng(0)
    promyelocyte, myelocyte = CELL_TYPES["promyelocyte"], CELL_TYPES["myelocyte"]
    half = between(promyelocyte, myelocyte, 0.5)
    assert half.diameter[0] == pytest.approx((promyelocyte.diameter[0] + myelocyte.diameter[0]) / 2)
    assert half.shape == promyelocyte.shape
    basophilia = [maturing("myelocyte", rng).basophilia[0] for _ in range(400)]
    stages = [CELL_TYPES[name].basophilia[0] for name in MATURATION[1:4]]
    assert stages[2] < min(basophilia) < stages[1] < max(basophilia) < stages[0]
    assert maturing("lymphoblast", rng) is CELL_TYPES["lymphoblast"]


def test_random_effects_have_their_spread_and_levels():
    patients = [p for seed in range(40) for p in enrol(seed, {"ALL": 6}, laboratories=3)]
    rng = np.random.default_rng(0)
    drawn = np.array([[image_effects(p, 0, rng)["violet"] for _ in range(20)] for p in patients])
    assert drawn.std() == pytest.approx(EFFECTS["violet"], rel=0.1)
    by_laboratory = drawn.reshape(40, 6, 20)
    order = [[p.laboratory.laboratory_id for p in patients[6 * s : 6 * s + 6]] for s in range(40)]
    assert all(sorted(set(labs)) == ["L1", "L2", "L3"] and len(labs) == 6 for labs in order)
    of_patient, of_seed = drawn.mean(axis=1), by_laboratory.mean(axis=(1, 2))
    assert 0.4 < of_patient.std() / EFFECTS["violet"] < 0.7
    assert of_seed.std() < of_patient.std()
    same = [of_patient[6 * s + a] * of_patient[6 * s + b] for s in range(40) for a in range(6) for b in range(a)
            if order[s][a] == order[s][b]]  # fmt: skip
    assert np.mean(same) > 0.04 * EFFECTS["violet"] ** 2


def test_jpeg_leaves_its_blocks_and_can_be_left_out():
    patient = enrol(1, {"CLL": 1})[0]
    clean, low = (draw_image(patient, np.random.default_rng(1), jpeg=q).picture for q in (None, (30, 30)))
    assert 0.5 < np.abs(clean.astype(int) - low).mean() < 8
    steps = np.abs(np.diff(low[:, :, 1].astype(int), axis=1)).mean(axis=0)
    assert steps[7::8].mean() > 1.15 * np.delete(steps, np.s_[7::8]).mean()
    patients = enrol(3, {"healthy": 9}, laboratories=9)
    assert len({p.laboratory.jpeg for p in patients}) == 9


def test_allotted_patients_keep_the_embedded_shares():
    assert allot(800) == EMBEDDED
    assert allot(1) == {"healthy": 1}
    assert set(allot(50)) == set(CLASSES) and set(allot(50).values()) == {1}
    for images in (7, 333, 100_000, 99_999):
        assert sum(allot(images).values()) == -(-images // 10)
    assert allot(100_000)["healthy"] == 3000
    with pytest.raises(ValueError, match="images is 0"):
        allot(0)


# --- bad input -----------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        write_phantom(out, seed=1, patients=FEW)
    refused = CliRunner().invoke(app, ["phantom", "--out", str(out)])
    assert refused.exit_code == 2 and "not an empty folder" in refused.stderr
    assert files(tmp_path) == {"out/mine.txt": b"keep"}
    with pytest.raises(FileExistsError):
        write_phantom(out / "mine.txt", seed=1, patients=FEW)


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    frame = write_phantom(tmp_path / "out", seed=1, patients={"CML": 1}, images_per_patient=1, size=32)
    assert frame["path"].tolist() == ["CML/P001_00.png"]
    assert frame.columns.tolist() == [
        "path", "patient_id", "slide_id", "laboratory", "cell_type", "white_cells"
    ]  # fmt: skip
    assert set(files(tmp_path / "out")) == {
        "CML/P001_00.png", "_truth/CML/P001_00.png", "metadata.csv", "README.md", "phantom.json"
    }  # fmt: skip


def test_a_run_that_fails_leaves_nothing(tmp_path, monkeypatch):
    calls = []

    def full(path, image, png):
        calls.append(path)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"x")

    monkeypatch.setattr("leukstudy.phantom.images.write_image", full)
    with pytest.raises(OSError, match="No space"):
        write_phantom(tmp_path / "out", seed=1, patients=FEW, size=32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patients": {"lupus": 1}}, "lupus"),
        ({"patients": {}}, "at least one patient"),
        ({"patients": {"ALL": -1, "CLL": 2}}, "negative"),
        ({"patients": FEW, "images_per_patient": 0}, "images_per_patient is 0"),
        ({"patients": FEW, "size": 8}, "size is 8"),
        ({"patients": FEW, "size": (48, 64)}, "are square"),
        ({"patients": FEW, "laboratories": 0}, "laboratories is 0"),
        ({"patients": FEW, "jpeg": (90, 80)}, "jpeg is"),
        ({"patients": FEW, "images": 31}, "31 images cannot be shared"),
        ({"patients": FEW, "field": True, "plant": "duplicates"}, "not in fields of view"),
    ],
)
def test_bad_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_phantom(tmp_path / "out", seed=1, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_unknown_cell_types_and_sizes_are_named():
    patient = enrol(1, {"AML": 1})[0]
    with pytest.raises(ValueError, match="'plasma' is unknown"):
        draw_image(patient, np.random.default_rng(0), cell_type="plasma")
    with pytest.raises(ValueError, match="too small"):
        draw_image(patient, np.random.default_rng(0), 16)


def test_the_embedded_phantom_is_what_its_command_draws(tmp_path):
    """In a process that has the pins before NumPy is loaded: a pinned exp is another exp in the last digit."""
    command = [sys.executable, "-c", "from leukstudy.cli import app; app()", "phantom", "--seed", "11"]
    subprocess.run(
        [*command, "--out", str(tmp_path / "drawn")], check=True, capture_output=True, cwd=paths.ROOT
    )
    embedded = paths.ROOT / "assets" / "phantom"
    files = sorted(file.relative_to(embedded) for file in embedded.rglob("*") if file.is_file())
    assert len(files) > 800
    assert [
        file for file in files if (embedded / file).read_bytes() != (tmp_path / "drawn" / file).read_bytes()
    ] == []
