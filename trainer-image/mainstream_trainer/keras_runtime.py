"""TensorFlow and Keras, loaded late, quiet, and with as many threads as this process may use.

TensorFlow takes its thread count from the host and not from the container's limits, and writes about its instruction sets to
the terminal; both are settled before it is first imported. What a user's ``keras.json`` says is overruled: a base DNN's bytes
must not depend on it.
"""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Quota and period of this control group (Linux, "Control Group v2", CPU interface files)."""


def processors() -> int:
    """How many threads can compute at once: the processors that this process may use, at most the container's CPU limit."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = _CPU_LIMIT.read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, math.ceil(int(quota) / int(period))))


@cache
def keras() -> Any:
    """The Keras module on TensorFlow's backend."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    with silenced():
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(processors())
    tf.get_logger().setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    with silenced():
        import keras as module

    module.config.set_floatx("float32")
    module.config.set_image_data_format("channels_last")
    return module


@cache
def tensorflow() -> Any:
    """The TensorFlow module, set up as ``keras`` does."""
    keras()
    import tensorflow as tf

    return tf


@contextmanager
def silenced() -> Iterator[None]:
    """Nothing of what TensorFlow writes by itself, from Python or from C++, reaches the terminal."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
