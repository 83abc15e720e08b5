"""The leukstudy command: what it says, and what it refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from leukstudy import cli, paths, presets


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(cli.app, list(arguments), env={"COLUMNS": "200"})


def test_lists_and_describes_sources(run):
    listed = run("data", "list")
    assert listed.exit_code == 0
    assert "taleqani" in listed.stdout
    told = run("data", "info", "phantom")
    assert "yes: these are drawings" in told.stdout
    assert "scale bar" in run("data", "info", "taleqani").stdout.replace("\n", " ")


def test_lists_presets(run):
    listed = run("preset").stdout
    assert all(name in listed for name in presets.names())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("data", "info", "taleqany"), "did you mean 'taleqani'"),
        (("data", "use", "no/such/folder"), "does not exist"),
        (("data", "use", "taleqani"), "does not come with the study"),
        (("data", "use", str(Path(__file__))), "is a file"),
        (("preset", "smok"), "did you mean 'smoke'"),
    ],
)
def test_a_mistake_gets_one_message_and_no_traceback(run, arguments, says):
    done = run(*arguments)
    assert done.exit_code == 1
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_an_empty_folder_is_no_data(run, tmp_path):
    done = run("data", "use", str(tmp_path))
    assert done.exit_code == 1
    assert str(tmp_path) in done.stderr.replace("\n", "")


@pytest.fixture
def study(tmp_path) -> Path:
    """A study folder with DVC, three drawings of each class, and no code."""
    folder = tmp_path / "study"
    for label in ("healthy", "ALL"):
        (folder / "assets" / "phantom" / label).mkdir(parents=True)
        for number in range(3):
            picture = np.full((40, 40, 3), 40 * number, np.uint8)
            cv2.imwrite(str(folder / "assets" / "phantom" / label / f"{number}.png"), picture)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(paths.ROOT / name, folder / name)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    return folder


def leukstudy(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from leukstudy.cli import app; app()", *arguments],
        cwd=folder, env={**os.environ, "LEUKSTUDY_ROOT": str(folder), "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_using_other_data_and_going_back_loses_nothing(study, tmp_path):
    own = tmp_path / "own smears"
    shutil.copytree(study / "assets" / "phantom", own)
    cv2.imwrite(str(own / "ALL" / "mine.png"), np.zeros((50, 50, 3), np.uint8))
    assert leukstudy(study, "data", "use", "phantom").returncode == 0
    assert len(list((study / "data").glob("*/*.png"))) == 6

    (study / "data" / "ALL" / "note.txt").write_text("added by hand", encoding="utf-8")
    refused = leukstudy(study, "data", "use", str(own))
    assert refused.returncode == 1
    assert "added or changed by hand" in refused.stderr
    assert (study / "data" / "ALL" / "note.txt").is_file()

    (study / "data" / "ALL" / "note.txt").unlink()
    done = leukstudy(study, "data", "use", str(own))
    assert done.returncode == 0, done.stderr
    assert "7 images (ALL 4, healthy 3)" in done.stdout
    assert (study / "data" / "ALL" / "mine.png").is_file()
    assert "frozen" not in (study / "data.dvc").read_text(encoding="utf-8")
    assert leukstudy(study, "data", "use", "phantom").returncode == 0
    assert not (study / "data" / "ALL" / "mine.png").exists()
    assert (own / "ALL" / "mine.png").is_file()
