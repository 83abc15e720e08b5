"""The contenders of `gpu.py`: each trains or embeds, and says what that cost.

    python benchmarks/gpu_contenders.py NAME [--small]    (one contender, in the process whose memory is measured)

Our `fit` reads, resizes and augments its images as a study does; Keras' `fit` and PyTorch take plain images from memory.
All weights are random but EfficientNet-Lite0's. Speeds leave out the first epoch.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np
from models import drawn, seconds, settings, trained

EPOCHS = 4
"""The first traces and compiles, the last is slowed down by measuring how long steps wait; those between count."""


@dataclass(frozen=True)
class Sizes:
    """How much is trained and embedded."""

    side: int = 224
    batch: int = 32
    images: int = 1024
    deep: str = "densenet201"


SMALL = Sizes(side=32, batch=8, images=24, deep="resnet34")


@dataclass(frozen=True)
class Contender:
    """One row of the table: an engine at work on a network."""

    work: str
    network: str
    engine: str
    precision: str = "float32"
    compiled: bool = False
    """By XLA or, in PyTorch, by `torch.compile`."""

    @property
    def name(self) -> str:
        """All of it in one line, to choose it by."""
        return " ".join(
            [self.work, self.network, self.engine, self.precision, *(["compiled"] * self.compiled)]
        )

    @property
    def pretrained(self) -> str:
        """Its `weights`."""
        return "imagenet" if self.network == "efficientnet_lite0" else "none"

    @property
    def mode(self) -> str:
        """How it is trained: what is pretrained is fine-tuned whole."""
        return "scratch" if self.pretrained == "none" else "fine_tune"


def contenders(sizes: Sizes) -> dict[str, Contender]:
    """All rows by their names, in the order of the table."""
    rows = [
        Contender("train", network, engine, precision, compiled)
        for network in ("cnn", "efficientnet_lite0", sizes.deep)
        for engine in ("ours", "Keras")
        for precision in ("float32", "bfloat16")
        for compiled in (False, True)
    ]
    rows += [Contender("train", sizes.deep, "PyTorch", "bfloat16", compiled) for compiled in (False, True)]
    for network in ("efficientnet_lite0", sizes.deep):
        rows += [Contender("embed", network, "ours"), Contender("embed", network, "Keras")]
        rows += [Contender("embed", network, "Keras", compiled=True)]
    if sizes == SMALL:  # a CPU compiles all but the CNN for minutes
        rows = [row for row in rows if row.network == "cnn" or row.engine == "PyTorch" or not row.compiled]
    return {row.name: row for row in rows}


def train_ours(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """`fit` with the demo's augmentation."""
    from leukstudy.models import modes  # noqa: PLC0415
    from leukstudy.models.backend import has_gpu, tensorflow  # noqa: PLC0415

    ends, waits, make_batches = [], [], modes.image_batches

    def watched_batches(*arguments: Any, **named: Any) -> Iterator[Any]:
        """An epoch's batches; in the last one, what the device was left without work while a batch was made."""
        batches, last = iter(make_batches(*arguments, **named)), len(ends) == EPOCHS - 1
        while True:
            if last:
                tensorflow().test.experimental.sync_devices()  # steps run on while the next batch is waited for
            started = time.perf_counter()
            batch = next(batches, None)
            if last:
                waits.append(time.perf_counter() - started)
            if batch is None:
                return
            yield batch

    chosen = settings(
        model=row.network, weights=row.pretrained, mode=row.mode, unfreeze="all", head_epochs=1,
        image_size=sizes.side, batch_size=sizes.batch, epochs=EPOCHS,
        mixed_precision=row.precision == "bfloat16", xla=row.compiled,
    )  # fmt: skip
    with mock.patch.object(modes, "image_batches", watched_batches):
        fitted = trained(
            chosen, drawn(sizes.images, sizes.side), watch=lambda epoch: ends.append(time.perf_counter())
        )
    wait = sum(waits[1:-1]) / len(waits[1:-1])  # without the pipeline's start and its end
    step = (ends[-1] - ends[-2]) / (len(waits) - 1)
    return {
        "first_s": fitted.cost["first_step_s"],
        "speed": steady_speed(ends[:-1], sizes.images),
        "wait_ms": 1000 * wait,
        "wait_share": wait / step,
        "compiled": row.compiled and has_gpu(),
        "precision": computing_precision(fitted.model),
    }


def steady_speed(ends: list[float], images: int) -> float:
    """Images a second of the fastest epoch but the first, from the times at which epochs ended."""
    return images / min(np.diff(ends))


def computing_precision(model: Any) -> str:
    """What the network's convolutions compute in, whatever was set."""
    return next(layer.compute_dtype for layer in model.layers if "Conv" in type(layer).__name__)


def keras_network(row: Contender, sizes: Sizes, classes: int | None) -> Any:
    """The network that `fit` builds, in the row's precision; without `classes` up to its embedding."""
    from leukstudy.models import network  # noqa: PLC0415
    from leukstudy.models.backend import seed_everything  # noqa: PLC0415

    seed_everything(0)
    import keras  # noqa: PLC0415

    keras.config.set_dtype_policy("mixed_bfloat16" if row.precision == "bfloat16" else "float32")
    like = settings(model=row.network, weights=row.pretrained, image_size=sizes.side)
    backbone = network.backbone_of(like)
    if classes is None:
        return backbone
    fine_tuned = row.mode == "fine_tune"
    model = network.classifier(
        backbone, classes=classes, head_units=like.head_units, dropout=like.dropout, normalise=fine_tuned
    )
    if fine_tuned:
        network.unfreeze(model, "all")
    else:
        network.follow_statistics(model)
    return model


