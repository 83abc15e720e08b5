"""Results kept on disk by a key of what they were made from: written whole or not at all, checked when read.

An embedding or an exported backbone is a fixed function of its inputs. It is kept as `<key>.<suffix>` with a
small `<key>.<suffix>.json` beside it that holds the SHA-256 of its bytes. A file without its note, or
with other bytes than the note says, was cut off or damaged: it is made again, never trusted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from leukstudy.study.files import write_atomically


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256 (64 hex digits) of the parts, each preceded by its length so that no two lists collide."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


def file_digest(path: Path | str) -> str:
    """SHA-256 (64 hex digits) of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find(path: Path) -> bool:
    """Whether `path` is there, whole: its bytes have the SHA-256 that its note says."""
    try:
        note = json.loads(_note(path).read_text())
        return note["sha256"] == file_digest(path)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep(path: Path, write: Callable[[Path], None]) -> None:
    """Write `path` atomically, then the note that makes it trusted."""
    _note(path).unlink(missing_ok=True)
    write_atomically(path, write)
    note = json.dumps({"sha256": file_digest(path), "bytes": path.stat().st_size}, indent=1)
    write_atomically(_note(path), lambda temporary: temporary.write_text(note + "\n"))


def remember_array(path: Path | None, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array kept at `path` (.npy), or `make()` written there; with no path, just `make()`."""
    if path is None:
        return make()
    if find(path):
        return np.load(path, allow_pickle=False)
    array = make()

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)

    keep(path, write)
    return array


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
