"""Networks on this machine's CPU, each beside its alternative: embedding, a head, a training step, a small network.

    python benchmarks/models.py        (about four minutes; run nothing else meanwhile)

Every contender is a process of its own, so that its peak memory is its own. DenseNet201 has random weights: its published
ones cannot be had offline, and the speed is the same. The bound is the fastest product of two 2048 x 2048 matrices
in float32 (NumPy, all cores, before and after); the share of it is counted from the graph that runs, two operations
a multiply-add of convolutions and matrix products, everything else for nothing.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
LITE0 = {"model": "efficientnet_lite0", "weights": "imagenet"}
DENSENET = {"model": "densenet201", "weights": "none"}
HOW = {"scaling": "imagenet", "image_size": 224}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs: what else the machine does only adds."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def drawn(count: int, size: int) -> np.ndarray:
    """(count, size, size, 3) uint8, any pixels."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def matrix_product() -> float:
    """GFLOP/s of a large product in float32."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    return 2 * 2048**3 / seconds(lambda: a @ a, 12) / 1e9


def gflop(path: Path) -> float:
    """10^9 operations of one image in the convolutions and matrix products of an ONNX graph."""
    import onnx  # noqa: PLC0415 - not in every contender's memory

    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.value_info, *graph.output]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    weights = {c.name: list(c.dims) for c in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":  # a weight is (out, in / groups, height, width)
            total += 2 * np.prod(shapes[node.output[0]]) * np.prod(weights[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            total += 2 * np.prod(shapes[node.output[0]]) * weights[node.input[1]][0]
    return float(total) / 1e9


def settings(**changes: Any) -> Any:
    """An experiment's settings: the demo's defaults with changes."""
    from leukstudy.study.experiments import NetworkSettings  # noqa: PLC0415

    defaults = YAML(typ="safe").load(ROOT / "presets" / "demo.yaml")["defaults"]["network"]
    weights = {"weights": changes.pop("weights", "none")}
    full = defaults | {"task": "detection", "early_stopping": 0} | changes
    return NetworkSettings.model_validate(full | {"weights": "imagenet"}).model_copy(update=weights)


def trained(chosen: Any, images: np.ndarray, **more: Any) -> Any:
    """Fit on all images, of two classes."""
    from leukstudy.models.fit import fit  # noqa: PLC0415

    y = np.arange(len(images)) % 2
    rows = {"y": y, "split": np.full(len(y), "train"), "classes": ["healthy", "leukaemia"]}
    return fit(chosen, images=images, **rows, **more, say=lambda line: None)


def convert(which: dict[str, str], cache: Path) -> dict[str, float]:
    """What embedding a backbone costs the first time: building it and making its graph, which is kept in `cache`."""
    from leukstudy.models import embed as embedding  # noqa: PLC0415

    embedding.FEW_PIXELS = 0  # one image would be left to TensorFlow
    taken = seconds(lambda: embedding.embed(drawn(1, 96), **which, **HOW, cache=cache), 1)
    (path,) = cache.glob(f"backbone-{which['model']}-*.onnx")
    return {"seconds": taken, "gflop": gflop(path)}


def embed_lite0(cache: Path) -> dict[str, float]:
    """The study's embedding, resizing included."""
    from leukstudy.models.embed import embed  # noqa: PLC0415

    images = drawn(256, 96)
    shift = iter(range(1, 9))  # other pixels each time: what was embedded is kept
    taken = seconds(lambda: embed(images + np.uint8(next(shift)), **LITE0, **HOW, cache=cache), 4)
    return {"speed": len(images) / taken}


def predict(which: dict[str, str], count: int, repeats: int) -> dict[str, float]:
    """Keras' predict of images in memory that have the network's size."""
    from leukstudy.models.backend import tensorflow  # noqa: PLC0415
    from leukstudy.models.network import embedder  # noqa: PLC0415

    tensorflow()
    network = embedder(which["model"], weights=which["weights"], **HOW)
    images = drawn(count, HOW["image_size"]).astype(np.float32)
    network.predict(images[:32], verbose=0)
    return {"speed": count / seconds(lambda: network.predict(images, batch_size=32, verbose=0), repeats)}


def head(cache: Path) -> dict[str, float]:
    """A frozen DenseNet201, converted before, and 50 epochs of its head on 500 images."""
    images = drawn(500, 96)
    cost = trained(settings(**DENSENET, **HOW, mode="frozen", epochs=50), images, cache=cache).cost
    return {"speed": len(images) / cost["embed_s"], "head_s": cost["fit_s"] - cost["embed_s"]}


def step(mode: str) -> dict[str, float]:
    """Train DenseNet201 on images at 64: its first step, and how long later steps wait for their images."""
    from leukstudy.models import modes  # noqa: PLC0415

    waits, made = [], modes.image_batches

    def watched(*given: Any, **named: Any) -> Iterator[Any]:
        batches = iter(made(*given, **named))
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            waits.append(time.perf_counter() - started)
            if batch is None:
                return
            yield batch

    augment = {"flip": True, "rotate": True, "zoom": 0.1, "brightness": 0.1, "stain": 0.1, "blur": 0.5}
    augment |= {"mixup": 0.0, "views": 0}
    chosen = settings(**DENSENET, image_size=64, mode=mode, epochs=1, augment=augment)
    with mock.patch.object(modes, "image_batches", watched):
        cost = trained(chosen, drawn(160, 96)).cost
    steady = (160 - 32) / cost["images_per_s"]
    return {
        "first_s": cost["first_step_s"],
        "speed": cost["images_per_s"],
        "in_step": 1 - sum(waits[1:]) / steady,
    }


