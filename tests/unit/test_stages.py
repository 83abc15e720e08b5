"""The table of stages, and what is read from it: notebooks' titles and questions, README's table, the order of pages."""

import nbformat
import pytest

from leukstudy import runner
from leukstudy.study import paths, stages
from leukstudy.study.stages import STAGES


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_notebook_opens_with_its_stages_number_title_and_question(stage):
    book = nbformat.read(runner.source_notebook(stage.name), as_version=4)
    assert book.cells[0].source.startswith(f"# {stage.number:02d}. {stage.title}\n\n**{stage.question}**")


def test_every_notebook_is_a_stages():
    assert sorted(file.stem for file in paths.NOTEBOOKS.glob("*.ipynb")) == [
        s.notebook() for s in STAGES.values()
    ]


def test_readme_lists_the_stages_and_links_one_executed_notebook_of_each():
    rows = ["| notebook, as it ran | its question |", "| --- | --- |"]
    for stage in STAGES.values():
        stem = stage.notebook("typing-cnn" if stage.each_experiment else None)
        note = " (one notebook an experiment)" if stage.each_experiment else ""
        link = f"[{stage.number:02d} {stage.name}](reports/notebooks/{stem}.ipynb)"
        rows.append(f"| {link} | {stage.question}{note} |")
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n" + "\n".join(rows) + "\n" in text


def test_executed_notebooks_come_in_the_order_of_the_run_one_an_experiment():
    stems = [stem for stem, _ in stages.notebooks(["forest", "cnn"])]
    assert stems[:3] == ["01_acquire", "02_explore", "03_prepare"]
    assert stems[3:7] == ["04_tune", "05_train-forest", "05_train-cnn", "06_evaluate"]
    assert stems[-1] == "09_report"


def test_a_stage_reads_its_own_block_and_comes_after_what_it_reads():
    for stage in STAGES.values():
        assert stage.name in stage.blocks or stage.name == "acquire"  # acquire reads data, split and audit
    order = list(STAGES)
    assert order.index("tune") < order.index("train") < order.index("evaluate") < order.index("report")
