"""TensorFlow, configured once: the only door through which the study imports it.

Importing TensorFlow costs 5-12 s and prints lines with times in them, so it happens inside the functions
that need it, and quietly. The settings below decide whether a study repeats to the byte.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any


@cache
def tensorflow() -> ModuleType:
    """TensorFlow, deterministic, quiet and without XLA; the same module at every call.

    - Every operation is deterministic (`enable_op_determinism`); a caller sets the seed itself with
      `keras.utils.set_random_seed`.
    - XLA stays off: compiling DenseNet201's training step with it takes over 14 minutes on a CPU.
    - Grappler's meta-optimiser is off: it takes 17 s of DenseNet201's first step on a CPU and over 30 s on a GPU. On a CPU
      its fusions do not make the later steps faster; on a GPU that was not compared.
    - On a GPU, memory is taken as it is needed, so that a notebook left open does not block the next stage; float32 is
      float32 there, and not TF32 (bfloat16, `mixed_precision`, is the fast way).
    - On a CPU, batch normalisation divides by a square root (`_batch_normalisation`).

    Raises ImportError with TensorFlow's own messages where it cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _quiet_stderr():
        import tensorflow as tf
        from keras.src.backend.tensorflow import nn

        gpus = tf.config.list_physical_devices("GPU")
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_jit(False)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if not gpus:
        nn.batch_normalization = _batch_normalisation
    return tf


def _batch_normalisation(  # noqa: PLR0917 - Keras' own signature, whose place it takes
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """Keras' batch normalisation with 1 / sqrt for TensorFlow's rsqrt.

    rsqrt begins with a processor instruction that is an approximation, and Intel's and AMD's differ; roots and quotients
    are exact to the last digit everywhere. All networks here keep channels last (axis -1 or 3).
    """
    tf = tensorflow()
    factor = 1.0 / tf.sqrt(variance + epsilon)
    factor = factor if scale is None else factor * scale
    return x * factor + (-mean * factor if offset is None else offset - mean * factor)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU here."""
    return bool(tensorflow().config.list_physical_devices("GPU"))


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and TensorFlow's random numbers from `seed`, and name layers from 1 again."""
    tensorflow()
    import keras

    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(policy)  # which clearing puts back to float32
    keras.utils.set_random_seed(seed)


def reseed(seed: int) -> None:
    """Start the random numbers from `seed` and keep the layers that there are."""
    tensorflow()
    import keras

    keras.utils.set_random_seed(seed)


def several_devices() -> Any:
    """A `tf.distribute.MirroredStrategy` over all GPUs where there are two or more, else None."""
    tf = tensorflow()
    return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 else None


def policy_of(mixed_precision: bool, say: Callable[[str], None]) -> str:
    """Keras' name for what a training computes in: bfloat16 with float32 weights on a GPU that is asked to, else float32."""
    if mixed_precision and not has_gpu():
        say("mixed_precision: there is no GPU here; the training is in float32")
    return "mixed_bfloat16" if mixed_precision and has_gpu() else "float32"


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build and train networks by this policy of Keras; the policy before comes back."""
    tensorflow()
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what C++ writes to file descriptor 2; show it after all when the block raises.

    TensorFlow's first lines come before its log level is read, and carry the time and the process number:
    they would make two executed notebooks of the same study differ.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
