"""Worker processes for work on many images: they start clean, use one core each, and end with their parent."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

import cv2


def processes(workers: int) -> ProcessPoolExecutor:
    """A pool of `workers` processes, in which OpenCV uses one thread.

    Spawned, not forked: a notebook's kernel and OpenCV hold threads, and a forked lock stays locked. Starting
    them takes about a second, so a few hundred images are done sooner without.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    cv2.setNumThreads(1)

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    # A killed parent never says so, and its workers would wait for work for ever.
    threading.Thread(target=end_with_parent, daemon=True).start()
