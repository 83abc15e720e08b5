"""Work shared by processes, its results in the order of the jobs, and never more in hand than is being worked on."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import cv2

_AHEAD = 4  # jobs a worker that are handed out before their results are awaited


def in_order(job: Callable, jobs: Iterable, workers: int) -> Iterator:
    """Give job(j) for every j of jobs, in their order, worked out by `workers` processes (1: by this one)."""
    if workers <= 1:
        yield from map(job, jobs)
        return
    # Spawned, not forked: OpenCV and whatever else the caller has loaded hold threads, and a forked lock stays locked.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        waiting = deque()
        for one in jobs:
            waiting.append(pool.submit(job, one))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Begin a worker: one thread, deaf to Ctrl-C, which its parent hears, and ended when its parent is killed."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
