"""The runner: what it strips, what it prints, what it refuses."""

import io
import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from leukstudy import runner
from leukstudy.run import kernel, progress
from leukstudy.run.settle import settle
from leukstudy.study import params, paths


def test_settling_removes_what_changes_and_keeps_what_was_shown():
    injected = new_code_cell("params = {'a': {'b': 1}}", metadata={"tags": ["injected-parameters"]})
    cell = new_code_cell(
        "f()", metadata={"papermill": {"duration": 1.2}, "tags": ["keep"], "execution": {"x": "1"}}
    )
    cell.outputs = [
        new_output("stream", name="stdout", text="one "),
        new_output("stream", name="stderr", text="2026-01-01 12:00:00 warning"),
        new_output("stream", name="stdout", text="line\n"),
        new_output("display_data", data={"text/plain": "figure"}),
    ]
    book = new_notebook(
        cells=[new_markdown_cell("# title"), injected, cell], metadata={"papermill": {"start": 1}}
    )
    settle(book, {"params": {"train": {"e": {"seed": 7}}}, "experiment": "e"})
    nbformat.validate(book)
    assert "papermill" not in book.metadata
    assert [c.id for c in book.cells] == ["cell-00", "cell-01", "cell-02"]
    assert dict(book.cells[2].metadata) == {"tags": ["keep"]}
    assert [o.get("text", "shown") for o in book.cells[2].outputs] == ["one line\n", "shown"]
    scope: dict = {}
    exec(book.cells[1].source, scope)
    assert scope["params"] == {"train": {"e": {"seed": 7}}}
    assert scope["experiment"] == "e"


def test_progress_puts_the_time_before_each_line_however_it_is_cut(monkeypatch):
    monkeypatch.setattr(progress.time, "time", lambda: 1000.0 + 75)
    monkeypatch.setenv("LEUKSTUDY_STARTED", "1000")
    out = io.StringIO()
    stream = progress.Progress(out)
    for piece in ("epoch 1", "/2 loss 0.5\nepoch 2/2", "\n", "half"):
        stream.write(piece)
    stream.say("done")
    assert out.getvalue() == "[01:15] epoch 1/2 loss 0.5\n[01:15] epoch 2/2\n[01:15] half\n[01:15] done\n"


def test_sweep_leaves_what_params_ask_for(tmp_path, monkeypatch):
    study = params.load()
    for name in ("MODELS", "PREDICTIONS", "EXECUTED"):
        monkeypatch.setattr(paths, name, tmp_path / name)
        (tmp_path / name).mkdir()
    for name in ("typing-cnn", "of-yesterday"):
        (paths.MODELS / name).mkdir()
        (paths.PREDICTIONS / f"{name}.csv").touch()
        (paths.EXECUTED / f"05_train-{name}.ipynb").touch()
    (paths.EXECUTED / "01_acquire.ipynb").touch()
    runner.sweep(study)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*"))
    assert left == [
        "EXECUTED/01_acquire.ipynb", "EXECUTED/05_train-typing-cnn.ipynb", "MODELS/typing-cnn", "PREDICTIONS/typing-cnn.csv",
    ]  # fmt: skip


def test_a_path_with_braces_reaches_papermill_whole(tmp_path):
    path = tmp_path / "{odd} folder"
    assert runner._verbatim(path).format() == str(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "--experiment NAME"),
        (["acquire", "--experiment", "x"], "only with it"),
        (["trian"], "invalid choice"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, says):
    done = subprocess.run(
        [sys.executable, "-m", "leukstudy.runner", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=paths.ROOT,
    )
    assert done.returncode == 2
    assert says in done.stderr


def test_an_unknown_experiment_ends_with_one_message():
    done = subprocess.run(
        [sys.executable, "-m", "leukstudy.runner", "train", "--experiment", "typing-cn"],
        capture_output=True, text=True, check=False, cwd=paths.ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert "unknown experiment 'typing-cn': did you mean 'typing-cnn'?" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_kernel_works_on_this_study_and_ends_when_it_is_told_to():
    started = kernel.start()
    client = started.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        asked = "import os, sys; assert os.environ['LEUKSTUDY_ROOT'] == os.getcwd(); assert not sys.flags.hash_randomization"
        reply = client.execute_interactive(asked, timeout=60)
    finally:
        client.stop_channels()
        process = started.provisioner.process
        kernel.stop(started)
    assert reply["content"]["status"] == "ok"
    assert process.poll() is not None
    kernel.stop(started)  # once more does no harm: it is called again when the runner ends


def test_a_runner_that_refuses_leaves_no_kernel():
    code = (
        "import sys; sys.argv = ['runner', 'trian']\n"
        "from leukstudy.run import kernel\n"
        "began = kernel.start()\n"
        "print(began.provisioner.pid, flush=True)\n"
        "from leukstudy import runner\n"
        "runner.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=paths.ROOT
    )
    assert done.returncode == 2
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (("train", "typing-cnn"), "Try batch_size: 16 for typing-cnn in params.yaml"),
        (("train", "detection-logistic"), "Try a smaller prepare.size"),
        (("explore", None), "Try a smaller prepare.size"),
    ],
)
def test_a_kernel_that_dies_says_what_to_make_smaller(which, says, monkeypatch, capsys, tmp_path):
    def dies(*_, **__):
        raise runner.DeadKernelError("Kernel died")

    for name in ("MODELS", "PREDICTIONS", "EXECUTED", "PARTIAL", "LIVE"):
        monkeypatch.setattr(paths, name, tmp_path / name)
    monkeypatch.setattr(runner.papermill, "execute_notebook", dies)
    assert runner.run(*which) == 1
    assert says in capsys.readouterr().out


def test_a_cell_that_fills_the_disk_says_how_to_free_it(tmp_path):
    error = runner.PapermillExecutionError(
        cell_index=4, exec_count=2, source="save()", ename="OSError", evalue="[Errno 28] No space left on device", traceback=[],
    )  # fmt: skip
    said = runner._failure("prepare", error, tmp_path / "03_prepare.ipynb")
    assert said.startswith("prepare failed in cell 4:\n    save()\nOSError: [Errno 28]")
    assert runner.DISK_FULL in said and said.endswith("03_prepare.ipynb")


def test_a_full_disk_is_said_in_words(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "build/x")

    monkeypatch.setattr(runner, "run", full)
    monkeypatch.setattr(sys, "argv", ["runner", "prepare"])
    with pytest.raises(SystemExit) as end:
        runner.main()
    assert "prepare failed" in str(end.value)
    assert "dvc gc --workspace" in str(end.value)
