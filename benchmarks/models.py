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
SETTINGS = {"scaling": "imagenet", "image_size": 224}


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

    embedding.WORTH_CONVERTING = 0  # one image would be left to TensorFlow
    taken = seconds(lambda: embedding.embed(drawn(1, 96), **which, **SETTINGS, cache=cache), 1)
    (path,) = cache.glob(f"backbone-{which['model']}-*.onnx")
    return {"seconds": taken, "gflop": gflop(path)}


def embed_lite0(cache: Path) -> dict[str, float]:
    """The study's embedding, resizing included."""
    from leukstudy.models.embed import embed  # noqa: PLC0415

    images = drawn(256, 96)
    shift = iter(range(1, 9))  # other pixels each time: what was embedded is kept
    taken = seconds(lambda: embed(images + np.uint8(next(shift)), **LITE0, **SETTINGS, cache=cache), 4)
    return {"speed": len(images) / taken}


def predict(which: dict[str, str], count: int, repeats: int) -> dict[str, float]:
    """Keras' predict of images in memory that have the network's size."""
    from leukstudy.models.backend import tensorflow  # noqa: PLC0415
    from leukstudy.models.network import embedder  # noqa: PLC0415

    tensorflow()
    network = embedder(which["model"], weights=which["weights"], **SETTINGS)
    images = drawn(count, SETTINGS["image_size"]).astype(np.float32)
    network.predict(images[:32], verbose=0)
    return {"speed": count / seconds(lambda: network.predict(images, batch_size=32, verbose=0), repeats)}


def head(cache: Path) -> dict[str, float]:
    """A frozen DenseNet201 and 50 epochs of its head on 500 images."""
    images = drawn(500, 96)
    cost = trained(settings(**DENSENET, **SETTINGS, mode="frozen", epochs=50), images, cache=cache).cost
    return {"speed": len(images) / cost["embed_s"], "head_s": cost["fit_s"] - cost["embed_s"]}


def step(mode: str) -> dict[str, float]:
    """Train DenseNet201 on images at 64: its first step, and how long later steps wait for their images."""
    from leukstudy.models import modes  # noqa: PLC0415

    waits, made = [], modes.image_batches

    def watched(*arguments: Any, **named: Any) -> Iterator[Any]:
        batches = iter(made(*arguments, **named))
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


# What `fit` is asked for here, and Keras' own beside it: 560 images to learn from, 110 to watch, all predicted at the end.
FITS = {"densenet201": {"epochs": 3}, "cnn": {"epochs": 8}}
AUGMENT = {"flip": True, "rotate": True, "zoom": 0.1, "brightness": 0.1, "stain": 0.1, "blur": 0.5}
AUGMENT |= {"mixup": 0.0, "views": 0}


def fitting(model: str) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Settings, images, classes and split of one line of `FITS`."""
    chosen = settings(
        model=model, image_size=64, mode="scratch", augment=AUGMENT, early_stopping=7, **FITS[model]
    )
    split = np.array(["train"] * 560 + ["val"] * 110)
    return chosen, drawn(len(split), 64), np.arange(len(split)) % 2, split


def our_fit(model: str) -> dict[str, float]:
    """The study's training."""
    from leukstudy.models.fit import fit  # noqa: PLC0415

    chosen, images, y, split = fitting(model)
    started = time.perf_counter()
    cost = fit(chosen, images=images, y=y, split=split, classes=["a", "b"], say=lambda line: None).cost
    seconds_taken = time.perf_counter() - started
    return {"seconds": seconds_taken, "first_s": cost["first_step_s"], "speed": cost["images_per_s"]}


