"""`leukstudy reproduced`: are the results of this workspace those of a commit?"""

import math
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from leukstudy.commands.exits import fail
from leukstudy.run.reproduced import TOLERANCE, Comparison, compare, verdict
from leukstudy.run.results import NotComparable, read_commit, read_workspace
from leukstudy.study import paths


def reproduced(
    commit: Annotated[str, typer.Argument(help="The commit whose results count.")] = "HEAD",
    *,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Largest difference of AUROC that still counts as reproduced.")
    ] = TOLERANCE,
    if_unchanged: Annotated[
        bool,
        typer.Option(
            "--if-unchanged",
            help="Compare where parameters and data are the commit's; else say why not, and exit 0.",
        ),
    ] = False,
) -> None:
    """Compare the results with the committed ones: byte for byte, within the tolerance, or not reproduced (exit 1)."""
    try:
        committed = read_commit(commit, paths.ROOT)
        comparison = compare(read_workspace(paths.ROOT), committed, tolerance)
    except NotComparable as error:
        if not if_unchanged:
            fail(str(error))
        print(f"Not compared with {commit}: {error}")
        return
    sentence = verdict(comparison, commit, tolerance)
    if if_unchanged and comparison.other_study:
        print(sentence.replace("not reproduced: ", "Not compared: ", 1))
        return
    console = Console(highlight=False)
    if not comparison.other_study:
        console.print(_table(comparison, commit))
    if comparison.first_stage:
        print(f"The first stage with other outputs than in {commit}: {comparison.first_stage}")
    print(sentence)
    raise typer.Exit(0 if comparison.reproduced else 1)


def _table(comparison: Comparison, commit: str) -> Table:
    table = Table(title=f"Largest differences from {commit}", title_justify="left", box=None)
    table.add_column("experiment", overflow="fold")
    for header in ("AUROC", "other metrics", "probability", "labels changed", ""):
        table.add_column(header)
    for row in comparison.differences:
        sizes = [_size(size) for size in (row.auroc.size, row.others.size, row.probability)]
        labels = "?" if row.labels is None else f"{row.labels:,} of {row.images:,}"
        mark, style = ("differs", "bold red") if row.failure else ("", "")
        table.add_row(row.experiment, *sizes, labels, mark, style=style)
    return table


def _size(difference: float | None) -> str:
    if difference is None:
        return "?"
    return f"{difference:.2g}" if math.isfinite(difference) else "missing"
