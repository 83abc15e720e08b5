"""ONNX Runtime, the engine of every frozen network on a CPU: conversion, a graph it can fuse, and its running.

ONNX Runtime computes convolutions in blocks of channels, and leaves that layout for whatever it cannot fuse. Half of
its speed is therefore in the form of the graph: `tidy` rewrites what tf2onnx leaves behind, without changing what is
computed by more than rounding. The other half is in its use: one thread an image instead of all threads
on each operation, so that no core waits for another, and an image's numbers cannot depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from leukstudy.models.backend import tensorflow

OPSET = 17
PIXELS = 2 * 224 * 224
"""Of one call: few enough for the activations to stay in a core's cache, and enough to read the weights for."""


def convert(network: Any) -> Any:
    """A Keras model of images as a tidy ONNX graph: input `image` (N, H, W, C) uint8, the model's own output."""
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
    proto, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=OPSET)
    _fill_in(proto, concrete)
    return tidy(proto)


def _fill_in(proto: Any, concrete: Any) -> None:
    """Make constants of the tensors that the trace captured (Normalization's): tf2onnx makes inputs of them."""
    import onnx

    captured = concrete.captured_inputs
    values = dict(
        zip((t.name for t in concrete.inputs[len(concrete.inputs) - len(captured) :]), captured, strict=True)
    )
    for given in [given for given in proto.graph.input if given.name != "image"]:
        proto.graph.input.remove(given)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(values[given.name].numpy(), given.name))


def tidy(proto: Any) -> Any:
    """The same function in a form that ONNX Runtime fuses; a graph without these patterns comes back as it was.

    - Scaling of NHWC pixels, then the turn to NCHW: the turn comes first, on bytes, and scaling runs over planes.
    - A product and a sum with one number a channel (tf2onnx's form of a batch normalisation that it did not fold: of
      every depthwise convolution, and of DenseNet's, which come before the activation): a BatchNormalization,
      which ONNX Runtime folds into the convolution, or runs with its ReLU in the layout of the convolutions.
    - Average pooling behind a 1x1 convolution without activation (DenseNet's transitions): in front of it, where the
      convolution has a quarter of the pixels. Both are linear, so they commute.
    """
    graph = _Graph(proto)
    _channels_first(graph)
    _batch_normalisations(graph)
    _pool_first(graph)
    return graph.model()


def runner(path: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images (n, H, W, C) uint8 to the network's output (n, D) float32, that threads may share."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": images})[0]


def in_threads(work: Callable[[slice], np.ndarray], count: int, size: int) -> np.ndarray:
    """`work` of consecutive slices of `count` images of `size` pixels square, one thread a core, joined in order.

    Whatever `work` does with the interpreter's lock released (ONNX Runtime, OpenCV) runs side by side.
    """
    step = max(1, PIXELS // size**2)
    slices = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(work, slices)))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Graph:
    """An ONNX graph's nodes and constants by name, for rewriting."""

    def __init__(self, proto: Any) -> None:
        import onnx

        self.proto = onnx.shape_inference.infer_shapes(proto)
        self.nodes = list(self.proto.graph.node)
        self.constants = {c.name: onnx.numpy_helper.to_array(c) for c in self.proto.graph.initializer}
        self.outputs = {value.name for value in self.proto.graph.output}
        values = chain(self.proto.graph.value_info, self.proto.graph.input, self.proto.graph.output)
        self.shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}

    def only_reader(self, name: str) -> Any:
        """The node that alone reads `name`, None where there are none or several."""
        readers = [node for node in self.nodes for given in node.input if given == name]
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant_of(self, node: Any) -> tuple[str, np.ndarray] | None:
        """(the other input, the constant) of a binary node with one constant, else None."""
        for data, other in (node.input, reversed(node.input)):
            if other in self.constants and data not in self.constants:
                return data, self.constants[other]
        return None

    def add(self, name: str, array: np.ndarray) -> str:
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def model(self) -> Any:
        """The model with what is left: unread constants and stale shapes are gone."""
        import onnx

        graph = self.proto.graph
        read = set(chain.from_iterable(node.input for node in self.nodes))
        kept = [onnx.numpy_helper.from_array(a, name) for name, a in self.constants.items() if name in read]
        for field, new in ((graph.node, self.nodes), (graph.initializer, kept), (graph.value_info, [])):
            del field[:]
            field.extend(new)
        onnx.checker.check_model(self.proto)
        return self.proto


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    import onnx

    return onnx.helper.make_node(kind, inputs, [output], name=f"{output}_{kind}", **attributes)


