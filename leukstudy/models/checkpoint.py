"""Where a training stands after an epoch, on disk: a killed one goes on from there and ends with the same numbers.

The file holds the network's variables (the dropout's random state among them), the optimiser's, the best weights so
far, the history and what the stopping rules remember. It belongs to one fit: another's key is not taken for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from leukstudy.study.files import write_atomically


@dataclass
class Checkpoint:
    """The file of one fit; `key` is a digest of everything that decides its numbers."""

    path: Path
    key: str

    def write(self, state: dict[str, Any], arrays: dict[str, list[np.ndarray]]) -> None:
        """Keep `state` (plain data) and named lists of arrays; the file before it is replaced in one step."""
        note = json.dumps({"key": self.key, "state": state})
        flat = {f"{name}.{i:05d}": array for name, group in arrays.items() for i, array in enumerate(group)}

        def save(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                np.savez(file, note=np.array(note), **flat)

        write_atomically(self.path, save)

    def read(self) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]] | None:
        """What `write` kept; None where there is no file, another fit's, or a damaged one (training then starts anew)."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                note = json.loads(str(file["note"]))
                if note["key"] != self.key:
                    return None
                arrays: dict[str, list[np.ndarray]] = {}
                for name in sorted(set(file.files) - {"note"}):
                    arrays.setdefault(name.rsplit(".", 1)[0], []).append(file[name])
                return note["state"], arrays
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def remove(self) -> None:
        """Delete the file: the fit has ended."""
        self.path.unlink(missing_ok=True)
