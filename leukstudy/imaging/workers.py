"""Work shared by several workers: results in order, memory flat, and no worker that outlives its parent."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")

WORTH_PROCESSES = 1024
"""From so many images on, the second that processes take to start is won back: threads in Python gain little."""

_AHEAD = 4  # items a worker that are handed out before their results are awaited


def cores() -> int:
    """How many cores this process may use: those that it is bound to (a batch system, a container), not all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    threads: bool = False,
) -> Iterator[Result]:
    """`work` of each item, in order, by `workers` processes (default: one a core; 1: by this one), or by threads.

    For processes `work` must be a module's function, or a partial of one; threads gain where `work` releases the
    interpreter's lock (files, OpenCV, ONNX Runtime). A few items a worker are in hand at a time, so memory does not grow
    with their number.
    """
    workers = workers or cores()
    if workers == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(workers) if threads else processes(workers)
    try:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items each, the last one shorter."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def each_chunk(
    work: Callable[[list[Item]], Result], chunks: Iterable[list[Item]], *, workers: int | None = None
) -> Iterator[Result]:
    """`in_order` over chunks of images: by processes where they hold `WORTH_PROCESSES` images or more, else by threads."""
    first, count = [], 0
    remaining = iter(chunks)
    while count < WORTH_PROCESSES and (chunk := next(remaining, None)) is not None:
        first.append(chunk)
        count += len(chunk)
    return in_order(work, chain(first, remaining), workers=workers, threads=count < WORTH_PROCESSES)


def processes(workers: int) -> ProcessPoolExecutor:
    """A pool of `workers` processes, in which OpenCV uses one thread.

    Spawned, not forked: a notebook's kernel and OpenCV hold threads, and a forked lock stays locked.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """One thread, deaf to Ctrl-C, which the parent hears, and ended when the parent is killed."""
    import cv2  # noqa: PLC0415 - in the worker only: whoever counts cores needs no OpenCV

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    # A killed parent never says so, and its workers would wait for work for ever.
    threading.Thread(target=end_with_parent, daemon=True).start()
