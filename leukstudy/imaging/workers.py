"""Work on many images by several workers: in order, in flat memory, and never outliving its parent."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import cv2

Item, Result = TypeVar("Item"), TypeVar("Result")

WORTH_PROCESSES = 1024
"""From so many images on, the second that processes take to start is won back: threads in Python gain little."""


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items each, the last one shorter."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def each_chunk(
    work: Callable[[list[Item]], Result], chunks: Iterable[list[Item]], *, workers: int | None = None
) -> Iterator[Result]:
    """`work` of each chunk of images, in order, by `workers` (default: one a core).

    Processes where the chunks hold `WORTH_PROCESSES` items or more, else threads; `work` must be a module's
    function (or a partial of one). Few chunks wait at a time, so memory does not grow with their number.
    """
    workers = workers or os.cpu_count() or 1
    first, count = [], 0
    remaining = iter(chunks)
    while count < WORTH_PROCESSES and (chunk := next(remaining, None)) is not None:
        first.append(chunk)
        count += len(chunk)
    pool = processes(workers) if workers > 1 and count >= WORTH_PROCESSES else ThreadPoolExecutor(workers)
    with pool:
        yield from _in_order(pool, work, chain(first, remaining), ahead=4 * workers)


def processes(workers: int) -> ProcessPoolExecutor:
    """A pool of `workers` processes, in which OpenCV uses one thread.

    Spawned, not forked: a notebook's kernel and OpenCV hold threads, and a forked lock stays locked.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _in_order(pool: Executor, work: Callable, chunks: Iterator, *, ahead: int) -> Iterator:
    """Results in order, with at most `ahead` chunks handed out: the pool's own `map` would take all at once."""
    waiting = deque(pool.submit(work, chunk) for chunk in islice(chunks, ahead))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(work, chunk) for chunk in islice(chunks, 1))
        yield result


def _start_worker() -> None:
    cv2.setNumThreads(1)

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    # A killed parent never says so, and its workers would wait for work for ever.
    threading.Thread(target=end_with_parent, daemon=True).start()
