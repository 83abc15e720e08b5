"""The `leukstudy` command: it only sets together the commands of `leukstudy.commands`."""

import typer

from leukstudy.commands import data
from leukstudy.commands.phantom import phantom
from leukstudy.commands.reproduced import reproduced
from leukstudy.commands.study import preset, results

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(data.app, name="data")
for command in (phantom, preset, results, reproduced):
    app.command()(command)


@app.callback()
def study() -> None:
    """leukstudy: a reproducible study of leukaemia detection in blood-smear images; `dvc repro` runs it."""
