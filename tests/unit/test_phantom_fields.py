"""Fields of view, the command that draws many pictures, and what is left when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from leukstudy.commands.phantom import phantom
from leukstudy.imaging.workers import in_order
from leukstudy.phantom import draw_field, enrol, write_phantom

ROOT = Path(__file__).resolve().parents[2]
app = typer.Typer()
app.command()(phantom)


def command(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def field():
    return draw_field(enrol(5, {"ALL": 3})[1], np.random.default_rng(1), (240, 320))


def test_a_fields_truth_fits_its_boxes(field):
    assert field.picture.shape == (240, 320, 3) and field.picture.dtype == np.uint8
    assert field.cells.shape == field.nuclei.shape == (240, 320)
    whites = [thing for thing in field.things if thing.number]
    assert [thing.number for thing in whites] == list(range(1, field.cells.max() + 1))
    assert field.white_cells == len(whites) >= 1
    for thing in whites:
        mask = field.cells == thing.number
        rows, columns = np.nonzero(mask)
        x0, y0, x1, y1 = thing.box
        assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert (thing.cx, thing.cy) == pytest.approx((columns.mean(), rows.mean()), abs=0.01)
    # A nucleus lies in its own cell.
    inside = field.nuclei > 0
    assert (field.nuclei[inside] == field.cells[inside]).all()
    assert set(np.unique(field.truth)) <= {0, 128, 255}
    assert ((field.truth > 0) == (field.cells > 0)).all()


def test_red_cells_lie_where_their_boxes_say(field):
    red = [thing for thing in field.things if thing.cell_type == "red_cell"]
    assert 40 < len(red) < 250 and all(thing.number == 0 for thing in red)
    diameters = [x1 - x0 for x0, y0, x1, y1 in (t.box for t in red) if x0 > 0 and x1 < 320]
    assert 6.5 < np.median(diameters) * 0.25 < 9
    assert all(0 <= t.box[0] < t.box[2] <= 320 and 0 <= t.box[1] < t.box[3] <= 240 for t in field.things)
    covered = np.zeros((240, 320), bool)
    for x0, y0, x1, y1 in (t.box for t in field.things):
        covered[y0:y1, x0:x1] = True
    green = field.picture[:, :, 1].astype(float)
    assert green[~covered].mean() > green[covered].mean() + 10


def test_cells_touch_but_never_share_a_pixel():
    rng, patients = np.random.default_rng(0), enrol(8, {"CLL": 4})
    touching = 0
    for patient in patients:
        for _ in range(2):
            cells = draw_field(patient, rng, (320, 480)).cells
            for number in range(1, cells.max() + 1):
                around = cv2.dilate((cells == number).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
                touching += bool((cells[around] > number).any())
    assert touching >= 2


def test_fields_are_written_with_boxes_and_instances(tmp_path):
    given = {"seed": 4, "patients": {"healthy": 1, "AML": 2}, "images_per_patient": 2, "field": True}
    for name, workers in (("a", 1), ("b", 2)):
        frame = write_phantom(tmp_path / name, size=(96, 160), workers=workers, **given)
    files = {
        name: {
            p.relative_to(tmp_path / name): p.read_bytes()
            for p in (tmp_path / name).rglob("*")
            if p.is_file()
        }
        for name in "ab"
    }
    assert files["a"] == files["b"]
    boxes = pd.read_csv(tmp_path / "a" / "boxes.csv")
    assert list(boxes.columns) == ["path", "cell", "cell_type", "x0", "y0", "x1", "y1", "cx", "cy"]
    assert list(frame["path"]) == sorted(frame["path"]) == list(boxes["path"].unique())
    assert (frame["cell_type"] == "").all()
    for path, white in frame[["path", "white_cells"]].itertuples(index=False):
        cells = cv2.imread(str(tmp_path / "a" / "_truth" / "instances" / path), cv2.IMREAD_UNCHANGED)
        truth = cv2.imread(str(tmp_path / "a" / "_truth" / path), cv2.IMREAD_UNCHANGED)
        assert cells.dtype == np.uint16 and cells.shape == (96, 160)
        assert ((cells > 0) == (truth > 0)).all()
        assert cells.max() == white == (boxes.loc[boxes["path"] == path, "cell"] > 0).sum()
    about = json.loads((tmp_path / "a" / "phantom.json").read_text())
    assert about["kind"] == "fields of view" and about["size"] == [96, 160] and about["images"] == 6


# --- the command ---------------------------------------------------------------------------------------------


def test_the_command_draws_as_many_as_asked(tmp_path):
    out = tmp_path / "out"
    result = command(
        "--images", "23", "--size", "32", "--out", str(out), "--workers", "1", "--laboratories", "2"
    )
    assert result.exit_code == 0, result.output
    assert "23 drawings of 3 patients" in result.stdout
    table = pd.read_csv(out / "metadata.csv")
    assert len(table) == 23 and set(table["laboratory"]) <= {"L1", "L2"}
    assert table.groupby("patient_id").size().sort_values().tolist() == [3, 10, 10]
    # Fewer pictures are the same pictures.
    again = command(
        "--images",
        "20",
        "--size",
        "32",
        "--out",
        str(tmp_path / "again"),
        "--workers",
        "1",
        "--laboratories",
        "2",
    )
    assert again.exit_code == 0
    kept = pd.read_csv(tmp_path / "again" / "metadata.csv")["path"]
    same = [path for path in kept if (out / path).is_file()]
    assert all((out / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in same)


def test_the_command_plants_and_lists_flaws(tmp_path):
    assert "scale_bar: " in command("--plant", "list").stdout
    nowhere = command("--images", "5")
    assert nowhere.exit_code == 2 and "--out" in nowhere.stderr
    result = command(
        "--images", "50", "--images-per-patient", "5", "--size", "32", "--out", str(tmp_path / "out"), "--plant", "size",
        "--jpeg", "none", "--workers", "1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    about = json.loads((tmp_path / "out" / "phantom.json").read_text())
    assert about["planted"] == "size" and about["jpeg"] is None
    assert "planted here on purpose" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "big"], "size is 'big'"),
        (["--size", "9x9x9"], "expected pixels a side"),
        (["--images", "0"], "images is 0"),
        (["--jpeg", "high"], "jpeg is 'high'"),
        (["--plant", "typo"], "unknown flaw 'typo'"),
        (["--laboratories", "0"], "laboratories is 0"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, arguments, message):
    result = command("--out", str(tmp_path / "out"), "--workers", "1", *arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert list(tmp_path.iterdir()) == []


# --- stopped half way ----------------------------------------------------------------------------------------


def test_a_killed_run_leaves_nothing_that_is_taken_for_whole_and_no_process(tmp_path):
    code = (
        "import signal\nfrom pathlib import Path\nfrom leukstudy.phantom import write_phantom\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background inherit none\n"
        "    write_phantom(Path('out'), seed=1, patients={'ALL': 400}, size=48, workers=2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, env=env)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.part-*/ALL/*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out").exists()
    (part,) = tmp_path.glob(".out.part-*")
    assert not (part / "phantom.json").exists()
    # The workers end with it: nothing is written any more.
    while time.monotonic() < deadline:
        before = len(list(part.rglob("*.png")))
        time.sleep(0.5)
        if len(list(part.rglob("*.png"))) == before:
            break
    assert len(list(part.rglob("*.png"))) == before < 8000


def test_ctrl_c_leaves_nothing(tmp_path):
    code = (
        "import signal\nfrom pathlib import Path\nfrom leukstudy.phantom import write_phantom\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background inherit none\n"
        "    write_phantom(Path('out'), seed=1, patients={'ALL': 400}, size=48, workers=2)\n"
    )
    (tmp_path / "run.py").write_text(code)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "run.py"], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.part-*/ALL/*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert [path.name for path in tmp_path.iterdir()] == ["run.py"]


def test_work_ahead_is_bounded_and_in_order():
    asked = []

    def jobs():
        for i in range(40):
            asked.append(i)
            yield i

    results = in_order(abs, jobs(), workers=2)
    assert next(results) == 0 and len(asked) <= 9
    assert list(results) == list(range(1, 40))
