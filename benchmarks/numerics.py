"""What the pins of `leukstudy/run/numerics.py` cost: the same work with and without them, in one run.

    python benchmarks/numerics.py        (about five minutes; run nothing else meanwhile)

Each line is a process of its own, and each is run twice: the better speed counts. On a processor without AVX-512 both columns
run the same instructions, and only the threads differ.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np

AUGMENT = {"flip": True, "rotate": True, "zoom": 0.1, "brightness": 0.1, "stain": 0.1, "blur": 0.5}
AUGMENT |= {"mixup": 0.0, "views": 0}


def training(count: int, **changes) -> float:
    """Images/s of a training's steps after the first."""
    from models import drawn, settings, trained  # noqa: PLC0415 - the pins are set before NumPy is used

    return trained(settings(epochs=1, augment=AUGMENT, **changes), drawn(count, 96)).cost["images_per_s"]


def embedding(model: str, weights: str, count: int) -> float:
    """Images/s of embedding at 224 x 224, the conversion left out."""
    from models import drawn  # noqa: PLC0415

    from leukstudy.models import embed as embedding  # noqa: PLC0415

    images, taken = drawn(count, 224), []
    for _ in range(2):
        started = time.perf_counter()
        embedding.embed(images, model=model, weights=weights, image_size=224)
        taken.append(time.perf_counter() - started)
    return count / min(taken)


def products() -> float:
    """Products of 600 x 600 matrices and their exponentials a second, by NumPy."""
    a, count, started = np.random.default_rng(0).random((600, 600)), 40, time.perf_counter()
    for _ in range(count):
        np.exp(-(a @ a))
    return count / (time.perf_counter() - started)


WORK = {
    "train cnn at 64, images/s": lambda: training(960, model="cnn", image_size=64, mode="scratch"),
    "fine-tune EfficientNet-Lite0 at 96, images/s": lambda: training(
        480, model="efficientnet_lite0", weights="imagenet", image_size=96, mode="fine_tune", head_epochs=1
    ),
    "train DenseNet201 at 64, images/s": lambda: training(
        160, model="densenet201", image_size=64, mode="scratch"
    ),
    "embed DenseNet201 at 224, images/s": lambda: embedding("densenet201", "none", 64),
    "NumPy: products and exponentials, 1/s": products,
}


def alone(name: str, *, pinned: bool) -> float:
    """What one line says, in a process of its own."""
    environment = os.environ | ({} if pinned else {"LEUKSTUDY_UNPINNED": "1"})
    command = [sys.executable, __file__, name]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure and print the table."""
    print("| work | pinned | as it comes | ratio |\n| --- | ---: | ---: | ---: |")
    for name in WORK:
        speeds = {True: 0.0, False: 0.0}
        for pinned in (True, False, True, False):
            speeds[pinned] = max(speeds[pinned], alone(name, pinned=pinned))
        ratio = speeds[True] / speeds[False]
        print(f"| {name} | {speeds[True]:,.1f} | {speeds[False]:,.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps(WORK[sys.argv[1]]()))
