"""The notebooks in git are thin, stripped, and named for their stages."""

import ast
import re

import nbformat
import pytest

from leukstudy import runner
from leukstudy.study import paths
from leukstudy.study.stages import STAGES

NOTEBOOKS = [runner.source_notebook(stage) for stage in STAGES]


def cells(path, kind="code"):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_there_is_one_notebook_a_stage_and_no_other():
    assert sorted(paths.NOTEBOOKS.glob("*.ipynb")) == NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_thin(path):
    code = cells(path)
    assert len(code) <= 20
    for cell in code:
        assert sum(bool(line.strip()) for line in cell.source.splitlines()) <= 10, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.AsyncFunctionDef), (
                cell.source
            )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stripped(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert all(
        not cell.outputs and cell.execution_count is None for cell in book.cells if cell.cell_type == "code"
    )
    assert book.metadata.kernelspec.name == "python3"
    assert "papermill" not in book.metadata
    assert [cell.id for cell in book.cells] == [f"cell-{i:02d}" for i in range(len(book.cells))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_starts_with_its_question_and_its_parameters(path):
    book = nbformat.read(path, as_version=4)
    assert re.match(r"# \d\d\. .+\n\n.*\?", book.cells[0].source, re.S), (
        "a title, then the question it answers"
    )
    tagged = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert "params = None" in tagged[0].source
