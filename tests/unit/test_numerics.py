"""The pins of the numbers: set before the libraries are loaded, everywhere, and worth what they promise on one core."""

import json
import os
import subprocess
import sys

import pytest

from leukstudy.run import kernel, numerics
from leukstudy.study import paths

STATE = """
import json, leukstudy, os, sys
import numpy as np, scipy.linalg, threadpoolctl
from leukstudy.models.backend import tensorflow
tf = tensorflow()
blas = [pool for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps({
    "threads": tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ["TF_NUM_INTRAOP_THREADS"]),
    "blas": sorted({(pool["architecture"], pool["num_threads"]) for pool in blas if "scipy" in pool["filepath"]}),
    "avx512": np._core._multiarray_umath.__cpu_features__["X86_V4"],
}))
"""

TRAINED = """
import hashlib, sys
sys.path.insert(0, "tests/unit")
import numpy as np
import test_train as study
found = study.fit(study.settings(epochs=2, augment=study.ON), **study.smears(), say=study.quiet)
weights = b"".join(array.tobytes() for array in found.model.get_weights())
a = np.random.default_rng(0).normal(size=(300, 115))
print(hashlib.sha256(weights + np.linalg.eigh(a.T @ a)[0].tobytes() + np.exp(a).tobytes()).hexdigest())
"""


def output_of(code: str, *before: str, **environment: str) -> str:
    command = [*before, sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=paths.ROOT, env=os.environ | environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def test_whoever_imports_the_package_has_the_pins_and_a_users_own_values_go():
    code = "import leukstudy, json, os; print(json.dumps(dict(os.environ)))"
    found = json.loads(output_of(code, OMP_NUM_THREADS="7", TF_ENABLE_ONEDNN_OPTS="0"))
    assert {name: found[name] for name in numerics.PINS} == numerics.PINS
    free = json.loads(output_of(code, LEUKSTUDY_UNPINNED="1", OMP_NUM_THREADS="7"))
    assert free["OMP_NUM_THREADS"] == "7"


def test_the_libraries_take_the_pins():
    state = json.loads(output_of(STATE))
    assert state["threads"] == numerics.THREADS
    assert state["blas"] == [["Haswell", 1]]
    assert not state["avx512"], "NumPy has not heard of its pin: are the names those of this version?"


def test_a_stages_kernel_has_the_pins():
    manager = kernel.start()
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        check = f"import os; assert {numerics.PINS!r}.items() <= dict(os.environ).items()"
        reply = client.execute_interactive(check, timeout=60)
    finally:
        client.stop_channels()
        kernel.stop(manager)
    assert reply["content"]["status"] == "ok"


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="needs a system that binds processes to cores"
)
def test_one_core_trains_the_same_network_as_all():
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert output_of(bound + TRAINED) == output_of(TRAINED)
