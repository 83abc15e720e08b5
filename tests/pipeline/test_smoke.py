"""The smoke study, end to end, in a clone of its own: from the embedded smears to the report."""

import json
import os
import shutil
import signal
import subprocess
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import Clone

from leukstudy.report.render import network_references
from leukstudy.study.params import load

pytestmark = pytest.mark.slow


def test_the_study_ends_with_a_report_that_opens_with_no_network(smoke):
    pages = [
        smoke.folder / "reports" / "index.html",
        *(smoke.folder / "reports" / "notebooks").glob("*.html"),
    ]
    study = load(smoke.folder / "params.yaml")
    assert len(pages) == 1 + 8 + len(study.train)
    for page in pages:
        assert network_references(page.read_text(encoding="utf-8")) == []
    index = pages[0].read_text(encoding="utf-8")
    assert "SYNTHETIC DATA" in index
    for name in study.train:
        assert name in index


def test_every_link_and_figure_of_the_page_is_there(smoke):
    import re

    reports = smoke.folder / "reports"
    text = (reports / "index.html").read_text(encoding="utf-8")
    targets = [t for t in re.findall(r'(?:href|src)="([^"#]+)"', text)]
    assert len(targets) > 20
    assert [t for t in targets if not (reports / t).is_file()] == []


def test_progress_says_which_stage_epochs_and_time(smoke):
    assert "stage train@typing-cnn" in smoke.output
    assert "] epoch 1/2 loss" in smoke.output
    assert smoke.output.count(" done in ") == 8 + len(load(smoke.folder / "params.yaml").train)


def test_the_contract_of_the_files(smoke):
    study = load(smoke.folder / "params.yaml")
    manifest = pd.read_csv(smoke.folder / "build" / "manifest.csv", keep_default_na=False)
    assert list(manifest.columns) == [
        "image_id", "path", "source", "label", "patient_id", "group_id", "group_level", "width", "height",
        "sha256", "phash", "excluded", "split", "fold", "split_seed", "split_hash",
    ]  # fmt: skip
    kept = manifest[manifest["excluded"] == ""]
    assert (kept.groupby("group_id")["split"].nunique() == 1).all()
    for name, experiment in study.train.items():
        table = pd.read_csv(smoke.folder / "build" / "predictions" / f"{name}.csv")
        classes = list(study.tasks[experiment.task].classes)
        assert list(table.columns) == [
            "image_id",
            "group_id",
            "split",
            "y_true",
            "y_pred",
            *(f"p_{c}" for c in classes),
        ]
        assert len(table) == len(kept)
        record = json.loads(
            (smoke.folder / "reports" / "metrics" / f"{name}.json").read_text(encoding="utf-8")
        )
        assert record["group_level"] == "patient"
        assert record["images"] == (kept["split"] == "test").sum()
        curve = pd.read_csv(smoke.folder / "reports" / "metrics" / "roc" / f"{name}.csv")
        area = np.trapezoid(curve["tpr"], curve["fpr"])
        found = record["metrics"]["auroc"]
        first = found.get("by_seed", [found["value"]])[0]
        assert area == pytest.approx(first, abs=2e-3), (
            "the curve is not that of the first seed on the test split"
        )
        assert len(found.get("by_seed", [0])) == len(experiment.seeds)
        # so few patients that a class has a single one in the test split: no interval can be had, and none is shown
        assert found["low"] is None


def test_a_second_run_does_nothing_and_git_sees_reports_only(smoke):
    assert "Data and pipelines are up to date" in smoke.run("dvc", "repro").stdout
    changed = [line[3:] for line in smoke.git("status", "--porcelain").splitlines()]
    assert all(name.startswith(("reports/", "dvc.lock")) for name in changed), changed


def test_a_learning_rate_trains_one_experiment_and_a_colour_trains_none(smoke):
    file = smoke.folder / "params.yaml"
    before = file.read_text(encoding="utf-8")
    try:
        smoke.run("python", "-c", _SET.format(key="['train']['typing-cnn']['learning_rate']", value="0.002"))
        assert [s for s in _changed(smoke) if s.startswith(("train", "acquire", "prepare"))] == [
            "train@typing-cnn"
        ]
        file.write_text(before, encoding="utf-8")
        smoke.run("python", "-c", _SET.format(key="['plots']['palette']", value="'deep'"))
        changed = _changed(smoke)
        assert "evaluate" in changed
        assert not any(stage.startswith("train") for stage in changed)
    finally:
        file.write_text(before, encoding="utf-8")


_SET = (
    "from ruamel.yaml import YAML; y = YAML(); d = y.load(open('params.yaml')); d{key} = {value}; "
    "y.dump(d, open('params.yaml', 'w'))"
)


def _changed(clone: Clone) -> list[str]:
    return sorted(json.loads(clone.run("dvc", "status", "--json").stdout))


def test_dvc_shows_metrics_plots_and_parameters(smoke):
    metrics = json.loads(smoke.run("dvc", "metrics", "show", "--json").stdout)
    values = metrics[""]["data"]["reports/metrics/summary.json"]["data"]
    study = load(smoke.folder / "params.yaml")
    assert set(values) == {"data", *study.train, *study.ensembles}
    assert 0 <= values["detection-logistic"]["auroc"] <= 1
    summary = json.loads((smoke.folder / "reports" / "metrics" / "summary.json").read_text(encoding="utf-8"))
    said = {"source": "phantom", "synthetic": True, "group_level": "patient", "split": "test"}
    assert said.items() <= summary["data"].items()
    plots = smoke.run("dvc", "plots", "show", "--json").stdout
    assert "typing-cnn" in plots
    assert smoke.run("dvc", "params", "diff").returncode == 0


