"""dvc.yaml: what it declares is what the notebooks read."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from leukstudy import runner
from leukstudy.study import paths
from leukstudy.study.stages import STAGES

# What only runs, reads parameters, writes files, or draws: a change there is no reason to train again (docs/decisions.md).
PLUMBING = (
    "leukstudy.study",
    "leukstudy.run",
    "leukstudy.report",
    "leukstudy.data.provenance",
    "leukstudy.imaging.workers",
)
# ... but for these, which hold what numbers come from.
DECISIVE = ("leukstudy.study.zoo", "leukstudy.study.methods", "leukstudy.study.checks")


@pytest.fixture(scope="module")
def stages() -> dict:
    raw = YAML(typ="safe").load((paths.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: stage.get("do", stage) for name, stage in raw.items()}


def test_every_stage_has_its_notebook_its_description_and_its_parameters(stages):
    assert tuple(stages) == tuple(STAGES)
    for name, stage in stages.items():
        assert len(stage["desc"]) > 40
        assert stage["cmd"].startswith(f"python -m leukstudy.runner {name}")
        assert f"notebooks/{runner.source_notebook(name).name}" in stage["deps"]
        declared = tuple(block.split(".")[0] for block in stage["params"])
        assert declared == STAGES[name].blocks


def imported_by(source: str) -> set[str]:
    """The modules of leukstudy that a piece of Python imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leukstudy"):
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("leukstudy")}
    return {name for name in names if file_of(name)}


def file_of(module: str) -> Path | None:
    base = paths.ROOT / module.replace(".", "/")
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def code_behind(notebook: Path) -> set[str]:
    # Later stages only read the manifest back; what made it is acquire's business, and its file is their dependency.
    plumbing = PLUMBING if "acquire" in notebook.stem else (*PLUMBING, "leukstudy.data.manifest")
    book = nbformat.read(notebook, as_version=4)
    waiting = imported_by("\n".join(cell.source for cell in book.cells if cell.cell_type == "code"))
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or (module.startswith(plumbing) and module not in DECISIVE):
            continue
        seen.add(module)
        waiting |= imported_by(file_of(module).read_text(encoding="utf-8"))
    return seen


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "report"])
def test_a_stage_depends_on_all_code_its_numbers_come_from(stages, stage):
    declared = [dependency for dependency in stages[stage]["deps"] if dependency.startswith("leukstudy")]
    for module in code_behind(runner.source_notebook(stage)):
        file = str(file_of(module).relative_to(paths.ROOT))
        empty = file.endswith("__init__.py")  # a package's docstring decides nothing
        assert empty or any(file == d or file.startswith(d + "/") for d in declared), f"{stage} lacks {file}"


def test_stages_that_compute_depend_on_what_pins_their_numbers(stages):
    for name in ("acquire", "explore", "prepare", "tune", "train", "evaluate", "interpret"):
        assert "leukstudy/run/numerics.py" in stages[name]["deps"], name


@pytest.mark.parametrize("stage", ["acquire", "explore", "prepare", "evaluate", "errors", "report"])
def test_stages_without_a_network_never_import_tensorflow(stage):
    book = nbformat.read(runner.source_notebook(stage), as_version=4)
    source = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    imports = [
        ast.unparse(n) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    code = "\n".join(
        [*imports, "import sys; print([n for n in ('tensorflow', 'keras') if n in sys.modules])"]
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=paths.ROOT
    )
    assert done.stdout.strip() == "[]"
