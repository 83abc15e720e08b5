"""How a command ends that cannot do what it was asked: one message on stderr, exit status 1, no traceback."""

from collections.abc import Callable
from typing import Any, NoReturn

import typer
from rich.console import Console

from leukstudy.data import DataProblem
from leukstudy.study.params import BadParams


def or_exit(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `function` returns; where it raises DataProblem or BadParams, the command ends with their message."""
    try:
        return function(*arguments, **options)
    except (DataProblem, BadParams) as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End the command with this message. Raises typer.Exit."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(message, markup=False)
    raise typer.Exit(1)