def _attribute(node: Any, name: str) -> Any:
    import onnx

    found = [onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else None


def _channels_first(graph: _Graph) -> None:
    """image -> Cast -> Mul, Add with constants -> Transpose becomes image -> Transpose -> Cast -> Mul, Add."""
    scaling, name = [], "image"
    while (node := graph.only_reader(name)) is not None and node.op_type in ("Cast", "Mul", "Add"):
        if node.op_type != "Cast" and graph.constant_of(node)[1].ndim > 1:
            return
        scaling.append(node)
        name = node.output[0]
    if node is None or node.op_type != "Transpose" or _attribute(node, "perm") != [0, 3, 1, 2]:
        return
    turned = _node("Transpose", ["image"], "image_planes", perm=[0, 3, 1, 2])
    moved, name = [turned], "image_planes"
    for step in scaling:
        output = node.output[0] if step is scaling[-1] else f"{step.output[0]}_planes"
        if step.op_type == "Cast":
            moved.append(_node("Cast", [name], output, to=_attribute(step, "to")))
        else:
            by_plane = graph.add(f"{step.output[0]}_constant", graph.constant_of(step)[1].reshape(-1, 1, 1))
            moved.append(_node(step.op_type, [name, by_plane], output))
        name = output
    gone = [*scaling, node]
    graph.nodes = moved + [n for n in graph.nodes if n not in gone]


def _per_channel(graph: _Graph, node: Any, kind: str) -> tuple[str, np.ndarray] | None:
    """(data, (C,) constant) of a Mul or Add of an (N, C, H, W) input with one number a channel, else None."""
    found = graph.constant_of(node) if node is not None and node.op_type == kind else None
    if found is None:
        return None
    data, constant = found
    shape = graph.shapes.get(data, graph.shapes.get(node.output[0], []))
    by_channel = (
        constant.ndim in (3, 4) and constant.shape[-2:] == (1, 1) and constant.size == constant.shape[-3]
    )
    fits = len(shape) == 4 and by_channel and constant.size == shape[1] > 3
    return (data, constant.ravel()) if fits else None


def _batch_normalisations(graph: _Graph) -> None:
    """Mul by channel, with the Add by channel behind it if there is one, becomes a BatchNormalization."""
    for node in list(graph.nodes):
        if (product := _per_channel(graph, node, "Mul")) is None:
            continue
        data, scale = product
        added = graph.only_reader(node.output[0])
        total = _per_channel(graph, added, "Add")
        offset = np.zeros_like(scale) if total is None else total[1]
        output = (node if total is None else added).output[0]
        given = {
            "scale": scale,
            "offset": offset,
            "mean": np.zeros_like(scale),
            "variance": np.ones_like(scale),
        }
        names = [graph.add(f"{output}_{what}", array) for what, array in given.items()]
        place = graph.nodes.index(node)
        graph.nodes[place] = _node("BatchNormalization", [data, *names], output, epsilon=0.0)
        if total is not None:
            graph.nodes.remove(added)


def _pool_first(graph: _Graph) -> None:
    """Conv 1x1 without padding or stride -> AveragePool without padding becomes AveragePool -> Conv."""
    for conv in list(graph.nodes):
        if conv.op_type != "Conv" or _attribute(conv, "kernel_shape") != [1, 1]:
            continue
        plain = all(set(_attribute(conv, what) or [x]) == {x} for what, x in (("strides", 1), ("pads", 0)))
        pool = graph.only_reader(conv.output[0])
        if not plain or pool is None or pool.op_type != "AveragePool" or any(_attribute(pool, "pads") or []):
            continue
        if _attribute(pool, "auto_pad") not in (None, b"NOTSET", b"VALID"):
            continue
        pooled, output = f"{pool.output[0]}_first", pool.output[0]
        pool.input[0], pool.output[0] = conv.input[0], pooled
        conv.input[0], conv.output[0] = pooled, output
        first, second = graph.nodes.index(conv), graph.nodes.index(pool)
        graph.nodes[first], graph.nodes[second] = pool, conv
