"""What every test shares: the project's root, the development data where they are, one run of the smoke study."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ["LEUKSTUDY_ROOT"] = str(ROOT)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def project() -> dict:
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a GPU where there is none; asked as late as this, so that no other session imports TensorFlow."""
    if item.get_closest_marker("gpu"):
        from leukstudy.models.backend import has_gpu

        if not has_gpu():
            pytest.skip("TensorFlow sees no GPU here")


class Clone:
    """A clone of the project as it stands in the working tree, in a folder of its own, where stages can run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("LEUKSTUDY_", "DVC_"))}
        # `leukstudy` is installed in editable form: the clone's own code must win
        self.environment["PYTHONPATH"] = str(folder)

    def run(
        self, *command: str, check: bool = True, timeout: float = 900, **environment: str
    ) -> subprocess.CompletedProcess:
        """Run a command in the clone and give what it printed (stdout and stderr together)."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | environment, text=True, timeout=timeout, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done

    def git(self, *arguments: str) -> str:
        return self.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments).stdout


def make_clone(folder: Path) -> Clone:
    """Copy what git knows or would take (so that uncommitted work is tested too) and commit it there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    clone = Clone(folder)
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "as it stands")
    return clone


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the smoke study has run once, from nothing to the report."""
    clone = make_clone(tmp_path_factory.mktemp("smoke") / "leukstudy")
    clone.run("leukstudy", "preset", "smoke")
    clone.git("commit", "--quiet", "--all", "--message", "smoke")
    clone.output = clone.run("dvc", "repro").stdout
    return clone
