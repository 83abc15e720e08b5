"""Arrays out of an old-style PyTorch weights file, without PyTorch and without running what is in it.

Before version 1.6 `torch.save` wrote five pickles in a row (a magic number, a protocol version, the writer's
byte order, the object, the storage keys), then each storage as a 64-bit count and its raw numbers. A pickle can name any
function of the interpreter, so this one is read by an unpickler that knows four names and refuses all others.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from leukstudy.models.weights import BadWeights

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Name -> array (float32 or int64) of a state file, in the file's order.

    Raises BadWeights when the file is no such file, is cut off, or names anything that is not allowed.
    """
    with open(path, "rb") as file:
        try:
            if pickle_load(file) != _MAGIC or pickle_load(file) != _PROTOCOL:
                raise BadWeights(f"{path.name} is not an old-style PyTorch file (its magic number differs).")
            if pickle_load(file).get("little_endian") is not True:
                raise BadWeights(f"{path.name} was written in big-endian byte order, which is not read here.")
            storages: dict[str, np.ndarray] = {}
            reader = _Reader(file, storages)
            state = reader.load()
            keys = pickle_load(file)
            for key in keys:
                _fill(file, storages[key])
            if file.read(1):
                raise BadWeights(
                    f"{path.name} goes on after its last array: it is not the file it should be."
                )
        except BadWeights:
            raise
        except Exception as error:  # a damaged pickle can raise almost anything
            raise BadWeights(
                f"{path.name} cannot be read as a PyTorch state file ({type(error).__name__}: {error}). "
                "It is damaged or of another kind: get it again."
            ) from error
    if not isinstance(state, dict) or not all(isinstance(value, np.ndarray) for value in state.values()):
        raise BadWeights(f"{path.name} holds something else than named arrays.")
    return dict(state)


def pickle_load(file: BinaryIO) -> Any:
    """The next pickle of the file, which may hold plain values only; no name is allowed in it."""
    return _Plain(file).load()


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise BadWeights(f"the weights file names {module}.{name}, which is not allowed in it: not loaded.")


class _Reader(pickle.Unpickler):
    """Reads the object: four names allowed, storages made empty and filled after."""

    def __init__(self, file: BinaryIO, storages: dict[str, np.ndarray]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise BadWeights(f"the weights file names {module}.{name}, which is not allowed in it: not loaded.")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _device, size, view = pid
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise BadWeights(f"the weights file refers to {kind!r} in a way that is not read here.")
        if not 0 <= size <= 50_000_000:
            raise BadWeights(f"the weights file claims a storage of {size} numbers: it is damaged.")
        return self._storages.setdefault(key, np.zeros(size, dtype))


def _rebuild(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    """A view of a storage as an array. This release keeps TensorFlow's order of numbers: strides matter."""
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min((offset, *strides), default=0) < 0 or min(shape, default=1) < 1 or last >= storage.size:
        raise BadWeights(f"the weights file has an array of shape {shape} that its storage cannot hold.")
    step = storage.itemsize
    return np.lib.stride_tricks.as_strided(
        storage[offset:], tuple(shape), [stride * step for stride in strides], writeable=False
    )


def _fill(file: BinaryIO, storage: np.ndarray) -> None:
    count = int.from_bytes(file.read(8), "little")
    data = file.read(storage.nbytes)
    if count != storage.size or len(data) != storage.nbytes:
        raise BadWeights("the weights file is cut off: its last arrays are missing.")
    storage[:] = np.frombuffer(data, storage.dtype)