def test_executed_notebooks_hold_nothing_that_changes(smoke):
    for path in sorted((smoke.folder / "build" / "notebooks").glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        text = path.read_text(encoding="utf-8")
        assert str(smoke.folder) not in text, "a path of this machine"
        assert "papermill" not in book.metadata
        for cell in book.cells:
            assert "papermill" not in cell.metadata
            assert not any(output.get("name") == "stderr" for output in cell.get("outputs", []))
        injected = [c for c in book.cells if "injected-parameters" in c.metadata.get("tags", [])]
        assert len(injected) == 1


def test_notebooks_run_again_with_the_same_outputs(smoke):
    """nbval runs every cell of the executed notebooks anew and compares what it prints and shows; files stay as they were."""
    written = [smoke.folder / "build" / name for name in ("manifest.csv", "evaluate/summary.json")]
    before = [file.read_bytes() for file in written]
    files = sorted(str(path) for path in (smoke.folder / "build" / "notebooks").glob("*.ipynb"))
    assert len(files) == 7 + len(load(smoke.folder / "params.yaml").train)
    done = smoke.run(
        "python", "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300", "-q",
        "-p", "no:cacheprovider", f"--nbval-sanitize-with={smoke.folder / 'tests' / 'notebooks' / 'sanitise.cfg'}",
        "--rootdir", str(smoke.folder / "build"), "-c", os.devnull, *files,
        LEUKSTUDY_ROOT=str(smoke.folder),
    )  # fmt: skip
    assert " passed" in done.stdout
    assert [file.read_bytes() for file in written] == before


@pytest.mark.parametrize("notebook", ["01_acquire", "08_errors"])
def test_a_source_notebook_runs_by_hand_from_its_own_folder(smoke, tmp_path, notebook):
    before = (smoke.folder / "build" / "manifest.csv").read_bytes()
    smoke.run(
        "jupyter", "nbconvert", "--execute", "--to", "notebook", "--output-dir", str(tmp_path),
        f"notebooks/{notebook}.ipynb",
    )  # fmt: skip
    book = nbformat.read(tmp_path / f"{notebook}.ipynb", as_version=4)
    assert any(
        "SYNTHETIC DATA" in output.get("text", "")
        for cell in book.cells
        for output in cell.get("outputs", [])
    )
    assert (smoke.folder / "build" / "manifest.csv").read_bytes() == before


def test_the_same_parameters_give_the_same_bytes(smoke):
    lock = (smoke.folder / "dvc.lock").read_bytes()
    shutil.rmtree(smoke.folder / "build" / "cache")  # embeddings are made anew too
    smoke.git("add", "--all")
    smoke.git("commit", "--quiet", "--message", "results")
    smoke.run("dvc", "repro", "--force")
    assert (smoke.folder / "dvc.lock").read_bytes() == lock
    assert smoke.run("leukstudy", "reproduced").stdout.endswith("reproduced: byte for byte\n")


@pytest.fixture
def broken_off(smoke, tmp_path):
    """A copy of the smoke clone in which a training was killed half-way."""
    folder = tmp_path / "leukstudy"
    shutil.copytree(smoke.folder, folder, symlinks=True)
    clone = Clone(folder)
    clone.run("python", "-c", _SET.format(key="['train']['typing-cnn']['epochs']", value="500"))
    process = subprocess.Popen(
        ["dvc", "repro", "train@typing-cnn"], cwd=folder, env=clone.environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        for line in process.stdout:
            if "epoch 2/500" in line or time.monotonic() > deadline:
                break
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return clone


def test_after_a_kill_nothing_half_written_is_taken_for_whole(broken_off):
    assert not (broken_off.folder / "build" / "predictions" / "typing-cnn.csv").exists()
    broken_off.git("checkout", "--", "params.yaml")
    output = broken_off.run("dvc", "repro").stdout
    assert "Stage 'train@detection-logistic' didn't change, skipping" in output
    assert (broken_off.folder / "build" / "predictions" / "typing-cnn.csv").is_file()
    assert "Data and pipelines are up to date" in broken_off.run("dvc", "repro").stdout


def test_ctrl_c_ends_a_stage_with_one_message_and_no_kernel(smoke):
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background inherits it ignored
    process = subprocess.Popen(
        ["python", "-m", "leukstudy.runner", "errors"], cwd=smoke.folder, env=smoke.environment,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    first = process.stdout.readline()
    time.sleep(1.0)  # the kernel has started by now, or is about to
    os.killpg(process.pid, signal.SIGINT)
    said = first + process.stdout.read()
    assert process.wait(timeout=30) == 130
    assert "errors was interrupted; nothing of it was kept. `dvc repro` goes on from here." in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):  # nobody is left in its session
        os.killpg(process.pid, 0)


def test_a_typo_in_the_parameters_ends_the_stage_with_one_message(smoke):
    file = smoke.folder / "params.yaml"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before.replace("  resamples:", "  resample:"), encoding="utf-8")
        done = smoke.run("python", "-m", "leukstudy.runner", "evaluate", check=False)
    finally:
        file.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert "evaluate: unknown key 'resample': did you mean 'resamples'?" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_failing_cell_is_named_with_its_error_and_the_partial_notebook(smoke, tmp_path):
    folder = tmp_path / "leukstudy"
    shutil.copytree(smoke.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("cache"))
    shutil.rmtree(folder / "data")
    (folder / "data").mkdir()
    done = Clone(folder).run("python", "-m", "leukstudy.runner", "acquire", check=False)
    assert done.returncode == 1
    last = done.stdout.strip().splitlines()[-4:]
    assert any("DataProblem" in line for line in last), done.stdout
    partial = folder / "build" / "partial" / "01_acquire.ipynb"
    assert str(partial) in last[-1]
    assert nbformat.read(partial, as_version=4).cells
