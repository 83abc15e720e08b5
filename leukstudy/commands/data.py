"""`leukstudy data`: what the study knows of sources, and what data/ holds."""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leukstudy.commands.exits import fail, or_exit
from leukstudy.data import DataProblem
from leukstudy.data.registry import facts_of
from leukstudy.data.sources import SOURCES, find_source, source_rows
from leukstudy.study import params, paths

app = typer.Typer(no_args_is_help=True, help="What data/ holds, and what it may hold.")
EMBEDDED = {"phantom": Path("assets") / "phantom"}


@app.command("list")
def data_list() -> None:
    """List the sources that the study knows; '?' marks what nobody has verified."""
    table = Table("source", "title", "labels", "images", "groups", "gate", "licence", box=None)
    for source in SOURCES.values():
        images = f"{source.images:,}" if source.images else "?"
        table.add_row(
            source.name,
            source.title,
            source.label_kind,
            images,
            source.group_level,
            source.gate,
            source.licence,
        )
    Console().print(table)
    print("`leukstudy data info SOURCE` says more, docs/datasets.md says all.")


@app.command("info")
def data_info(
    source: Annotated[str, typer.Argument(help="The name of a source (`leukstudy data list`).")],
) -> None:
    """Say what is known of one source: licence, home, layout, counts, groups, traps, and what was tested."""
    entry = or_exit(find_source, source)
    table = Table(show_header=False, box=None)
    for name, text in facts_of(entry):
        table.add_row(name, escape(text))
    Console().print(table)


@app.command("get")
def data_get(
    source: Annotated[str, typer.Argument(help="The name of a source (`leukstudy data list`).")],
    to: Annotated[
        Path | None, typer.Option(help="Where to put the files; by default the user's cache.")
    ] = None,
    only: Annotated[
        str, typer.Option(help="A part of the name of the file to take, of several alternatives.")
    ] = "",
) -> None:
    """Download an open source (an interrupted download goes on where it was), or say how to get a gated one."""
    from leukstudy.data.download import get  # noqa: PLC0415 - network code, for this command only

    entry = or_exit(find_source, source)
    files = or_exit(get, entry, to, only=only)
    for file in files:
        print(file)
    print(f"Licence: {entry.licence}. {f'Cite: {entry.citation}' if entry.citation else ''}")
    print(f"Next: leukstudy data use {entry.name}={files[0]}")


@app.command("verify")
def data_verify(
    source: Annotated[
        str | None, typer.Argument(help="The name of a source; none: the sources that params.yaml names.")
    ] = None,
    path: Annotated[
        Path | None, typer.Argument(help="Its folder, or a file with a published checksum; none: data/.")
    ] = None,
) -> None:
    """Compare what is there with what the registry says; exit 1 where something contradicts it."""
    from leukstudy.data.verify import DIFFERS, contradicts, verify  # noqa: PLC0415

    pairs = [(source, path or paths.DATA)] if source else or_exit(_of_study)
    wrong = []
    for name, place in pairs:
        entry = or_exit(find_source, name)
        found = or_exit(verify, entry, place)
        table = Table(
            "what", "published", "found", "", box=None, title=f"{name}: {place}", title_justify="left"
        )
        for what, published, there, verdict in found.itertuples(index=False):
            style = "bold red" if verdict == DIFFERS else ""
            table.add_row(escape(what), escape(published), escape(there), verdict, style=style)
        Console(soft_wrap=False).print(table)
        wrong += [name] * contradicts(found)
    if wrong:
        fail(f"Not as published: {', '.join(wrong)}. The rows marked {DIFFERS} say where.")
    print("Nothing contradicts the registry: as published, as far as it says.")


