"""`leukstudy preset` and `leukstudy results`: what the study is, and what came out of it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from leukstudy.commands.exits import fail, or_exit
from leukstudy.study import paths, presets


def preset(
    name: Annotated[
        str | None, typer.Argument(help="The preset to write into params.yaml; none lists them.")
    ] = None,
) -> None:
    """List the presets, or write one into params.yaml."""
    if name is None:
        table = Table("preset", "what it is", box=None)
        for title, description in presets.names().items():
            table.add_row(title, description)
        Console().print(table)
        return
    kept = or_exit(presets.write, name)
    if kept:
        print(f"The earlier params.yaml was not a preset; it is kept as {kept.relative_to(paths.ROOT)}.")
    print(
        f"params.yaml is now the preset '{name}'. `dvc repro` runs it, `git checkout params.yaml` goes back."
    )


def results() -> None:
    """Print the tables of results of `reports/metrics`, one a task, as Markdown; published numbers stand below."""
    from leukstudy.evaluate.published import published  # noqa: PLC0415 - pandas takes a second to import
    from leukstudy.evaluate.record import Record  # noqa: PLC0415
    from leukstudy.report import tables  # noqa: PLC0415

    folder = paths.REPORTS / "metrics"
    files = sorted(file for file in folder.glob("*.json") if file.name != "summary.json")
    if not files:
        fail(f"{folder} holds no results. `dvc repro` makes them.")
    records = [Record.read(file) for file in files]
    for task in dict.fromkeys(record.task for record in records):
        of_task = [record for record in records if record.task == task]
        sections = [tables.results(of_task, published(task)), *tables.external(of_task)]
        print("\n".join([f"### {task}\n", *(section.markdown() for section in sections)]))
