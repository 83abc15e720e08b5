"""Archives as publishers deliver them, unpacked whole or not at all, and never outside their folder."""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from leukstudy.data import DataProblem
from leukstudy.data.adapters import bloodmnist
from leukstudy.imaging.io import is_image_file

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".npz")
"""What is unpacked here, by the end of its name."""

FOREIGN = {
    ".7z": ("7-Zip", "7z x {archive} -o{folder}"),
    ".rar": ("unrar or 7-Zip", "unrar x {archive} {folder}/"),
}
"""What needs a tool of its own, and the command that unpacks it."""

_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    RuntimeError,  # what zipfile says of an encrypted member
    NotImplementedError,  # and of an unknown compression
)  # fmt: skip
Member = tuple[str, Callable[[], BinaryIO] | None]
"""A file of an archive: its name, and how it is opened; None for a link or a device, which is refused."""

_COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
# A disk that is filled to the last byte stops more than this program.
_KEEP_FREE = 1 << 30
_CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether a file's name ends like an archive's, one that is unpacked here or one that needs its tool."""
    return Path(path).name.lower().endswith((*SUFFIXES, *FOREIGN))


def name_of(archive: Path) -> str:
    """An archive's name without its suffix."""
    name = Path(archive).name
    suffix = max((s for s in (*SUFFIXES, *FOREIGN) if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(suffix)] or name


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a zip, tar (.gz, .bz2, .xz) or BloodMNIST .npz as the new folder `into`, and give it.

    It is written aside and moved into place when it is whole. An archive that holds only further archives (a
    zip within a zip) is unpacked one level deeper. Nothing is ever written outside: absolute paths, `..`, links
    and devices are refused, and so is more than the disk can hold, counted while it is written.

    Raises DataProblem: no such file, .7z or .rar (with the command to use), a damaged, encrypted or unsafe
    archive, `into` not empty, or no room.
    """
    archive, into = Path(archive), Path(into)
    if not archive.is_file():
        raise DataProblem(f"{archive}: no such file")
    _refuse_foreign(archive, into)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise DataProblem(f"{into} is there already and not empty; move it away, or unpack elsewhere")
    into.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}."))
    try:
        _unpack(archive, aside)
        _unpack_nested(aside)
        aside.chmod(0o755)  # mkdtemp's folders are for their owner only
        if into.is_dir():
            into.rmdir()
        aside.rename(into)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return into


def _refuse_foreign(archive: Path, into: Path) -> None:
    with archive.open("rb") as file:
        magic = file.read(6)
    suffix = {b"7z\xbc\xaf\x27\x1c": ".7z", b"Rar!\x1a\x07": ".rar"}.get(magic, archive.suffix.lower())
    if suffix in FOREIGN:
        tool, command = FOREIGN[suffix]
        raise DataProblem(
            f"{archive}: a {suffix} archive needs {tool}. Run: {command.format(archive=archive, folder=into)}\n"
            f"and then use the folder: leukstudy data use {into}"
        )


def _unpack(archive: Path, into: Path) -> None:
    try:
        if archive.name.lower().endswith(".npz"):
            bloodmnist.unpack(archive, into)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                declared = sum(member.file_size for member in packed.infolist())
            _write(archive, _zip_members(archive), into, declared=declared)
        elif tarfile.is_tarfile(archive):
            _write(
                archive, _tar_members(archive), into, declared=0
            )  # its sizes are known when it has been read
        else:
            raise DataProblem(
                f"{archive}: no archive that can be unpacked here, or a damaged one; expected one of {', '.join(SUFFIXES)}"
            )
    except DataProblem:
        raise
    except _DAMAGE as error:
        raise DataProblem(
            f"{archive}: cannot be unpacked ({error}); it may be incomplete: get it anew"
        ) from error


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield member.filename, None
            elif not member.is_dir():
                # Windows tools sometimes write backslashes, against the format.
                yield member.filename.replace("\\", "/"), partial(packed.open, member)


def _tar_members(archive: Path) -> Iterator[Member]:
    with archive.open("rb") as file:
        magic = file.read(6)
    with next((open_ for start, open_ in _COMPRESSED if magic.startswith(start)), open)(
        archive, "rb"
    ) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as packed:
            for member in packed:
                if member.isfile():
                    yield member.name, partial(packed.extractfile, member)
                elif not member.isdir():
                    yield member.name, None
        # tarfile stops at the last member: only whoever reads on has the compressor's checksum compared.
        while stream.read(_CHUNK):
            pass


def _write(archive: Path, members: Iterable[Member], into: Path, *, declared: int) -> None:
    """Write members below `into`, counting what all of them take; a member that is unsafe is refused."""
    room = shutil.disk_usage(into).free - _KEEP_FREE
    full = DataProblem(
        f"{archive}: unpacks to more than the {max(room, 0) / 1e9:.1f} GB that {into.parent} can take; make room, "
        "or do not trust this archive"
    )
    if declared > room:
        raise full
    written, names = 0, set()
    for name, opened in members:
        path = PurePosixPath(name)
        if opened is None:
            raise DataProblem(f"{archive}: {name!r} is a link or a device; it is not unpacked")
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
            raise DataProblem(
                f"{archive}: {name!r} points outside the folder it is unpacked into; do not trust it"
            )
        if path in names:
            raise DataProblem(f"{archive}: {name!r} stands in it twice; get the archive anew")
        names.add(path)
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > room:
                    raise full
                file.write(chunk)


def _unpack_nested(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    if any(is_image_file(path) for path in files):
        return
    for path in files:
        if is_archive(path) and "__MACOSX" not in path.parts:
            _refuse_foreign(path, path.parent)
            inner = path.with_name(name_of(path))
            if inner.exists():
                inner = path.with_name(f"{path.name}.unpacked")
            inner.mkdir()
            _unpack(path, inner)
            path.unlink()
