"""Getting a source: a direct download that can be resumed, kagglehub where it is set up, else how to get it by hand."""

import http.client
import importlib.util
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

from leukstudy.data import DataProblem
from leukstudy.data.registry import GATES, Source

TIMEOUT = 60
"""Seconds without an answer after which a download is given up (and can be resumed)."""
_CHUNK = 1 << 18


def get(source: Source, to: Path | None = None, *, only: str = "", progress: bool = True) -> list[Path]:
    """Fetch a source's files; gives what is there now: files in `to` (default: the user's cache), or kagglehub's folder.

    `only` picks among alternative files by a part of their name (the first otherwise).

    Raises DataProblem: how to get a source that cannot be fetched from here, or why a download failed. A download
    that broke off is kept as `<name>.part` and goes on from there next time.
    """
    if source.download:
        return [_download(source, _pick(source, only), to, progress)]
    if source.kaggle and _kaggle_is_set_up():
        return [_from_kaggle(source)]
    raise DataProblem(instructions(source))


def instructions(source: Source) -> str:
    """What somebody must do to have the source: page, form, where to put the files, what is then expected."""
    lines = [
        f"'{source.name}' ({source.title}) is not fetched by this command.",
        f"  gate:     {source.gate}: {GATES[source.gate]}",
        f"  page:     {source.home or 'none: these are your own files'}",
        f"  how:      {source.access}",
    ]
    if "Aspera" in source.access:
        lines.append(
            "  note:     TCIA serves it by IBM Aspera only. tcia-utils cannot help: it reads TCIA's radiology (NBIA), whole-slide "
            "(PathDB) and IDC services, not Aspera packages."
        )
    if source.kaggle:
        lines.append(
            f"  kaggle:   {source.kaggle}. With `pip install kagglehub` and an API token (Kaggle, Settings, API), the same "
            "command fetches it."
        )
    lines += [
        f"  licence:  {source.licence}",
        f"  expected: {source.layout}",
        "  where:    anywhere outside data/; then, with the folder or the archive:",
        f"            leukstudy data verify {source.name} PATH",
        f"            leukstudy data use {source.name}=PATH",
    ]
    return "\n".join(lines)


def file_name(url: str) -> str:
    """The name under which a download is kept: the last part of the address that names a file, with the repository for GitHub."""
    path = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
    if "archive" in path.parts:  # https://github.com/<owner>/<repository>/archive/refs/heads/master.zip
        return f"{path.parts[2]}-{path.name}"
    return path.name


def resume(url: str, part: Path, *, again: bool = True, progress: bool = True) -> None:
    """Download `url` into `part`, after what is there already where `again` and the server allow it.

    Resuming trusts that the file has not changed meanwhile: do it only where a checksum follows.

    Raises DataProblem: no such page, no network, no room, or a connection that broke off (what came is kept).
    """
    part = Path(part)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DataProblem(f"{url}: no address of the web")
    have = part.stat().st_size if again and part.is_file() else 0
    headers = {"User-Agent": "leukstudy", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                have = 0  # the server sends the whole file
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            _check_room(part, (total or 0) - have)
            _write(answer, part, have=have, total=total, progress=progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if error.headers.get("Content-Range") != f"bytes */{have}":
                part.unlink()
                resume(url, part, again=False, progress=progress)
            return  # it had been whole already
        raise DataProblem(f"{url}: the server says {error.code} {error.reason}") from error
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        have = part.stat().st_size if part.is_file() else 0
        kept = f"; {have:,} bytes are kept in {part}, run the command again to go on" if have else ""
        raise DataProblem(
            f"{url}: cannot be reached, or broke off ({getattr(error, 'reason', error)}){kept}. Is there a network?"
        ) from error


def _write(answer, part: Path, *, have: int, total: int | None, progress: bool) -> None:
    from tqdm import tqdm  # noqa: PLC0415 - a bar is wanted here only

    part.parent.mkdir(parents=True, exist_ok=True)
    shown = None if progress else True
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=shown)
    with part.open("ab" if have else "wb") as file, bar:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
            have += len(chunk)
    if total is not None and have < total:
        raise OSError(f"{have:,} of {total:,} bytes came")


def _check_room(part: Path, needed: int) -> None:
    folder = next(folder for folder in part.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataProblem(
            f"{folder} has {free / 1e9:.1f} GB free; the download needs {needed / 1e9:.1f} GB. Give another --to"
        )


def _pick(source: Source, only: str) -> str:
    names = {url: file_name(url) for url in source.download}
    fitting = [url for url, name in names.items() if only in name]
    if not fitting:
        raise DataProblem(
            f"source {source.name!r} has no file with {only!r} in its name; its files are {', '.join(names.values())}"
        )
    return next((url for url in fitting if names[url] == only), fitting[0])


def _download(source: Source, url: str, to: Path | None, progress: bool) -> Path:
    import pooch  # noqa: PLC0415 - needed by this command only

    folder = Path(to) if to else Path(pooch.os_cache("leukstudy")) / source.name
    name = file_name(url)
    part = folder / f"{name}.part"
    checksum = source.checksums.get(name)

    def downloader(url: str, output_file: str, _pooch: object) -> None:
        resume(url, part, again=checksum is not None, progress=progress)
        os.replace(part, output_file)

    unfinished = checksum and part.is_file() and not (folder / name).exists()
    if unfinished and pooch.hashes.hash_matches(str(part), checksum):
        os.replace(part, folder / name)  # whole, but the last run was stopped before it could say so
    try:
        return Path(pooch.retrieve(url, known_hash=checksum, fname=name, path=folder, downloader=downloader))
    except DataProblem as error:
        raise DataProblem(f"{error}\nBy hand: {source.home}") from error
    except ValueError as error:  # pooch's word for a wrong checksum; it has deleted the file
        raise DataProblem(
            f"{url}: what came has not the published checksum {checksum}; it was deleted. Try again; if it stays so, the "
            f"publisher's file has changed: see {source.home}"
        ) from error


def _kaggle_is_set_up() -> bool:
    if importlib.util.find_spec("kagglehub") is None:
        return False
    from kagglehub.config import get_kaggle_credentials  # noqa: PLC0415

    try:
        return get_kaggle_credentials() is not None
    except ValueError:  # a token file that cannot be read
        return False


def _from_kaggle(source: Source) -> Path:
    import kagglehub  # noqa: PLC0415 - not a dependency: used where somebody has set it up

    try:
        return Path(kagglehub.dataset_download(source.kaggle))
    except Exception as error:  # its own errors, requests' and the file system's
        raise DataProblem(
            f"kagglehub could not fetch {source.kaggle} ({error}).\n{instructions(source)}"
        ) from error