def cnn(cache: Path) -> dict[str, float]:
    """The study's training of paper A's network at 64, without augmentation."""
    off = {
        "flip": False,
        "rotate": False,
        "zoom": 0,
        "brightness": 0,
        "stain": 0,
        "blur": 0,
        "mixup": 0,
        "views": 0,
    }
    chosen, ends = settings(model="cnn", image_size=64, mode="scratch", epochs=4, augment=off), []
    trained(chosen, drawn(640, 64), watch=lambda row: ends.append(time.perf_counter()))
    return {"speed": 640 / min(np.diff(ends))}


def keras_cnn(cache: Path) -> dict[str, float]:
    """The same network in Keras' own fit, on arrays in memory."""
    from leukstudy.models import network  # noqa: PLC0415
    from leukstudy.models.backend import seed_everything  # noqa: PLC0415

    seed_everything(0)

    like = settings(model="cnn", image_size=64)
    made = {"weights": "none", "scaling": like.scaling, "image_size": 64, "filters": like.filters}
    whole = {"head_units": like.head_units, "dropout": like.dropout, "normalise": False}
    model = network.classifier(network.embedder("cnn", **made), classes=2, **whole)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    images, y = drawn(640, 64).astype(np.float32), np.arange(640) % 2
    model.fit(images[:64], y[:64], batch_size=32, verbose=0)
    return {"speed": 640 / seconds(lambda: model.fit(images, y, batch_size=32, verbose=0), 3)}


CONTENDERS: dict[str, Callable[[Path], dict[str, float]]] = {
    "convert_lite0": lambda cache: convert(LITE0, cache),
    "convert_densenet": lambda cache: convert(DENSENET, cache),
    "embed_lite0": embed_lite0,
    "keras_lite0": lambda cache: predict(LITE0, 256, 3),
    "head": head,
    "keras_densenet": lambda cache: predict(DENSENET, 64, 2),
    "scratch": lambda cache: step("scratch"),
    "fine_tune": lambda cache: step("fine_tune"),
    "cnn": cnn,
    "keras_cnn": keras_cnn,
}


def alone(name: str, cache: Path) -> dict[str, float]:
    """What a contender says, in a process of its own."""
    command = [sys.executable, __file__, name, str(cache)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def main() -> None:
    """Measure and print the tables."""
    before = matrix_product()
    with tempfile.TemporaryDirectory() as name:
        of = {contender: alone(contender, Path(name)) for contender in CONTENDERS}
    bound = max(before, matrix_product())
    print(f"Matrix product, float32, all cores: {bound:,.0f} GFLOP/s\n")
    print("| network | images/s | MB | beside | images/s | MB | ratio | share of the bound |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for what, ours, beside, theirs, converted in (
        ("embed EfficientNet-Lite0 at 224", "embed_lite0", "Keras predict", "keras_lite0", "convert_lite0"),
        ("embed DenseNet201 at 224", "head", "Keras predict", "keras_densenet", "convert_densenet"),
        ("train cnn at 64", "cnn", "Keras fit", "keras_cnn", None),
    ):
        a, b = of[ours], of[theirs]
        share = f"{a['speed'] * of[converted]['gflop'] / bound:.2f}" if converted else ""
        print(
            f"| {what} | {a['speed']:,.1f} | {a['peak']:,.0f} | {beside} | {b['speed']:,.1f} | {b['peak']:,.0f} "
            f"| {a['speed'] / b['speed']:.2f} | {share} |"
        )
    frozen, passes = of["head"], 50 * 500 / of["keras_densenet"]["speed"]
    for what, which in (("EfficientNet-Lite0", "convert_lite0"), ("DenseNet201", "convert_densenet")):
        cost = of[which]
        print(f"\n{what} is built and converted once, in {cost['seconds']:.0f} s and {cost['peak']:,.0f} MB.")
    print(
        f"\n50 epochs of a frozen DenseNet201's head on 500 images: one embedding pass ({500 / frozen['speed']:.0f} s) and "
        f"{frozen['head_s']:.1f} s; 50 passes of Keras' predict would take {passes:,.0f} s."
    )
    for what, training in (("from scratch", of["scratch"]), ("fine-tuned whole", of["fine_tune"])):
        print(
            f"\nDenseNet201 {what} at 64, augmented: first step {training['first_s']:.0f} s, then "
            f"{training['speed']:.1f} images/s, {training['in_step']:.1%} of the time in the step; "
            f"{training['peak']:,.0f} MB."
        )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        result = CONTENDERS[sys.argv[1]](Path(sys.argv[2]))
        result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
