"""Embeddings of a frozen backbone: computed once for each (images, backbone, weights, scaling, size).

TensorFlow embeds, but for many images on a CPU by a network of depthwise convolutions: ONNX Runtime is then more than twice
as fast (`python benchmarks/models.py`). Other networks it would embed faster too, but with numbers that depend on the
processor: where there is AVX-512 it sums the channels of a 3x3 convolution in blocks of 16, elsewhere of 8.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from leukstudy.imaging.resize import resize_all
from leukstudy.models import onnx_engine
from leukstudy.models.backend import has_gpu, seed_everything, tensorflow
from leukstudy.models.network import embedder
from leukstudy.models.store import digest, find, keep, remember_array
from leukstudy.models.weights import weights_identity
from leukstudy.study.zoo import model_spec

FORMAT = "3"
"""Part of every key: raise it when an architecture or this module changes what it computes."""

WORTH_CONVERTING = 40_000_000
"""Pixels, 800 images of 224 x 224, from which on ONNX Runtime has won back the seconds that making its graph takes. It
goes by the images alone, and not by whether the graph lies in the cache, so that results repeat."""


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
    TensorFlow `batch`), so that memory stays flat. With `cache`, a folder, the result and ONNX Runtime's graph are kept
    there; a damaged entry is made again. `weights: none` is the random backbone of seed 0.

    Raises ValueError for images of another form, UnknownModel, MissingWeights and BadWeights.
    """
    check_images(images)
    spec = model_spec(model, kind="network")
    source = {"model": model, "weights": weights, "scaling": scaling, "image_size": image_size}
    identity = weights_identity(weights, spec.imagenet)
    backbone = digest([FORMAT, model, identity, repr(spec.scaling(scaling)), str(image_size)])

    def compute() -> np.ndarray:
        if not len(images):
            return np.zeros((0, spec.embedding_width), np.float32)
        if has_gpu() or not spec.depthwise or len(images) * image_size**2 < WORTH_CONVERTING:
            return _by_tensorflow(images, source, batch)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(cache or scratch, f"backbone-{model}-{backbone[:16]}.onnx")
            if not find(path):
                export_onnx(path, **source)
            run = onnx_engine.runner(path)
            return onnx_engine.in_threads(
                lambda part: run(resize_all(images[part], image_size)), len(images), image_size
            )

    if cache is None:
        return compute()
    key = digest([backbone, str(images.shape), images_digest(images)])
    return remember_array(Path(cache, f"embedding-{model}-{key[:16]}.npy"), compute)


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
    """Write the backbone with its scaling and pooling as ONNX: input (N, 3, S, S) uint8, output (N, D) float32."""
    seed_everything(0)
    proto = onnx_engine.convert(embedder(model, weights=weights, scaling=scaling, image_size=image_size))
    keep(path, lambda temporary: temporary.write_bytes(proto.SerializeToString()))


def _by_tensorflow(images: np.ndarray, source: dict, batch: int) -> np.ndarray:
    tf = tensorflow()
    seed_everything(0)
    network = embedder(**source)
    shape = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    run = tf.function(
        lambda pixels: network(pixels, training=False), input_signature=[shape], jit_compile=False
    )
    starts = range(0, len(images), batch)
    parts = (resize_all(images[start : start + batch], source["image_size"]) for start in starts)
    return np.concatenate([run(part.astype(np.float32)).numpy() for part in parts])
