"""The same numbers on every x86-64 processor with AVX2, whatever else it can do and however many cores it has.

Libraries choose their code by the processor that they find, and sums in another order differ in the last digit; training
makes more of it. So the choice is pinned, for this process and all that it starts, before any of them is loaded
(`leukstudy/__init__.py`). What each pin costs is printed by `benchmarks/numerics.py`; docs/decisions.md says how they were
found and what cannot be pinned.
"""

import os
import platform

THREADS = 4
"""Threads of TensorFlow's operations, on any number of cores: sums are divided among them."""
PINS = {
    # TensorFlow's matrix products and convolutions (oneDNN), which it uses by itself only on processors with AVX-512
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": "2",
    # NumPy's exp, log and power; the names are those of NumPy 2.4 and, of 2.3 and before, the older ones
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # NumPy's and SciPy's linear algebra
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    # scikit-learn's sums over threads
    "OMP_NUM_THREADS": "1",
    # OpenCV's closed kernels
    "OPENCV_IPP": "avx2",
}
"""Environment variable -> value."""


def pin() -> None:
    """Set the pins in this process' environment; on other machines than x86-64 none of them means anything.

    `LEUKSTUDY_UNPINNED=1` leaves them out: for measuring what they cost.
    """
    if platform.machine().lower() in ("x86_64", "amd64") and not os.environ.get("LEUKSTUDY_UNPINNED"):
        os.environ.update(PINS)