def keras_fit(model: str) -> dict[str, float]:
    """Keras' fit of the same network on the same batches, with callbacks for stopping, plateau and the history."""
    from leukstudy.models import network  # noqa: PLC0415
    from leukstudy.models.backend import seed_everything, tensorflow  # noqa: PLC0415
    from leukstudy.models.batches import class_weights, image_batches  # noqa: PLC0415

    tf = tensorflow()
    import keras  # noqa: PLC0415

    chosen, images, y, split = fitting(model)
    rows, one_hot = np.flatnonzero(split == "train"), np.eye(2, dtype=np.float32)
    marks, epochs = {}, []

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            marks["begin"] = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            marks.setdefault("first", time.perf_counter())

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            marks["epoch"] = time.perf_counter()

        def on_test_begin(self, logs: Any = None) -> None:
            epochs.append(time.perf_counter() - marks["epoch"])

    def batches() -> Iterator[Any]:
        weight = class_weights(y[rows], 2, chosen.class_weight)
        for inputs, *rest in image_batches(
            chosen, len(epochs) + 1, images=images, y=y, rows=rows, weight=weight
        ):
            yield tf.cast(inputs, tf.float32), *rest

    started = time.perf_counter()
    seed_everything(chosen.seed)
    whole = {"head_units": chosen.head_units, "dropout": chosen.dropout, "normalise": False}
    built = network.classifier(network.backbone_of(chosen), classes=2, **whole)
    network.follow_statistics(built)
    loss = keras.losses.CategoricalCrossentropy()
    built.compile(keras.optimizers.Adam(chosen.learning_rate), loss, metrics=["accuracy"], jit_compile=False)
    shapes = ((None, 64, 64, 3), (None, 2), (None,))
    data = tf.data.Dataset.from_generator(
        batches, output_signature=tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    )
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [
            Clock(),
            keras.callbacks.EarlyStopping(patience=7, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(patience=3),
            keras.callbacks.CSVLogger(f"{folder}/history.csv"),
        ]
        watched = (images[560:].astype(np.float32), one_hot[y[560:]])
        built.fit(
            data.prefetch(2), validation_data=watched, epochs=chosen.epochs, verbose=0, callbacks=callbacks
        )
    built.predict(images.astype(np.float32), verbose=0)
    first_s = marks["first"] - marks["begin"]
    return {
        "seconds": time.perf_counter() - started,
        "first_s": first_s,
        "speed": len(rows) / min(epochs[1:]),
    }


CONTENDERS: dict[str, Callable[[Path], dict[str, float]]] = {
    "convert_lite0": lambda cache: convert(LITE0, cache),
    "embed_lite0": embed_lite0,
    "keras_lite0": lambda cache: predict(LITE0, 256, 3),
    "head": head,
    "keras_predict_densenet": lambda cache: predict(DENSENET, 64, 2),
    "scratch": lambda cache: step("scratch"),
    "fine_tune": lambda cache: step("fine_tune"),
    **{f"our_{model}": lambda cache, model=model: our_fit(model) for model in FITS},
    **{f"keras_{model}": lambda cache, model=model: keras_fit(model) for model in FITS},
}


def alone(name: str, cache: Path) -> dict[str, float]:
    """What a contender says, in a process of its own."""
    command = [sys.executable, __file__, name, str(cache)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure and print the tables."""
    before = matrix_product()
    with tempfile.TemporaryDirectory() as name:
        of = {contender: alone(contender, Path(name)) for contender in CONTENDERS}
    bound = max(before, matrix_product())
    print(f"Matrix product, float32, all cores: {bound:,.0f} GFLOP/s\n")
    print("| network | images/s | MB | beside | images/s | MB | ratio | share of the bound |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for title, ours, contender, converted in (
        ("embed EfficientNet-Lite0 at 224", "embed_lite0", "keras_lite0", "convert_lite0"),
        ("embed DenseNet201 at 224", "head", "keras_predict_densenet", None),
    ):
        a, b = of[ours], of[contender]
        share = f"{a['speed'] * of[converted]['gflop'] / bound:.2f}" if converted else ""
        print(
            f"| {title} | {a['speed']:,.1f} | {a['peak']:,.0f} | Keras predict | {b['speed']:,.1f} | {b['peak']:,.0f} "
            f"| {a['speed'] / b['speed']:.2f} | {share} |"
        )
    print("\n| train at 64 | by | whole, s | first step, s | then images/s | MB |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for model in FITS:
        for by, which in (("the study", f"our_{model}"), ("Keras fit", f"keras_{model}")):
            c = of[which]
            print(
                f"| {model}, {FITS[model]['epochs']} epochs | {by} | {c['seconds']:.0f} | {c['first_s']:.1f} "
                f"| {c['speed']:,.0f} | {c['peak']:,.0f} |"
            )
    frozen, passes = of["head"], 50 * 500 / of["keras_predict_densenet"]["speed"]
    cost = of["convert_lite0"]
    print(
        f"\nEfficientNet-Lite0 is built and converted once, in {cost['seconds']:.0f} s and {cost['peak']:,.0f} MB."
    )
    print(
        f"\n50 epochs of a frozen DenseNet201's head on 500 images: one embedding pass ({500 / frozen['speed']:.0f} s) and "
        f"{frozen['head_s']:.1f} s; 50 passes of Keras' predict would take {passes:,.0f} s."
    )
    for title, training in (("from scratch", of["scratch"]), ("fine-tuned whole", of["fine_tune"])):
        print(
            f"\nDenseNet201 {title} at 64, augmented: first step {training['first_s']:.0f} s, then "
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
