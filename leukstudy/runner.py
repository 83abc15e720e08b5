"""Runs one stage: its notebook, through papermill, with that stage's part of `params.yaml` only.

    python -m leukstudy.runner acquire
    python -m leukstudy.runner train --experiment typing-cnn

The executed notebook is left in `build/notebooks/` without anything that differs from one run to the next, so that
the same parameters give the same bytes. A failing cell ends the stage with exit code 1.
"""

import argparse
import errno
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

from leukstudy.study.notebooks import nbformat  # isort: skip - before papermill, which would import it slowly

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from leukstudy.run import costs, kernel
from leukstudy.run.progress import Progress
from leukstudy.run.settle import settle
from leukstudy.study import params, paths
from leukstudy.study.stages import STAGES, notebooks

DISK_FULL = (
    "The disk is full; nothing of this stage was kept. Free some space (`dvc gc --workspace` drops cached results of "
    "earlier parameters), then `dvc repro` goes on from here."
)


def source_notebook(stage: str) -> Path:
    """Give the notebook of a stage: `notebooks/NN_<stage>.ipynb`."""
    return paths.NOTEBOOKS / f"{STAGES[stage].notebook()}.ipynb"


def executed_notebook(stage: str, experiment: str | None = None) -> Path:
    """Give the place of a stage's executed notebook: `build/notebooks/NN_<stage>[-<experiment>].ipynb`.

    The report reads that folder, so its own notebook goes straight to `reports/notebooks/`.
    """
    folder = paths.REPORTS / "notebooks" if stage == "report" else paths.EXECUTED
    return folder / f"{STAGES[stage].notebook(experiment)}.ipynb"


def run(stage: str, experiment: str | None = None) -> int:
    """Run one stage; give the exit code: 0 done, 1 failed (the reason is printed)."""
    name = _stage_name(stage, experiment)
    terminal = Progress(sys.stdout)
    try:
        study = params.load()
        blocks = params.stage_params(study, stage, experiment)
    except params.BadParams as error:
        terminal.say(f"{name} did not start: {error}")
        return 1
    final = executed_notebook(stage, experiment)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = paths.PARTIAL / final.name
    partial.parent.mkdir(parents=True, exist_ok=True)
    parameters = {"params": blocks} | ({"experiment": experiment} if experiment else {})
    signal.signal(signal.SIGTERM, _interrupt)
    terminal.say(f"stage {name}")
    started = time.monotonic()
    if stage != "train":
        sweep(study)
    manager = kernel.start()
    try:
        executed = papermill.execute_notebook(
            _verbatim(source_notebook(stage)),
            _verbatim(partial),
            parameters=parameters,
            kernel_name="python3",
            cwd=str(paths.ROOT),
            progress_bar=False,
            stdout_file=terminal,
            stderr_file=terminal,
            km=manager,
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
        kernel.stop(manager)
    settle(executed, parameters)
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
        (paths.EXECUTED, f"{STAGES['train'].notebook()}-{{}}.ipynb"),
    ):
        wanted = {place.format(name) for name in study.train}
        for item in folder.glob(place.format("*")):
            if item.name not in wanted:
                shutil.rmtree(item) if item.is_dir() else item.unlink()


def _finish_report(study: params.Study, executed: Path) -> None:
    """Render the report's own notebook, which could not be read while it ran, and write what the run cost."""
    from leukstudy.report import compose  # noqa: PLC0415 - nbconvert takes a second to import, and one stage needs it

    experiments = list(study.train)
    compose.render_one(executed.parent, executed.stem, notebooks(experiments))
    runs = [(stage, experiments if stage == "train" else [None]) for stage in STAGES]
    costs.write_table([_stage_name(stage, name) for stage, names in runs for name in names])


def _stage_name(stage: str, experiment: str | None) -> str:
    """The stage as DVC writes it: `train@typing-cnn`."""
    return f"{stage}@{experiment}" if experiment else stage


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
    hint = f"\n{DISK_FULL}" if "No space left on device" in error.evalue else ""
    return (
        f"{name} failed in cell {error.cell_index}:\n{source}\n"
        f"{error.ename}: {error.evalue}{hint}\nThe notebook up to there: {partial}"
    )


def main() -> None:
    """Parse the command line and exit with the stage's code."""
    parser = argparse.ArgumentParser(
        prog="python -m leukstudy.runner", description="Run one stage of the study."
    )
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--experiment", help="for train: which experiment of params.yaml")
    arguments = parser.parse_args()
    stage, experiment = arguments.stage, arguments.experiment
    if STAGES[stage].each_experiment != (experiment is not None):
        parser.error("--experiment NAME goes with the stage train, and only with it")
    name = _stage_name(stage, experiment)
    try:
        sys.exit(run(stage, experiment))
    except KeyboardInterrupt:
        Progress(sys.stdout).say(
            f"{name} was interrupted; nothing of it was kept. `dvc repro` goes on from here."
        )
        os._exit(130)  # Python would end as one that the signal killed, where it came in some moments
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"\n{name} failed: {error}\n{DISK_FULL}")


if __name__ == "__main__":
    main()
