"""BloodMNIST: an .npz of arrays, unpacked to <class>/<split>_NNNNN.png with the official split in metadata.csv."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters import folder
from leukstudy.data.adapters.layout import METADATA, listing

CLASSES = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")
"""The meaning of the labels 0 to 7, named as in PBC, whose images these are."""
SPLITS = ("train", "val", "test")
_MAX_SIDE = 1024


def rows(root: Path) -> pd.DataFrame:
    """One row an image of the unpacked form. Raises DataProblem where the .npz has not been unpacked."""
    images, others = listing(root)
    packed = [path for path in others if path.lower().endswith(".npz")]
    if packed and not images:
        raise DataProblem(
            f"{root}: {packed[0]} is not unpacked; `leukstudy data use bloodmnist={Path(root) / packed[0]}` does it"
        )
    return folder.rows(root)


def unpack(archive: Path, into: Path) -> int:
    """Write the images of `archive` as PNG files into the folder `into`, with metadata.csv; gives their number.

    Arrays are read image by image: memory stays flat. Pickled objects are never loaded.
    Raises DataProblem where an array is missing, or is not of the form (n, side, side[, 3]) uint8 with labels (n, 1).
    """
    from PIL import Image  # noqa: PLC0415 - listing needs no decoder

    archive, into = Path(archive), Path(into)
    lines = ["path,official_split"]
    try:
        with zipfile.ZipFile(archive) as packed:
            for split in SPLITS:
                labels = _labels(archive, packed, split)
                for number, pixels in enumerate(_images(archive, packed, split, len(labels))):
                    path = f"{CLASSES[labels[number]]}/{split}_{number:05d}.png"
                    (into / path).parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels).save(into / path)
                    lines.append(f"{path},{split}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataProblem(f"{archive}: no sound .npz file ({error}); get it anew") from error
    (into / METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1


def _header(archive: Path, packed: zipfile.ZipFile, name: str):
    """An open array of the archive, positioned at its data, with shape and dtype."""
    if f"{name}.npy" not in packed.namelist():
        raise DataProblem(
            f"{archive}: no array {name!r}; expected BloodMNIST's {{train,val,test}}_{{images,labels}}"
        )
    file = packed.open(f"{name}.npy")
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise DataProblem(f"{archive}: {name} is no array ({error})") from error
    if fortran or dtype.kind not in "ui":
        raise DataProblem(f"{archive}: {name} holds {dtype}, expected whole numbers in C order")
    return file, shape, dtype


def _labels(archive: Path, packed: zipfile.ZipFile, split: str) -> np.ndarray:
    file, shape, dtype = _header(archive, packed, f"{split}_labels")
    with file:
        labels = np.frombuffer(file.read(), dtype=dtype)
    if (
        len(shape) not in (1, 2)
        or labels.size != shape[0]
        or (labels.size and not 0 <= labels.min() <= labels.max() < len(CLASSES))
    ):
        raise DataProblem(
            f"{archive}: {split}_labels has the shape {shape}; expected (n, 1) numbers from 0 to 7"
        )
    return labels


def _images(archive: Path, packed: zipfile.ZipFile, split: str, count: int):
    file, shape, dtype = _header(archive, packed, f"{split}_images")
    fits = (
        len(shape) in (3, 4)
        and shape[0] == count
        and shape[3:] in ((), (3,))
        and max(shape[1:3]) <= _MAX_SIDE
    )
    if dtype != np.uint8 or not fits:
        raise DataProblem(
            f"{archive}: {split}_images is {dtype} {shape}; expected uint8 ({count}, side, side, 3), one for each label"
        )
    size = int(np.prod(shape[1:]))
    with file:
        for number in range(count):
            content = file.read(size)
            if len(content) < size:
                raise DataProblem(f"{archive}: {split}_images ends at image {number} of {count}; get it anew")
            yield np.frombuffer(content, np.uint8).reshape(shape[1:])
