"""The leukstudy command: what it says, and what it refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fabricate_sources import bccd, bloodmnist, own_folder, taleqani, taleqani_flat
from ruamel.yaml import YAML
from typer.testing import CliRunner

from leukstudy import cli
from leukstudy.data.sources import SOURCES
from leukstudy.study import paths, presets


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


def test_every_source_can_be_described(run):
    for name, source in SOURCES.items():
        told = " ".join(run("data", "info", name).stdout.split())
        assert (
            source.title in told
            and source.group_level in told
            and " ".join(source.tested.split())[:40] in told
        )


def test_verifying_says_what_differs(run, tmp_path):
    taleqani_flat(tmp_path)
    done = run("data", "verify", "taleqani", str(tmp_path))
    assert done.exit_code == 1
    assert "503 missing" in done.stdout and "DIFFERS" in done.stdout
    assert "Not as published: taleqani" in done.stderr
    own_folder(tmp_path / "own")
    done = run("data", "verify", "folder", str(tmp_path / "own"))
    assert done.exit_code == 0 and "Nothing contradicts the registry" in done.stdout


def test_verifying_without_a_name_goes_by_the_parameters(run, tmp_path, monkeypatch):
    own_folder(tmp_path / "data" / "hospital")
    bloodmnist(tmp_path / "data" / "b")
    text = paths.PARAMS.read_text(encoding="utf-8")
    block = "    folder: {folder: hospital, labels: null}\n    bloodmnist: {folder: b, labels: null}\n"
    head, rest = text.split("  sources:\n")
    text = head + "  sources:\n" + block + rest[rest.index("  # pixels; images with a shorter side") :]
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    done = run("data", "verify")
    assert done.exit_code == 1, done.stderr
    assert "folder: " in done.stdout and "official split train" in done.stdout
    assert "Not as published: bloodmnist." in done.stderr
    (tmp_path / "params.yaml").write_text("acquire: {}\n")
    assert "unknown key 'acquire'" in run("data", "verify").stderr


def test_lists_presets(run):
    listed = run("preset").stdout
    assert all(name in listed for name in presets.names())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("data", "info", "taleqany"), "did you mean 'taleqani'"),
        (("data", "use", "no/such/folder"), "does not exist"),
        (("data", "use", "taleqani"), "does not come with the study"),
        (("data", "use", str(Path(__file__))), "is a file, and no archive"),
        (("data", "use", "taleqany=tests"), "did you mean 'taleqani'"),
        (("data", "use", "tests", "pbc=tests"), "given as NAME=PATH each"),
        (("data", "use", "pbc=tests", "pbc=docs"), "named twice"),
        (("data", "use", "pbc=no/such/folder"), "does not exist"),
        (("data", "get", "all_idb1"), "fill in the application form"),
        (("data", "verify", "taleqani", "no/such/folder"), "no such folder"),
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


def test_several_sources_are_put_side_by_side_and_taken_back(study, tmp_path):
    for name, write in (("t", taleqani), ("b", bccd)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    (tmp_path / "t" / ".git").mkdir()
    (tmp_path / "t" / ".git" / "config").write_text("not mine")
    archive = shutil.make_archive(str(tmp_path / "fields"), "zip", tmp_path / "b")
    assert leukstudy(study, "data", "use", "phantom").returncode == 0
    (study / ".gitignore").write_text("/data\n/build\n")
    for command in (
        ("add", "-A"),
        ("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "phantom"),
    ):
        subprocess.run(["git", *command], cwd=study, check=True)
    before = (study / "data.dvc").read_text(encoding="utf-8")

    done = leukstudy(study, "data", "use", f"taleqani={tmp_path / 't'}", f"bccd={archive}")
    assert done.returncode == 0, done.stderr
    assert (
        "data/taleqani/ is now" in done.stdout and "9 images (Benign 2, Early 2, Pre 2, Pro 3)" in done.stdout
    )
    assert "left out: 8, segmented by an algorithm" in done.stdout
    block = done.stdout[done.stdout.index("data:\n") : done.stdout.index("\nThen `dvc repro`")]
    assert YAML(typ="safe").load(block) == {
        "data": {
            "sources": {
                "taleqani": {"folder": "taleqani", "labels": None},
                "bccd": {"folder": "bccd", "labels": None},
            }
        }
    }
    assert len(list((study / "data" / "bccd" / "JPEGImages").iterdir())) == 3
    assert not (study / "data" / "taleqani" / ".git").exists()
    assert (tmp_path / "t" / "Original").is_dir() and Path(archive).is_file()  # copied, not moved
    assert sorted(path.name for path in (study / "build").iterdir()) == []

    (study / "data" / "bccd" / "note.txt").write_text("added by hand", encoding="utf-8")
    refused = leukstudy(study, "data", "use", f"taleqani={tmp_path / 't'}")
    assert refused.returncode == 1 and "added or changed by hand" in refused.stderr
    (study / "data" / "bccd" / "note.txt").unlink()

    # going back, as the message says
    subprocess.run(["git", "checkout", "-q", "data.dvc"], cwd=study, check=True)
    assert (study / "data.dvc").read_text(encoding="utf-8") == before
    back = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "data.dvc"],
        cwd=study,
        capture_output=True,
        text=True,
        check=False,
    )
    assert back.returncode == 0, back.stderr
    assert sorted(path.name for path in (study / "data").iterdir()) == ["ALL", "healthy"]
    assert len(list((study / "data").glob("*/*.png"))) == 6


def test_an_archive_becomes_the_data_and_a_failure_changes_nothing(study, tmp_path):
    shutil.copytree(study / "assets" / "phantom", tmp_path / "in" / "my smears")
    archive = shutil.make_archive(str(tmp_path / "smears"), "gztar", tmp_path / "in")
    done = leukstudy(study, "data", "use", archive)
    assert done.returncode == 0, done.stderr
    assert 'folder: {folder: ".", labels: null}' in done.stdout
    assert sorted(path.name for path in (study / "data").iterdir()) == ["ALL", "healthy"]
    before = (study / "data.dvc").read_bytes()

    (tmp_path / "cut.tar.gz").write_bytes(Path(archive).read_bytes()[:200])
    assert "get it anew" in leukstudy(study, "data", "use", str(tmp_path / "cut.tar.gz")).stderr
    # a DVC that cannot work (its folder is gone): data/ and data.dvc come back
    lock = study / ".dvc"
    lock.rename(study / ".dvc-away")
    failed = leukstudy(study, "data", "use", str(tmp_path / "in" / "my smears"))
    (study / ".dvc-away").rename(lock)
    assert failed.returncode == 1 and "nothing was changed" in failed.stderr
    assert (study / "data.dvc").read_bytes() == before
    assert len(list((study / "data").glob("*/*.png"))) == 6

    (study / "data.dvc").unlink()
    refused = leukstudy(study, "data", "use", archive)
    assert refused.returncode == 1 and "no data.dvc says where they come from" in refused.stderr
    assert len(list((study / "data").glob("*/*.png"))) == 6


def test_a_stopped_command_gives_the_data_back(tmp_path, monkeypatch):
    from leukstudy.data import place

    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    monkeypatch.setattr(place, "refuse_if_changed", lambda: None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.png").write_bytes(b"mine")
    (tmp_path / "data.dvc").write_text("before")
    own_folder(tmp_path / "own")

    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, "_dvc", stopped)
    for act in (
        lambda: place.import_folder(tmp_path / "own"),
        lambda: place.add_folders({"folder": tmp_path / "own"}),
    ):
        with pytest.raises(KeyboardInterrupt):
            act()
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine.png"]
        assert (tmp_path / "data.dvc").read_text() == "before"
        assert list((tmp_path / "build").iterdir()) == []
