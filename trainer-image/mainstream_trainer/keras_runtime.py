"""TensorFlow and Keras, loaded late, quiet, and with as many threads as this process may use.

TensorFlow takes its thread count from the host and not from the container's limits, and writes about its instruction sets to
the terminal; both are settled before it is first imported.
"""

import logging
import os
from functools import cache
from typing import Any


@cache
def keras() -> Any:
    """The Keras module on TensorFlow's backend."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import tensorflow as tf

    threads = len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.get_logger().setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    import keras as module

    return module


@cache
def tensorflow() -> Any:
    """The TensorFlow module, set up as ``keras`` does."""
    keras()
    import tensorflow as tf

    return tf
