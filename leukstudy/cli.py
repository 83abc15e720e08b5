"""The `leukstudy` command: the study's data and its presets."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from leukstudy import params, paths, presets
from leukstudy.data import DataProblem
from leukstudy.data.sources import SOURCES, find_source, source_rows

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
data_app = typer.Typer(no_args_is_help=True, help="What data/ holds, and what it may hold.")
app.add_typer(data_app, name="data")
EMBEDDED = {"phantom": Path("assets") / "phantom"}


@app.callback()
def study() -> None:
    """leukstudy: a reproducible study of leukaemia detection in blood-smear images; `dvc repro` runs it."""


@data_app.command("list")
def data_list() -> None:
    """List the sources that the study knows."""
    table = Table("source", "title", "licence", "groups", box=None)
    for source in SOURCES.values():
        table.add_row(source.name, source.title, source.licence, source.group_level)
    Console().print(table)


@data_app.command("info")
def data_info(source: str) -> None:
    """Say what is known of one source: licence, home, groups and traps."""
    entry = _or_exit(find_source, source)
    table = Table(show_header=False, box=None)
    for field in ("title", "licence", "home", "adapter", "group_level", "groups"):
        table.add_row(field.replace("_", " "), str(getattr(entry, field)) or "-")
    table.add_row("synthetic", "yes: these are drawings" if entry.synthetic else "no")
    for caution in entry.cautions:
        table.add_row("caution", caution)
    Console().print(table)


@data_app.command("use")
def data_use(
    path_or_source: str = typer.Argument(
        help="A folder of class folders of images, or an embedded source (phantom)."
    ),
) -> None:
    """Put other data behind the study: import them as data/, for the next `dvc repro`."""
    folder = _or_exit(_folder_of, path_or_source)
    rows = _or_exit(source_rows, SOURCES["folder"], folder)
    if _data_changed():
        _fail(
            "data/ holds files that were added or changed by hand and stand nowhere else. Move them away first."
        )
    # DVC imports into an existing folder, not over it; until the import has succeeded the old one is only set aside.
    aside = paths.BUILD / "data-aside"
    if paths.DATA.is_dir():
        paths.BUILD.mkdir(exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        paths.DATA.rename(aside)
    try:
        _dvc("import-url", "--force", _from_root(folder), "data")
    except BaseException:  # Ctrl-C too
        if aside.is_dir():
            shutil.rmtree(paths.DATA, ignore_errors=True)
            aside.rename(paths.DATA)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    _dvc("unfreeze", "data.dvc")
    counts = ", ".join(
        f"{label} {count:,}" for label, count in rows["label"].value_counts().sort_index().items()
    )
    print(f"data/ is now {folder}: {len(rows):,} images ({counts}).")
    print(
        "Next: make params.yaml fit (acquire.source, tasks; `leukstudy preset` lists variants), then `dvc repro`."
    )
    print("`git checkout data.dvc params.yaml` goes back.")


@app.command()
def preset(
    name: str = typer.Argument(None, help="The preset to write into params.yaml; none lists them."),
) -> None:
    """List the presets, or write one into params.yaml."""
    if name is None:
        table = Table("preset", "what it is", box=None)
        for known, what in presets.names().items():
            table.add_row(known, what)
        Console().print(table)
        return
    kept = _or_exit(presets.write, name)
    if kept:
        print(f"The earlier params.yaml was not a preset; it is kept as {kept.relative_to(paths.ROOT)}.")
    print(
        f"params.yaml is now the preset '{name}'. `dvc repro` runs it, `git checkout params.yaml` goes back."
    )


@app.command()
def results() -> None:
    """Print the tables of results of `reports/metrics`, one a task, as Markdown; published numbers stand below."""
    from leukstudy.evaluate.published import published  # noqa: PLC0415 - pandas takes a second to import
    from leukstudy.report.tables import results_markdown  # noqa: PLC0415

    folder = paths.REPORTS / "metrics"
    files = sorted(file for file in folder.glob("*.json") if file.name != "summary.json")
    if not files:
        _fail(f"{folder} holds no results. `dvc repro` makes them.")
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for task in dict.fromkeys(record["task"] for record in records):
        mine = [record for record in records if record["task"] == task]
        print(f"### {task}\n")
        print(results_markdown(mine, published(task), synthetic=any(record["synthetic"] for record in mine)))


def _folder_of(path_or_source: str) -> Path:
    folder = Path(path_or_source)
    if folder.is_dir():
        return folder.resolve()
    if path_or_source in EMBEDDED:
        return paths.ROOT / EMBEDDED[path_or_source]
    if path_or_source in SOURCES:
        entry = SOURCES[path_or_source]
        raise DataProblem(
            f"'{entry.name}' does not come with the study. Get it from its publisher ({entry.home or 'your own files'}), "
            "then: leukstudy data use FOLDER"
        )
    if folder.exists():
        raise DataProblem(
            f"{folder} is a file; expected a folder of class folders of images. Unpack it first."
        )
    known = ", ".join(EMBEDDED)
    raise DataProblem(
        f"{folder} does not exist and is no embedded source ({known}). Give a folder of class folders."
    )


def _from_root(folder: Path) -> str:
    """Give a folder as data.dvc should name it: relative inside the study, so that every clone finds it."""
    return str(folder.relative_to(paths.ROOT)) if folder.is_relative_to(paths.ROOT) else str(folder)


def _data_changed() -> bool:
    if not paths.DATA.is_dir():
        return False
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json", "data.dvc"],
        cwd=paths.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    changes = json.loads(done.stdout or "{}").get("data.dvc", [])
    return any(
        "changed outs" in change and change["changed outs"].get("data") == "modified" for change in changes
    )


def _dvc(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], cwd=paths.ROOT, check=False)
    if done.returncode:
        _fail(f"`dvc {' '.join(arguments)}` failed; its message stands above.")


def _or_exit(function, *arguments):
    try:
        return function(*arguments)
    except (DataProblem, params.BadParams) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(message, markup=False)
    raise typer.Exit(1)