@app.command("use")
def data_use(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A folder of class folders, an archive of one, or phantom; or NAME=PATH once or more, NAME being a source."
        ),
    ],
) -> None:
    """Put other data behind the study, for the next `dvc repro`.

    A folder is imported as data/. NAME=PATH checks the folder or archive with the source's own adapter and copies
    it to data/NAME/; several of them are joined.
    """
    from leukstudy.data.place import (  # noqa: PLC0415
        add_folders,
        import_folder,
        params_block,
        refuse_if_changed,
    )

    pairs = [_pair(text) for text in what]
    if len(pairs) > 1 and any(name is None for name, _ in pairs):
        fail(
            "Several sources at once are given as NAME=PATH each, NAME being a source of `leukstudy data list`."
        )
    if len({name for name, _ in pairs}) < len(pairs):
        fail("One source was named twice.")
    or_exit(refuse_if_changed)
    for name, _ in pairs:
        or_exit(find_source, name or "folder")
    folders = [or_exit(_folder_of, name, text) for name, text in pairs]
    (first, _), folder = pairs[0], folders[0]
    unpacked = folder.is_relative_to(paths.BUILD / "sources")
    try:
        if first is None:
            source = _source_of(what[0])
            placed = {source: "."}
            counted = {"data/": or_exit(source_rows, find_source(source), folder)}
            # what was unpacked is no place to import from: it is a copy that `make clean` removes
            or_exit(add_folders, {".": folder}) if unpacked else or_exit(import_folder, folder)
        else:
            placed = {name: name for name, _ in pairs}
            counted = {
                f"data/{name}/": or_exit(source_rows, find_source(name), place)
                for (name, _), place in zip(pairs, folders, strict=True)
            }
            or_exit(add_folders, {name: place for (name, _), place in zip(pairs, folders, strict=True)})
    finally:
        shutil.rmtree(paths.BUILD / "sources", ignore_errors=True)
    for (place, rows), (_, text) in zip(counted.items(), pairs, strict=True):
        _report(place, text, rows)
    print(
        "\nPut this into params.yaml, and make its tasks fit the labels (`leukstudy preset` lists data for which this is done):\n"
    )
    print(params_block(placed))
    for name in placed:
        if find_source(name).label_kind == "cell type":
            print(
                f"\n{name} labels cells, which are no diagnoses: labels must say what each of them is to mean."
            )
    print("\nThen `dvc repro`. `git checkout data.dvc params.yaml && dvc repro` goes back.")


def _report(place: str, text: str, rows) -> None:
    counts = ", ".join(
        f"{label} {count:,}" for label, count in rows["label"].value_counts().sort_index().items()
    )
    print(f"{place} is now {text}: {len(rows):,} images ({counts}).")
    for reason, count in rows.attrs["left_out"].items():
        print(f"  left out: {count:,}, {reason}")
    excluded = int((rows["excluded_by_source"] != "").sum())
    if excluded:
        print(f"  excluded by the registry: {excluded:,}")
    for note in rows.attrs["notes"]:
        print(f"  note: {note}")


def _pair(text: str) -> tuple[str | None, str]:
    found = re.fullmatch(r"([\w-]+)=(.+)", text)
    return (found[1], found[2]) if found and not Path(text).exists() else (None, text)


def _source_of(text: str) -> str:
    """Which entry of the registry a path without a name is read with."""
    if text in EMBEDDED and not Path(text).is_dir():
        return text
    return "bloodmnist" if text.lower().endswith(".npz") else "folder"


def _folder_of(name: str | None, text: str) -> Path:
    from leukstudy.data.archives import is_archive, unpack  # noqa: PLC0415

    folder = Path(text)
    if folder.is_dir():
        return folder.resolve()
    if folder.is_file() and is_archive(folder):
        into = paths.BUILD / "sources" / (name or "folder")
        shutil.rmtree(into, ignore_errors=True)
        return _within(unpack(folder, into))
    if folder.is_file():
        raise DataProblem(
            f"{folder} is a file, and no archive; expected a folder of class folders of images."
        )
    if name is None and text in EMBEDDED:
        return paths.ROOT / EMBEDDED[text]
    if name is None and text in SOURCES:
        raise DataProblem(
            f"'{text}' does not come with the study. `leukstudy data get {text}` fetches it or says how; "
            f"then: leukstudy data use {text}=PATH"
        )
    embedded = ", ".join(EMBEDDED)
    raise DataProblem(
        f"{folder} does not exist and is no embedded source ({embedded}). Give a folder of class folders, or an archive."
    )


def _within(folder: Path) -> Path:
    """The folder that holds the delivery: archives often hold one folder that holds everything."""
    while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
        # one class alone is no wrapper: its folder holds files
        if not any(path.is_dir() for path in inside[0].iterdir()):
            break
        folder = inside[0]
    return folder


def _of_study() -> list[tuple[str, Path]]:
    """The sources that params.yaml names, and where they lie."""
    return [(name, paths.DATA / use.folder) for name, use in params.load().data.sources.items()]
