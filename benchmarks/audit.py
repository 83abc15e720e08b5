"""What cataloguing and the search for near duplicates cost, each beside its alternative, and how the cost grows.

python benchmarks/audit.py [FOLDER]        (about two minutes; only ratios of one run mean anything)

Without a folder of images, drawn ones are saved as JPEG of 224 x 224.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leukstudy.audit.hash_index import MAX_DISTANCE, TURNED_DISTANCE, pairs, turn
from leukstudy.data.identify import identify_all
from leukstudy.imaging.io import is_image_file
from leukstudy.imaging.workers import cores
from leukstudy.phantom import write_phantom

COUNTS = (1_000, 10_000, 100_000)
# All pairs of 100,000 hashes, eight ways turned, take minutes: from here on a part is measured, and the whole reckoned.
MEASURED = 2_000


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak() -> float:
    """Peak memory of this process and of its largest worker so far, in MB."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in whose) / 1024


def main() -> None:
    """Measure and print both tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else drawn(Path(name))
        catalogue(
            sorted(path for path in folder.rglob("*") if is_image_file(path) and "_truth" not in path.parts)
        )
    search()


def drawn(folder: Path, images: int = 400) -> Path:
    """Phantom cells as JPEG of 224 x 224 pixels."""
    write_phantom(folder / "png", seed=1, patients={"healthy": images // 20, "ALL": images // 20})
    jpeg = folder / "jpeg"
    jpeg.mkdir()
    for number, path in enumerate(sorted((folder / "png").glob("[!_]*/*.png"))):
        picture = cv2.resize(cv2.imread(str(path)), (224, 224), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(jpeg / f"{number:05d}.jpg"), picture)
    return jpeg


def catalogue(paths: list[Path]) -> None:
    """Images a second and peak memory of `identify_all`, by the number of images (a folder read again and again)."""
    workers = cores()
    print(
        f"| images | images/s, {workers} workers | images/s, 1 | ratio | peak memory, MB |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for count in (1_000, 4_000, 16_000):
        files = (paths * (count // len(paths) + 1))[:count]
        many = timed(lambda files=files: identify_all(files))
        memory = peak()
        one = timed(lambda files=files: identify_all(files[:4_000], workers=1)) * max(1, count / 4_000)
        print(
            f"| {count:,} | {count / many:,.0f} | {count / one:,.0f} | {one / many:.2f} | {memory:,.0f} |",
            flush=True,
        )


def search() -> None:
    """Seconds of `pairs` by the number of hashes, beside all pairs in numpy; 2% are copies a few bits apart."""
    print(
        "\n| hashes | index, s | all pairs in numpy, s | ratio | pairs found |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for count in COUNTS:
        rng = np.random.default_rng(count)
        hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
        copies = count // 50
        hashes[-copies:] = hashes[:copies] ^ (np.uint64(1) << rng.integers(0, 64, copies, dtype=np.uint64))
        found = pairs(hashes)
        ours = timed(lambda hashes=hashes: pairs(hashes))
        part = min(count, MEASURED)
        theirs = timed(lambda hashes=hashes, part=part: all_pairs(hashes, part)) * count / part
        print(
            f"| {count:,} | {ours:,.2f} | {theirs:,.2f} | {theirs / ours:.1f} | {len(found.i):,} |",
            flush=True,
        )


def all_pairs(hashes: np.ndarray, part: int) -> int:
    """Compare the first `part` hashes with all, in eight ways turned; gives the number of near pairs."""
    near = 0
    for transform in range(8):
        turned, reach = turn(hashes, transform), TURNED_DISTANCE if transform else MAX_DISTANCE
        for start in range(0, part, 256):
            block = turned[start : min(start + 256, part), None]
            near += int((np.bitwise_count(block ^ hashes) <= reach).sum())
    return near


if __name__ == "__main__":
    main()
