"""`leukstudy phantom`: draw any number of smears into a folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def phantom(
    *,
    out: Annotated[Path | None, typer.Option(help="A folder that is absent or empty.")] = None,
    images: Annotated[int, typer.Option(help="How many pictures.")] = 800,
    size: Annotated[
        str | None,
        typer.Option(help="Pixels a side (default 96), or HEIGHTxWIDTH of a field (default 480x640)."),
    ] = None,
    field: Annotated[
        bool, typer.Option("--field", help="Fields of view with boxes, not single cells.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    images_per_patient: Annotated[int, typer.Option(help="Pictures a patient, from two slides.")] = 10,
    laboratories: Annotated[int, typer.Option(help="Laboratories, which share every class alike.")] = 3,
    jpeg: Annotated[
        str, typer.Option(help="Range of JPEG qualities the pictures went through; none.")
    ] = "72-94",
    plant: Annotated[str | None, typer.Option(help="A known flaw to plant; 'list' lists them.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes (default: all cores); the result does not depend on it.")
    ] = None,
) -> None:
    """Draw a phantom: blood smears whose truth is known. They are drawings and say nothing about people."""
    # Imported here: pandas and OpenCV take a second, which other commands need not wait for.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    from leukstudy.imaging.workers import cores  # noqa: PLC0415
    from leukstudy.phantom.plant import FLAWS  # noqa: PLC0415
    from leukstudy.phantom.smear import allot, write_phantom  # noqa: PLC0415

    if plant == "list":
        for name, what in FLAWS.items():
            print(f"{name}: {what}")
        return
    if out is None:
        print("phantom: no folder was given; say where to draw, e.g. --out build/phantom", file=sys.stderr)
        raise typer.Exit(2)
    columns = (BarColumn(), MofNCompleteColumn(), "pictures", TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=images)
            frame = write_phantom(
                out,
                seed=seed,
                patients=allot(images, images_per_patient),
                images_per_patient=images_per_patient,
                images=images,
                size=_size(size or ("480x640" if field else "96")),
                field=field,
                laboratories=laboratories,
                jpeg=_range(jpeg),
                plant=plant,
                workers=workers or cores(),
                progress=lambda done: bar.update(task, completed=done),
            )
    except (FileExistsError, ValueError) as error:
        print(f"phantom: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    print(f"{len(frame):,} drawings of {frame['patient_id'].nunique():,} patients in {out}")


def _size(text: str) -> int | tuple[int, int]:
    """Read '96' or '480x640' (height, width)."""
    try:
        sides = tuple(int(side) for side in text.lower().split("x"))
    except ValueError:
        sides = ()
    if len(sides) not in {1, 2}:
        raise ValueError(
            f"size is {text!r}; expected pixels a side such as 96, or HEIGHTxWIDTH such as 480x640"
        )
    return sides[0] if len(sides) == 1 else sides


def _range(text: str) -> tuple[int, int] | None:
    """Read '72-94', '90' or 'none'."""
    if text.lower() == "none":
        return None
    try:
        ends = [int(end) for end in text.split("-")]
    except ValueError:
        ends = []
    if len(ends) not in {1, 2}:
        raise ValueError(
            f"jpeg is {text!r}; expected a range of qualities such as 72-94, one such as 90, or none"
        )
    return ends[0], ends[-1]
