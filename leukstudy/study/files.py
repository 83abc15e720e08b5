"""Files written whole or not at all: aside first, then moved into place in one step."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path in the same folder, then move what it wrote to `path` in one step.

    A run stopped half-way, a full disk or a power cut leaves the old file or none; never half a file under its name.
    The folder is made where it is missing; the temporary path ends in the suffix of `path`, and is gone after an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # or the new name could reach the disk before the bytes do
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
