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

_CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where a container sees its own control group."""


def processors(control_group: Path = _CONTROL_GROUP) -> int:
    """How many threads can compute at once: the processors that this process may use, at most the container's CPU limit."""
    allowed = len(os.sched_getaffinity(0))
    limit = _cpu_limit(control_group)
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def _cpu_limit(control_group: Path) -> float | None:
    """In processors, None without one (Linux, "Control Group v2", CPU interface files; v1: "CFS Bandwidth Control")."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((control_group / name).read_text() for name in names).split()
            return int(quota) / int(period) if quota not in {"max", "-1"} else None
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return None


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
