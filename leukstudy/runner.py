"""Runs one stage: its notebook, through papermill, with that stage's part of `params.yaml` only.

    python -m leukstudy.runner acquire
    python -m leukstudy.runner train --experiment typing-cnn

The executed notebook is left in `build/notebooks/` without anything that differs from one run to the next, so that
the same parameters give the same bytes. A failing cell ends the stage with exit code 1.
"""

# ruff: noqa: E402 - the kernel boots while papermill is imported
import argparse
import errno
import os
import resource
import shutil
import signal
import sys
import textwrap
import time
from pathlib import Path

from leukstudy.run import kernel

# Before the imports below, which take as long as a kernel takes to boot.
BOOTING = kernel.start() if __name__ == "__main__" else None

from leukstudy.run.imports import without

from leukstudy.run.notebooks import nbformat  # isort: skip - before papermill, which would import it slowly

with without("pyarrow"):  # papermill can read notebooks off Hadoop with it: a third of a second
    import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from leukstudy.run import costs
from leukstudy.study import params, paths

STAGES = tuple(params.READS)
DISK_FULL = (
    "The disk is full; nothing of this stage was kept. Free some space (`dvc gc --workspace` drops cached results of "
    "earlier parameters), then `dvc repro` goes on from here."
)
WIDTH = 110  # columns of the cell that shows a stage's parameters


def source_notebook(stage: str) -> Path:
    """Give the notebook of a stage: `notebooks/NN_<stage>.ipynb`."""
    return paths.NOTEBOOKS / f"{STAGES.index(stage) + 1:02d}_{stage}.ipynb"


def executed_notebook(stage: str, experiment: str | None = None) -> Path:
    """Give the place of a stage's executed notebook: `build/notebooks/NN_<stage>[-<experiment>].ipynb`.

    The report reads that folder, so its own notebook goes straight to `reports/notebooks/`.
    """
    suffix = f"-{experiment}" if experiment else ""
    folder = paths.REPORTS / "notebooks" if stage == "report" else paths.EXECUTED
    return folder / f"{source_notebook(stage).stem}{suffix}.ipynb"


def run(stage: str, experiment: str | None = None) -> int:
    """Run one stage; give the exit code: 0 done, 1 failed (the reason is printed)."""
    name = f"{stage}@{experiment}" if experiment else stage
    terminal = Progress(sys.stdout)
    try:
        study = params.load()
        given = params.stage_params(study, stage, experiment)
    except params.BadParams as error:
        terminal.say(f"{name} did not start: {error}")
        return 1
    final = executed_notebook(stage, experiment)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = paths.PARTIAL / final.name
    partial.parent.mkdir(parents=True, exist_ok=True)
    handed = {"params": given} | ({"experiment": experiment} if experiment else {})
    signal.signal(signal.SIGTERM, _interrupt)
    terminal.say(f"stage {name}")
    started = time.monotonic()
    if stage != "train":
        sweep(study)
    booted = BOOTING or kernel.start()
    try:
        executed = papermill.execute_notebook(
            _verbatim(source_notebook(stage)),
            _verbatim(partial),
            parameters=handed,
            kernel_name="python3",
            cwd=str(paths.ROOT),
            progress_bar=False,
            stdout_file=terminal,
            stderr_file=terminal,
            km=booted,
        )
    except PapermillExecutionError as error:
        terminal.say(_failure(name, error, partial))
        return 1
    except DeadKernelError:
        terminal.say(
            f"{name} failed: its kernel died, most often because memory ran out. {_smaller(study, experiment)} "
            f"The notebook up to there: {partial}"
        )
        return 1
    finally:
        kernel.stop(booted)
    settle(executed, handed)
    nbformat.write(executed, partial)
    os.replace(partial, final)
    wall = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    costs.record(name, wall_s=round(wall, 1), peak_memory_mb=round(peak))
    if stage == "report":
        _finish_report(study, final)
    terminal.say(f"stage {name} done in {wall:.0f} s, peak memory {peak:,.0f} MB")
    return 0


def sweep(study: params.Study) -> None:
    """Remove what earlier experiments left in the folders that later stages read whole.

    DVC hashes those folders, and an experiment that `params.yaml` no longer has must not change the hash. Nothing is
    lost: DVC's cache holds every output, and `dvc repro` brings it back when the experiment is asked for again.
    """
    for folder, place in (
        (paths.MODELS, "{}"),
        (paths.LIVE, "{}"),
        (paths.PREDICTIONS, "{}.csv"),
        (paths.EXECUTED, "05_train-{}.ipynb"),
    ):
        wanted = {place.format(name) for name in study.train}
        for item in folder.glob(place.format("*")):
            if item.name not in wanted:
                shutil.rmtree(item) if item.is_dir() else item.unlink()


