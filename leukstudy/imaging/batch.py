"""All kept images of a manifest to arrays: prepared pixels, masks and features, in parallel, in flat memory."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukstudy.imaging.dictionary import FEATURES
from leukstudy.imaging.features import all_features
from leukstudy.imaging.io import read_image
from leukstudy.imaging.preprocess import base, finish
from leukstudy.imaging.segment import label_cells, segment_nuclei
from leukstudy.imaging.workers import cores, processes
from leukstudy.study.methods import VIEWS, method

# Images a worker takes at a time, and the fewest that are worth starting processes for: each takes a second to start, and
# an image of 64 x 64 pixels 7 ms, of 224 x 224 pixels 23 ms.
_CHUNK, _WORTH_A_POOL = 32, 300


def prepare_all(
    root: Path,
    manifest: pd.DataFrame,
    out: Path,
    *,
    size: int,
    gaussian_sigma: float = 0.0,
    equalise: str = "none",
    mask_corner: Mapping[str, Any] | object | None = None,
    mask_boxes: Sequence[Sequence[float]] = (),
    illumination: bool = False,
    stain: str = "none",
    contrast: float = 1.0,
    brightness: float = 0.0,
    segmentation: str = "stain",
    view: str = "image",
    workers: int | None = None,
) -> pd.DataFrame:
    """Prepare every image that is not excluded, in manifest order, into the folder `out`; gives the features.

    Writes images.npy (N, size, size, 3) uint8 RGB, nuclei.npy and cells.npy (N, size, size) bool, and
    features.csv (image_id and the columns of `FEATURES`, six significant digits). Masks and features are
    taken of `preprocess.base`, before what `preprocess.finish` does and before the `view` (of `methods.VIEWS`), which
    are for models; `corner_` features are those of the file. Memory does not grow with N, and the bytes do not depend on `workers`
    (default: one a core). `out` appears whole or not at all: a killed run leaves a hidden folder beside it.

    Raises BadImage where a file has changed since it was catalogued, ValueError for an unknown method or
    where no image is kept.
    """
    rows = manifest.loc[manifest["excluded"] == "", ["image_id", "path"]]
    if rows.empty:
        raise ValueError("the manifest keeps no image; see its column `excluded`")
    settings = {
        "mask_corner": _plain(mask_corner),
        "mask_boxes": [tuple(map(float, box)) for box in mask_boxes],
    }
    settings |= {
        "illumination": illumination,
        "stain": stain,
        "gaussian_sigma": gaussian_sigma,
        "equalise": equalise,
    }
    settings |= {"contrast": contrast, "brightness": brightness, "segmentation": segmentation, "view": view}
    prepare_image(
        np.zeros((2, 2, 3), np.uint8), size=2, **settings
    )  # refuses early what no image could be prepared with
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    for stale in out.parent.glob(f".{out.name}.partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.partial-"))
    try:
        for name, (shape, dtype) in _arrays(len(rows), size).items():
            np.lib.format.open_memmap(folder / name, mode="w+", dtype=dtype, shape=shape).flush()
        paths = [str(Path(root) / path) for path in rows["path"]]
        chunks = [(start, paths[start : start + _CHUNK]) for start in range(0, len(paths), _CHUNK)]
        work = partial(_prepare_chunk, folder=folder, settings=settings | {"size": size})
        features = [row for chunk in _each(work, chunks, len(paths), workers) for row in chunk]
        table = pd.DataFrame(features, columns=list(FEATURES))
        table.insert(0, "image_id", rows["image_id"].to_numpy())
        table.to_csv(folder / "features.csv", index=False, float_format="%.6g", lineterminator="\n")
        folder.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        os.replace(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return read_features(out)


def prepare_image(
    delivered: np.ndarray,
    *,
    size: int,
    mask_corner: Mapping[str, Any] | object | None = None,
    mask_boxes: Sequence[Sequence[float]] = (),
    illumination: bool = False,
    segmentation: str = "stain",
    view: str = "image",
    **last: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take one image through the whole chain; arguments are those of `prepare_all`, `last` those of `preprocess.finish`.

    `delivered` (H, W, 3) uint8 RGB. Gives, all of side `size`: the image as models see it (uint8 RGB), the image that
    was measured (uint8 RGB), its nuclei (bool) and its cells (int32 labels).
    """
    rgb = base(delivered, size=size, mask=mask_corner, boxes=mask_boxes, illumination=illumination)
    nucleus = segment_nuclei(rgb, segmentation)
    labels = label_cells(rgb, nucleus)
    return method(VIEWS, view, "view")(finish(rgb, **last), nucleus, labels), rgb, nucleus, labels


def read_features(folder: Path) -> pd.DataFrame:
    """The features.csv of a prepared folder: image_id (text) and one float64 column a feature."""
    types = dict.fromkeys(FEATURES, "float64") | {"image_id": "str"}
    return pd.read_csv(Path(folder) / "features.csv", dtype=types, keep_default_na=False)


def _arrays(count: int, size: int) -> dict[str, tuple[tuple[int, ...], type]]:
    return {
        "images.npy": ((count, size, size, 3), np.uint8),
        "nuclei.npy": ((count, size, size), np.bool_),
        "cells.npy": ((count, size, size), np.bool_),
    }


def _plain(mask: Mapping[str, Any] | object | None) -> dict[str, Any] | None:
    """The corner mask as a plain dict, which any process can be given."""
    if mask is None:
        return None
    keys = ("corner", "width", "height")
    return {key: mask[key] if isinstance(mask, Mapping) else getattr(mask, key) for key in keys}


def _each(work: partial, chunks: list, images: int, workers: int | None) -> list:
    """`work` of every chunk, in order; by this process and, where there are enough images, by others beside it.

    A process takes a second to start and to import. This one works from the last chunk on meanwhile, and stays one
    of the `workers`.
    """
    workers = min(workers or cores(), len(chunks))
    if workers == 1 or images < _WORTH_A_POOL:
        return [work(chunk) for chunk in chunks]
    with processes(workers - 1) as pool:
        waiting = [pool.submit(work, chunk) for chunk in chunks]
        own = {}
        try:
            for index in reversed(range(len(chunks))):
                if waiting[index].cancel():  # no other process has begun it
                    own[index] = work(chunks[index])
            return [own[index] if index in own else job.result() for index, job in enumerate(waiting)]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _prepare_chunk(chunk: tuple[int, list[str]], *, folder: Path, settings: dict[str, Any]) -> list[dict]:
    """Prepare some images into the arrays, from a row on; gives their features."""
    start, paths = chunk
    images, nuclei, cells = (np.load(folder / name, mmap_mode="r+") for name in _arrays(1, 1))
    features = []
    for row, path in enumerate(paths, start):
        delivered = read_image(path)
        images[row], rgb, nucleus, labels = prepare_image(delivered, **settings)
        nuclei[row], cells[row] = nucleus, labels > 0
        features.append(all_features(rgb, nucleus, labels, delivered))
    for array in (images, nuclei, cells):
        array.flush()
    return features
