"""pyproject.toml, requirements.lock and environment.yml say the same, and what is installed is what is locked."""

import ast
import re
import sys
import tomllib
from importlib import metadata

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked(root) -> dict[str, list[tuple[Requirement, int]]]:
    """Name -> its pins (one or more, told apart by their markers) with their number of hashes."""
    pins: dict[str, list[tuple[Requirement, int]]] = {}
    text = (root / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if re.match(r"[a-z0-9]", line, re.I):
            pin = Requirement(line.split("--hash")[0].strip())
            pins.setdefault(canonicalize_name(pin.name), []).append((pin, line.count("--hash=sha256:")))
    return pins


def wanted(project) -> list[Requirement]:
    extras = project["optional-dependencies"]
    return [Requirement(text) for text in project["dependencies"] + extras["app"] + extras["dev"]]


def imported(source: str) -> set[str]:
    """The packages that a piece of Python imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_what_is_imported_is_declared(root, project):
    books = [nbformat.read(path, as_version=4) for path in (root / "notebooks").glob("*.ipynb")]
    sources = ["\n".join(cell.source for cell in book.cells if cell.cell_type == "code") for book in books]
    for folder in ("leukstudy", "benchmarks"):
        sources += [path.read_text(encoding="utf-8") for path in (root / folder).rglob("*.py")]
    own = {"leukstudy", *(path.stem for path in (root / "benchmarks").glob("*.py"))}
    found = set.union(*map(imported, sources)) - own
    assert len(found) > 30
    extras = project["optional-dependencies"]
    declared = [Requirement(text).name for text in project["dependencies"] + extras["kaggle"]]
    known = {canonicalize_name(name) for name in declared}
    providers = metadata.packages_distributions()
    for name in sorted(found - {"kagglehub"}):  # an extra: not installed by `make setup`
        assert known & {canonicalize_name(one) for one in providers[name]}, (
            f"{name} is imported and not declared"
        )


def test_every_dependency_is_pinned_within_its_range(project, locked):
    assert len(wanted(project)) > 20
    for need in wanted(project):
        pins = locked[canonicalize_name(need.name)]
        for pin, _ in pins:
            (specifier,) = pin.specifier
            assert specifier.operator == "=="
            assert need.specifier.contains(specifier.version), f"{need} is locked at {specifier.version}"


def test_every_pin_has_a_hash_and_no_address(root, locked):
    assert all(hashes > 0 for pins in locked.values() for _, hashes in pins)
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text


def test_what_is_installed_is_what_is_locked(locked):
    compared = 0
    for name, pins in locked.items():
        for pin, _ in pins:
            if pin.marker is None or pin.marker.evaluate():
                assert metadata.version(name) in pin.specifier, f"{name}: run `make setup`"
                compared += 1
    assert compared > 100


def test_conda_users_get_the_same_python_and_the_same_lock(root, project):
    environment = YAML(typ="safe").load((root / "environment.yml").read_text(encoding="utf-8"))
    python, pip, through_pip = environment["dependencies"]
    assert python.replace("python ", "") == project["requires-python"]
    assert pip == "pip"
    assert through_pip == {"pip": ["--requirement requirements.lock"]}


def test_one_opencv_and_no_pytorch(locked):
    assert [name for name in locked if name.startswith("opencv")] == ["opencv-python-headless"]
    assert not {"torch", "torchvision"} & set(locked)