def train_keras(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """Keras' own `fit` of the same network, on arrays in memory, without augmentation."""
    model = keras_network(row, sizes, classes=2)
    import keras  # noqa: PLC0415

    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=row.compiled)
    images, y = drawn(sizes.images, sizes.side).astype(np.float32), np.arange(sizes.images) % 2
    steps, ends = [], []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: steps.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()),
    )
    started = time.perf_counter()
    model.fit(images, y, batch_size=sizes.batch, epochs=EPOCHS, verbose=0, callbacks=[watch])
    return {
        "first_s": steps[0] - started,
        "speed": steady_speed(ends, sizes.images),
        "precision": computing_precision(model),
    }


def train_torch(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """torchvision's network, channels last, computing in bfloat16 with weights in float32, on images in memory."""
    torch, torchvision = import_module("torch"), import_module("torchvision")  # no dependencies of the study
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = getattr(torchvision.models, row.network)(num_classes=2).to(
        device, memory_format=torch.channels_last
    )
    optimiser = torch.optim.Adam(network.parameters(), fused=device == "cuda")
    model = torch.compile(network) if row.compiled else network
    images = torch.from_numpy(drawn(sizes.images, sizes.side))
    pixels = images.permute(0, 3, 1, 2)  # (N, 3, S, S); in memory the channels stay last
    labels = torch.arange(sizes.images) % 2
    synchronise = torch.cuda.synchronize if device == "cuda" else lambda: None
    if device == "cuda":
        pixels, labels = pixels.pin_memory(), labels.pin_memory()

    def step(start: int) -> None:
        batch = slice(start, start + sizes.batch)
        inputs = pixels[batch].to(device, non_blocking=True).float() / 255
        with torch.autocast(device, torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(
                model(inputs), labels[batch].to(device, non_blocking=True)
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    started, first_s, ends = time.perf_counter(), 0.0, []
    for _ in range(EPOCHS):
        for start in range(0, sizes.images, sizes.batch):
            step(start)
            if not first_s:
                synchronise()
                first_s = time.perf_counter() - started
        synchronise()
        ends.append(time.perf_counter())
    return {
        "first_s": first_s,
        "speed": steady_speed(ends, sizes.images),
        "gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
    }


def embed_ours(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """The study's `embed`, whose every call builds its network; the speed is that of the images beyond a first batch."""
    from leukstudy.models.embed import embed  # noqa: PLC0415

    images = drawn(sizes.images, sizes.side)
    source = {"model": row.network, "weights": row.pretrained, "image_size": sizes.side, "batch": sizes.batch}
    first_s = seconds(lambda: embed(images[: sizes.batch], **source), 1)
    few_s = seconds(lambda: embed(images[: sizes.batch], **source), 2)
    beyond_s = seconds(lambda: embed(images, **source), 2) - few_s
    # at small sizes the building hides the images
    speed = (sizes.images - sizes.batch) / beyond_s if beyond_s > 0 else None
    return {"first_s": first_s, "speed": speed}


def embed_keras(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """Keras' `predict` of the same network, on an array in memory."""
    started = time.perf_counter()
    model = keras_network(row, sizes, classes=None)
    model.jit_compile = row.compiled
    images = drawn(sizes.images, sizes.side).astype(np.float32)
    model.predict(images[: sizes.batch], batch_size=sizes.batch, verbose=0)
    first_s = time.perf_counter() - started
    taken = seconds(lambda: model.predict(images, batch_size=sizes.batch, verbose=0), 3)
    return {"first_s": first_s, "speed": sizes.images / taken, "precision": computing_precision(model)}


MEASURES: dict[tuple[str, str], Callable[[Contender, Sizes], dict[str, Any]]] = {
    ("train", "ours"): train_ours,
    ("train", "Keras"): train_keras,
    ("train", "PyTorch"): train_torch,
    ("embed", "ours"): embed_ours,
    ("embed", "Keras"): embed_keras,
}


def measured(row: Contender, sizes: Sizes) -> dict[str, Any]:
    """What a contender costs, its memory in MB included; called in its own process."""
    if row.engine == "PyTorch" and not (find_spec("torch") and find_spec("torchvision")):
        return {"failure": "torch and torchvision are not installed"}
    result = MEASURES[row.work, row.engine](row, sizes)
    if row.engine != "PyTorch":
        result["gpu_mb"] = tensorflow_peak_mb()
    return result | {"host_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def tensorflow_peak_mb() -> float | None:
    """The most memory that TensorFlow's tensors took on the GPU, in MB; None without a GPU."""
    from leukstudy.models.backend import has_gpu, tensorflow  # noqa: PLC0415

    return tensorflow().config.experimental.get_memory_info("GPU:0")["peak"] / 2**20 if has_gpu() else None


def machine() -> dict[str, str]:
    """The GPU's name; empty where TensorFlow sees none."""
    from leukstudy.models.backend import tensorflow  # noqa: PLC0415

    config = tensorflow().config
    gpus = config.list_physical_devices("GPU")
    return {"gpu": config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else ""}


def main() -> None:
    """Print one contender's result, or the machine, as a line of JSON."""
    name, sizes = sys.argv[1], SMALL if "--small" in sys.argv else Sizes()
    result = machine() if name == "machine" else measured(contenders(sizes)[name], sizes)
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