def _finish_report(study: params.Study, executed: Path) -> None:
    """Render the report's own notebook, which could not be read while it ran, and write what the run cost."""
    from leukstudy.report import compose  # noqa: PLC0415 - nbconvert takes a second to import, and one stage needs it

    compose.render_one(executed.parent, executed.stem, compose.notebook_files(study))
    experiments = [f"train@{name}" for name in study.train]
    costs.write_table(
        ["acquire", "explore", "prepare", *experiments, "tune", "evaluate", "interpret", "errors", "report"]
    )


def settle(notebook: NotebookNode, handed: dict) -> None:
    """Remove from an executed notebook, in place, what differs from run to run.

    Times and random ids go, and so does stderr (it went to the terminal: it carries process ids and clocks); the
    cell in which papermill injected `handed` is laid out for reading.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = _joined([o for o in cell.outputs if o.get("name") != "stderr"])
        if "injected-parameters" in cell.metadata.get("tags", []):
            assignments = (f"{name} = {_laid_out(value)}" for name, value in handed.items())
            cell.source = "\n".join(["# This stage's part of params.yaml", *assignments])


def _joined(outputs: list) -> list:
    """Join neighbouring stdout outputs: how the kernel cuts a stream into messages depends on timing."""
    joined: list = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1]["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _laid_out(value: object, indent: int = 0) -> str:
    """Write a value as Python: what fits on a line on one line, an outer dict one key a line, inner ones filled."""
    flat = repr(value)
    if not isinstance(value, dict) or indent + len(flat) <= WIDTH - 30:
        return flat
    inside = " " * (indent + 4)
    items = [f"{key!r}: {_laid_out(item, indent + 4)}," for key, item in value.items()]
    if not any("\n" in item for item in items):
        # textwrap breaks at blanks: those within an item are hidden from it
        hidden = " ".join(item.replace(" ", "\0") for item in items)
        items = [line.replace("\0", " ") for line in textwrap.wrap(hidden, WIDTH - indent)]
    return "{\n" + "\n".join(inside + item for item in items) + "\n" + " " * indent + "}"


def _verbatim(path: Path) -> str:
    """Escape a path for papermill, which passes it through `str.format`."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _smaller(study: params.Study, experiment: str | None) -> str:
    """Say what to try where memory ran out."""
    batch = getattr(study.train.get(experiment), "batch_size", 0)
    if batch > 1:
        return f"Try batch_size: {batch // 2} for {experiment} in params.yaml, or a smaller image_size."
    return "Try a smaller prepare.size in params.yaml, or fewer images."


def _failure(name: str, error: PapermillExecutionError, partial: Path) -> str:
    source = "\n".join(f"    {line}" for line in error.source.strip().splitlines())
    hint = ""
    if "No space left on device" in error.evalue:
        hint = f"\n{DISK_FULL}"
    return (
        f"{name} failed in cell {error.cell_index}:\n{source}\n"
        f"{error.ename}: {error.evalue}{hint}\nThe notebook up to there: {partial}"
    )


class Progress:
    """A text stream that puts the time since the study began before each line; LEUKSTUDY_STARTED is its epoch time."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self._began = float(os.environ.get("LEUKSTUDY_STARTED", time.time()))
        self._fresh = True

    def write(self, text: str) -> None:
        """Pass `text` on, each new line with the time before it."""
        for line in text.splitlines(keepends=True):
            if self._fresh and line.strip():
                minutes, seconds = divmod(int(time.time() - self._began), 60)
                self._stream.write(f"[{minutes:02d}:{seconds:02d}] ")
            self._stream.write(line)
            self._fresh = line.endswith("\n")

    def say(self, text: str) -> None:
        """Write one message of our own, on a line of its own."""
        self.write(("" if self._fresh else "\n") + text + "\n")
        self.flush()

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()


def main() -> None:
    """Parse the command line and exit with the stage's code."""
    parser = argparse.ArgumentParser(
        prog="python -m leukstudy.runner", description="Run one stage of the study."
    )
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--experiment", help="for train: which experiment of params.yaml")
    given = parser.parse_args()
    if (given.stage == "train") != (given.experiment is not None):
        parser.error("--experiment NAME goes with the stage train, and only with it")
    try:
        sys.exit(run(given.stage, given.experiment))
    except KeyboardInterrupt:
        if BOOTING:
            kernel.stop(BOOTING)
        name = f"{given.stage}@{given.experiment}" if given.experiment else given.stage
        Progress(sys.stdout).say(
            f"{name} was interrupted; nothing of it was kept. `dvc repro` goes on from here."
        )
        os._exit(130)  # Python would end as one that the signal killed, where it came in some moments
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"\n{given.stage} failed: {error}\n{DISK_FULL}")


if __name__ == "__main__":
    main()
