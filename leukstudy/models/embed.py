"""Embeddings of a frozen backbone: computed once for each (images, backbone, weights, scaling, size).

On a CPU the backbone runs in ONNX Runtime (`onnx_engine`), several times as fast as Keras' predict (`make bench`) and
equal to it within 1e-4; on a GPU, and for so few images that the conversion would take longer, it runs in TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leukstudy.models import onnx_engine
from leukstudy.models.backend import has_gpu, seed_everything
from leukstudy.models.network import embedder, scaling_of
from leukstudy.models.store import digest, find, keep, remember_array
from leukstudy.models.weights import weights_identity
from leukstudy.models.zoo import model_spec

FORMAT = "2"
"""Part of every key: raise it when an architecture or this module changes what it computes."""

FEW_PIXELS = 1_500_000
"""Images of fewer pixels than this together, 30 of 224 x 224, are embedded by TensorFlow as they are: converting
EfficientNet-Lite0 takes as long as embedding these by it. It goes by the images alone, so that results repeat."""


def embed(
    images: np.ndarray,
    *,
    model: str,
    weights: str = "imagenet",
    scaling: str = "imagenet",
    image_size: int = 224,
    cache: Path | None = None,
    batch: int = 32,
) -> np.ndarray:
    """Pooled features of a frozen backbone, (N, D) float32.

    images: (N, H, W, 3) uint8 RGB, in memory or memory-mapped; resized to image_size a few at a time (in
    TensorFlow `batch`), so that memory stays flat. With `cache`, a folder, the exported backbone and the result are kept there; a
    damaged entry is made again. `weights: none` is the random backbone of seed 0.

    Raises ValueError for images of another form, UnknownModel, MissingWeights and BadWeights.
    """
    check_images(images)
    spec = model_spec(model, kind="network")
    scale = scaling_of(spec, scaling)
    backbone = digest([FORMAT, model, weights_identity(weights, spec.imagenet), repr(scale), str(image_size)])

    def compute() -> np.ndarray:
        if not len(images):
            return np.zeros((0, spec.embedding_width), np.float32)
        if has_gpu() or len(images) * image_size**2 < FEW_PIXELS:
            return _by_tensorflow(
                images, model=model, weights=weights, scaling=scaling, image_size=image_size, batch=batch
            )
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(cache or scratch, f"backbone-{model}-{backbone[:16]}.onnx")
            if not find(path):
                export_onnx(path, model=model, weights=weights, scaling=scaling, image_size=image_size)
            return _on_cpu(images, image_size, onnx_engine.runner(path))

    if cache is None:
        return compute()
    key = digest([backbone, str(images.shape), images_digest(images)])
    return remember_array(Path(cache, f"embedding-{model}-{key[:16]}.npy"), compute)


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, H, W, 3) uint8 to (N, size, size, 3) uint8: area averaging when shrinking, bilinear when enlarging."""
    if images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    shrink = max(images.shape[1:3]) > size
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    out = np.empty((len(images), size, size, 3), np.uint8)
    for target, image in zip(out, images, strict=True):
        target[:] = cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=how)
    return out


def check_images(images: np.ndarray) -> None:
    """Raise ValueError unless images are (N, H, W, 3) uint8, N may be 0."""
    shape, dtype = np.shape(images), getattr(images, "dtype", type(images).__name__)
    if len(shape) != 4 or shape[-1] != 3 or dtype != np.uint8 or 0 in shape[1:]:
        raise ValueError(
            f"images have shape {shape} and dtype {dtype}; expected (N, H, W, 3) uint8 RGB of 0-255, as the prepare "
            "stage writes them. Do not scale them: scaling is a layer of the network."
        )


def images_digest(images: np.ndarray) -> str:
    """SHA-256 of the pixels, read 256 images at a time so that a memory-mapped file need not fit.

    Augmented copies, which are made when they are read, say themselves what they are made from.
    """
    if hasattr(images, "digest"):
        return images.digest()
    return digest(images[i : i + 256].tobytes() for i in range(0, len(images), 256))


def export_onnx(path: Path, *, model: str, weights: str, scaling: str, image_size: int) -> None:
    """Write the backbone with its scaling and pooling as ONNX: input (N, S, S, 3) uint8, output (N, D) float32."""
    seed_everything(0)
    proto = onnx_engine.convert(embedder(model, weights=weights, scaling=scaling, image_size=image_size))
    keep(path, lambda temporary: temporary.write_bytes(proto.SerializeToString()))


def _on_cpu(images: np.ndarray, size: int, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return onnx_engine.in_threads(lambda part: run(resize(images[part], size)), len(images), size)


def _by_tensorflow(
    images: np.ndarray, *, model: str, weights: str, scaling: str, image_size: int, batch: int
) -> np.ndarray:
    seed_everything(0)
    network = embedder(model, weights=weights, scaling=scaling, image_size=image_size)
    parts = (resize(images[i : i + batch], image_size) for i in range(0, len(images), batch))
    return np.concatenate([network(part.astype(np.float32), training=False).numpy() for part in parts])
