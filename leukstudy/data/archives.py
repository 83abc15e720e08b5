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
from collections.abc import Callable
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
            _unpack_zip(archive, into)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, into)
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


def _unpack_zip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        write = _writer(archive, into, declared=sum(member.file_size for member in packed.infolist()))
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataProblem(f"{archive}: {member.filename!r} is a link or a device; it is not unpacked")
            if not member.is_dir():
                # Windows tools sometimes write backslashes, against the format
                write(member.filename.replace("\\", "/"), lambda member=member: packed.open(member))


def _unpack_tar(archive: Path, into: Path) -> None:
    write = _writer(archive, into, declared=0)  # a tar's sizes are known when it has been read
    with _opened(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as packed:
        for member in packed:
            if member.isfile():
                write(member.name, lambda member=member: packed.extractfile(member))
            elif not member.isdir():
                raise DataProblem(f"{archive}: {member.name!r} is a link or a device; it is not unpacked")
        # tarfile stops at the last member: only whoever reads on has the compressor's checksum compared
        while stream.read(_CHUNK):
            pass


def _opened(archive: Path) -> BinaryIO:
    """A tar's own bytes, whatever it is compressed with."""
    with archive.open("rb") as file:
        magic = file.read(6)
    for beginning, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if magic.startswith(beginning):
            return opener(archive, "rb")
    return archive.open("rb")


def _writer(archive: Path, into: Path, *, declared: int) -> Callable[[str, Callable], None]:
    """A function that writes one member, and keeps count of what all of them take."""
    room = shutil.disk_usage(into).free - _KEEP_FREE
    written = 0
    seen: set[str] = set()

    def full() -> DataProblem:
        return DataProblem(
            f"{archive}: unpacks to more than the {max(room, 0) / 1e9:.1f} GB that {into.parent} can take; make room, "
            "or do not trust this archive"
        )

    def write(name: str, opened: Callable) -> None:
        nonlocal written
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
            raise DataProblem(
                f"{archive}: {name!r} points outside the folder it is unpacked into; do not trust it"
            )
        if str(path) in seen:
            raise DataProblem(f"{archive}: {name!r} stands in it twice; get the archive anew")
        seen.add(str(path))
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > room:
                    raise full()
                file.write(chunk)

    if declared > room:
        raise full()
    return write


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
