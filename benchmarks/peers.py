"""What people run without Mainstream: a whole network for each application, by LiteRT's interpreter or by TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import BaseDnn
from mainstream.packages.layout import OciLayout
from mainstream_trainer.basednn import load_keras
from mainstream_trainer.finetune import branch_model
from mainstream_trainer.keras_runtime import keras, tensorflow
from mainstream_trainer.tflite import export_tflite

CLASSES = 2
Pixels = NDArray[np.float32]
Contender = Callable[[Pixels], Any]


class Peers:
    """Networks with heads as the trainer makes them, on a base DNN of a store."""

    def __init__(self, base: BaseDnn, layout: OciLayout, *, threads: int) -> None:
        """TensorFlow takes its number of threads once for the process."""
        tensorflow().config.threading.set_intra_op_parallelism_threads(threads)
        self._base = base
        self._network = load_keras(base, layout)
        self._threads = threads

    def head(self, branchpoint: str, seed: int) -> bytes:
        """A branch as the trainer makes it, with a classifier of its own."""
        branch = branch_model(self._network, self._base, branchpoint, CLASSES)
        weights = branch.get_weights()
        weights[-2] = np.random.default_rng(seed).normal(0, 0.05, weights[-2].shape).astype(np.float32)
        branch.set_weights(weights)
        return export_tflite(branch)

    def whole(self, seed: int) -> Any:
        """An application's own copy of the whole network with its head: what No-Sharing runs."""
        keras().utils.set_random_seed(seed)
        copy = keras().models.clone_model(self._network)
        copy.set_weights(self._network.get_weights())
        scores = keras().layers.Dense(CLASSES, activation="softmax")(copy.outputs[0])
        return keras().Model(copy.inputs[0], scores)

    def function(self, model: Any) -> Contender:
        """The model as TensorFlow runs it at its best without a converter."""
        tf = tensorflow()
        shape = (1, *self._base.config.input_shape)
        made = tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(
            tf.TensorSpec(shape, tf.float32)
        )
        return lambda pixels: made(tf.constant(pixels)).numpy()

    def interpreter(self, model: bytes) -> Contender:
        """A LiteRT interpreter of its own."""
        from ai_edge_litert.interpreter import Interpreter

        made = Interpreter(model_content=model, num_threads=self._threads)
        made.allocate_tensors()
        place, output = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]

        def run(pixels: Pixels) -> Any:
            made.set_tensor(place, pixels)
            made.invoke()
            return made.get_tensor(output)

        return run


def together(contenders: list[Contender]) -> Contender:
    """All of them, one after another, on the same frame."""
    return lambda pixels: [run(pixels) for run in contenders]
