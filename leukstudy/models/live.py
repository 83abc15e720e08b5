"""Learning curves while a network trains, as DVCLive writes them: `dvc plots` and the VS Code extension draw them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def live_curves(folder: Path) -> Iterator[Callable[[dict[str, float]], None]]:
    """Give a function that adds one epoch (a row of the history) to the curves in `folder`, which it empties first.

    Nothing is imported or written before the first row: most experiments have no epochs.
    """
    opened: list[Any] = []

    def add(row: dict[str, float]) -> None:
        if not opened:
            from dvclive import Live

            # no dvc.yaml and no experiment of its own: both are the study's
            opened.append(Live(str(folder), dvcyaml=False, save_dvc_exp=False, monitor_system=False))
        live = opened[0]
        live.step = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch" and value == value:  # NaN: there are no validation rows
                live.log_metric(name, value)
        live.make_summary()

    try:
        yield add
    finally:
        for live in opened:
            live.end()
