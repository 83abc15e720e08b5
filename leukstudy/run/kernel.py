"""The kernel in which a stage's notebook runs."""

import atexit
import os

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from leukstudy.study import paths


def start() -> AsyncKernelManager:
    """Start a kernel that works on this study wherever it was called from, and hashes strings alike in every run.

    It ends with this process at the latest.
    """
    os.environ.update(LEUKSTUDY_ROOT=str(paths.ROOT), PYTHONHASHSEED="0", PYDEVD_DISABLE_FILE_VALIDATION="1")
    # without the kernel's warnings about its own transport, and without a file of what was typed
    quiet = ["--log-level=ERROR", "--HistoryManager.hist_file=:memory:"]
    kernel = AsyncKernelManager(kernel_name="python3")
    run_sync(kernel.start_kernel)(extra_arguments=quiet, cwd=str(paths.ROOT))
    atexit.register(stop, kernel)
    return kernel


def stop(kernel: AsyncKernelManager) -> None:
    """End the kernel at once: all is written, and a polite farewell takes a kernel with TensorFlow seconds."""
    atexit.unregister(stop)
    if run_sync(kernel.is_alive)():
        run_sync(kernel.shutdown_kernel)(now=True)
    run_sync(kernel.cleanup_resources)()
