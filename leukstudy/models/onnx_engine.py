"""ONNX Runtime on a CPU: a Keras network as an ONNX graph, and its running.

One thread works on a few images, instead of all threads on each operation: no core waits for another, and an image's
numbers cannot depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from leukstudy.imaging.workers import in_order
from leukstudy.models.backend import tensorflow

OPSET = 17
PIXELS = 2 * 224 * 224
"""Of one call: few enough for the activations to stay in a core's cache, and enough to read the weights for."""


def convert(network: Any) -> Any:
    """A Keras model of images as an ONNX model: input `image` (N, C, H, W) uint8, the model's own output.

    Channels come first, as ONNX Runtime computes: a turn inside the graph would cost a seventh of the speed.
    """
    tf = tensorflow()
    # Keras' own export prints, needs the model to have been called and takes floats only; this is the same conversion.
    import tf2onnx

    signature = [tf.TensorSpec(network.input_shape, tf.uint8, name="image")]
    traced = tf.function(
        lambda image: network(tf.cast(image, tf.float32), training=False),
        input_signature=signature,
        jit_compile=False,
    )
    concrete = traced.get_concrete_function()
    proto, _ = tf2onnx.convert.from_function(
        traced, input_signature=signature, opset=OPSET, inputs_as_nchw=["image"]
    )
    _fill_in(proto, concrete)
    return proto


def _fill_in(proto: Any, concrete: Any) -> None:
    """Make constants of the tensors that the trace captured (Normalization's): tf2onnx makes inputs of them."""
    import onnx

    captured = concrete.captured_inputs
    names = [tensor.name for tensor in concrete.inputs[len(concrete.inputs) - len(captured) :]]
    values = dict(zip(names, captured, strict=True))
    for entry in [entry for entry in proto.graph.input if entry.name != "image"]:
        proto.graph.input.remove(entry)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(values[entry.name].numpy(), entry.name))


def runner(path: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images (n, H, W, C) uint8 to the network's output (n, D) float32, that threads may share."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]


def in_threads(work: Callable[[slice], np.ndarray], count: int, size: int) -> np.ndarray:
    """`work` of consecutive slices of `count` images of `size` pixels square, one thread a core, joined in order.

    Whatever `work` does with the interpreter's lock released (ONNX Runtime, OpenCV) runs side by side.
    """
    step = max(1, PIXELS // size**2)
    slices = (slice(start, min(start + step, count)) for start in range(0, count, step))
    return np.concatenate(list(in_order(work, slices, threads=True)))
