"""The locks pin what pyproject.toml declares, agree with each other, and install on every Python that it allows.

Nothing is installed and no wheel is downloaded. uv resolves a lock in a second but ignores the upper end of a package's
Requires-Python; pip, which `make setup` uses, refuses such a package and takes half a minute to say so: it is asked once.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = {
    "requirements.lock": ("dev",),
    "requirements-app.lock": ("app", "serve", "export"),
    "requirements-scale.lock": ("scale", "federated"),
}
PYTHONS = ("3.11", "3.12", "3.13")
SOURCE_ONLY = ("antlr4-python3-runtime", "pyhocon")
"""Pure Python packages that their authors publish without a wheel: pip builds one."""

Pins = dict[str, dict[Requirement, set[str]]]
"""Package -> its pins (one or more, told apart by their markers) -> the hashes of the files that may be installed."""


def read_pins(text: str) -> Pins:
    pins: Pins = {}
    for line in text.replace("\\\n", " ").splitlines():
        if re.match(r"[a-z0-9]", line, re.I):
            pin = Requirement(line.split("--hash")[0].strip())
            pins.setdefault(canonicalize_name(pin.name), {})[pin] = set(re.findall(r"--hash=(\S+)", line))
    return pins


def version(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.fixture(scope="module", params=EXTRAS)
def lock(request, root) -> Path:
    return root / request.param


@pytest.fixture(scope="module")
def pins(lock) -> Pins:
    return read_pins(lock.read_text(encoding="utf-8"))


def test_every_dependency_is_pinned_within_its_range(project, lock, pins):
    extras = project["optional-dependencies"]
    declared = project["dependencies"] + [need for extra in EXTRAS[lock.name] for need in extras[extra]]
    assert len(declared) > 20
    for need in map(Requirement, declared):
        for pin in pins[canonicalize_name(need.name)]:
            assert need.specifier.contains(version(pin)), f"{need} is locked at {version(pin)}"


def test_every_pin_has_a_hash_and_no_address(lock, pins):
    assert all(hashes for versions in pins.values() for hashes in versions.values())
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text


def test_one_opencv_and_no_pytorch(pins):
    assert [name for name in pins if name.startswith("opencv")] == ["opencv-python-headless"]
    assert not {"torch", "torchvision"} & set(pins)


def test_a_package_has_one_version_in_all_locks(root):
    locks = [read_pins((root / name).read_text(encoding="utf-8")) for name in EXTRAS]
    shared = set.intersection(*map(set, locks))
    assert len(shared) > 100
    for name in set().union(*locks):
        first, *others = [pins[name] for pins in locks if name in pins]
        assert all(other == first for other in others), f"{name} differs between the locks: run `make lock`"


def uv(*arguments: str) -> subprocess.CompletedProcess:
    from uv import find_uv_bin

    command = [find_uv_bin(), "--no-config", "pip", *arguments, "--quiet", "--no-progress"]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def package_index(tmp_path_factory) -> None:
    """Skip where no package index can be reached."""
    need = tmp_path_factory.mktemp("index") / "need.in"
    need.write_text("six", encoding="utf-8")
    answer = uv("compile", str(need), "--no-deps", "--no-cache")
    if re.search("Failed to fetch|network was disabled", answer.stderr):
        pytest.skip("no package index can be reached: whether the locks install was not tested")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.usefixtures("package_index")
@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_installs(lock, tmp_path, python):
    """The resolver finds each pin, all that a pin requires, and a wheel of it for this Python; it downloads none."""
    answer = uv(
        "install", "--dry-run", "--require-hashes", "--requirement", str(lock), "--target", str(tmp_path),
        "--python-version", python, "--python-platform", "x86_64-unknown-linux-gnu", "--only-binary", ":all:",
        *(option for name in SOURCE_ONLY for option in ("--no-binary", name)),
    )  # fmt: skip
    assert answer.returncode == 0, f"{lock.name} does not install on Python {python}:\n{answer.stderr}"


@pytest.mark.usefixtures("package_index")
def test_pip_accepts_every_pin_on_the_newest_python(root, tmp_path):
    python = PYTHONS[-1]
    marker_values = {"python_version": python, "python_full_version": f"{python}.0"}
    locks = [read_pins((root / name).read_text(encoding="utf-8")) for name in EXTRAS]
    pins = {pin for lock in locks for versions in lock.values() for pin in versions}
    applying = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(marker_values)]
    bare = tmp_path / "bare.in"
    bare.write_text("\n".join(f"{pin.name}{pin.specifier}" for pin in applying), encoding="utf-8")
    platforms = ["manylinux1_x86_64", "manylinux2014_x86_64"]
    platforms += [f"manylinux_2_{minor}_x86_64" for minor in range(5, 37)]
    command = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet", "--requirement", str(bare),
        "--target", str(tmp_path / "none"), "--python-version", python, *(f"--platform={name}" for name in platforms),
        "--only-binary=:all:", f"--no-binary={','.join(SOURCE_ONLY)}",
    ]  # fmt: skip
    answer = subprocess.run(command, text=True, capture_output=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr[-3000:]


@pytest.mark.usefixtures("package_index")
def test_the_hashes_are_those_of_published_files(pins, tmp_path):
    bare = tmp_path / "bare.in"
    bare.write_text("\n".join(str(pin) for versions in pins.values() for pin in versions), encoding="utf-8")
    answer = uv(
        "compile", str(bare), "--universal", "--python-version", PYTHONS[0], "--no-deps", "--generate-hashes"
    )
    assert answer.returncode == 0, answer.stderr
    published = read_pins(answer.stdout)
    for name, versions in pins.items():
        for pin, hashes in versions.items():
            assert hashes <= published[name][pin], f"{pin} is locked with a hash that no published file has"
