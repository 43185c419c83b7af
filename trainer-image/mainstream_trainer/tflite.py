"""Keras models to normalised ``.tflite`` files: the same weights give the same bytes (formats, Base DNN).

The converter's files carry the process's history in tensor names and the TensorFlow version in metadata; both would change the
digest, and sharing by content would silently vanish. So names become canonical, metadata goes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.errors import OperationError
from mainstream_trainer.keras_runtime import processors, silenced, tensorflow

DESCRIPTION = b"mainstream"


def export_tflite(model: Any) -> bytes:
    """A single-input, single-output Keras model as a normalised flatbuffer: batch 1, f32.

    The graph is traced with a batch of one and its weights become constants of it. (Exported as a SavedModel the batch stays
    open, and each export takes five to ten times as long.) ``OperationError`` if what comes out does not compute what Keras
    computes: the converter has been seen to report success and leave the weights out.
    """
    tf = tensorflow()
    shape = (1, *model.input_shape[1:])
    graph = tf.function(lambda values: model(values, training=False))
    with silenced():
        traced = graph.get_concrete_function(tf.TensorSpec(shape, tf.float32))
        data = normalise(tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert())
    sample = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    expected, got = np.asarray(model(sample, training=False)), run_tflite(data, sample)
    if not np.allclose(expected, got, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(expected).max()))):
        raise OperationError(f"the exported graph of {model.name} does not compute what Keras computes")
    return data


def run_tflite(data: bytes, sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """One call of a single-input, single-output graph."""
    return Chain([data])(sample)[-1]


class Chain:
    """Single-input, single-output graphs run one after the other, on all processors that this process may use."""

    def __init__(self, graphs: Sequence[bytes]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with silenced():
            self._interpreters = [Interpreter(model_content=graph, num_threads=processors()) for graph in graphs]
            for interpreter in self._interpreters:
                interpreter.allocate_tensors()
        self._inputs = [interpreter.get_input_details()[0]["index"] for interpreter in self._interpreters]
        self._outputs = [interpreter.get_output_details()[0]["index"] for interpreter in self._interpreters]

    def __call__(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """``values`` (the input, batch 1) and the output of each graph after it, int8 where the graph is quantised there."""
        outputs = [values]
        for interpreter, into, out in zip(self._interpreters, self._inputs, self._outputs, strict=True):
            interpreter.set_tensor(into, outputs[-1])
            interpreter.invoke()
            outputs.append(np.asarray(interpreter.get_tensor(out)))
        return outputs


def normalise(data: bytes) -> bytes:
    """The same graph with canonical names, without metadata and signatures, with buffers in the order of their use."""
    from ai_edge_litert import schema_py_generated as schema

    model = parsed(data)
    graph = model.subgraphs[0]
    model.description = DESCRIPTION
    model.metadata, model.metadataBuffer, model.signatureDefs = [], None, []
    graph.name = b"main"
    buffers = [schema.BufferT()]  # by convention buffer 0 is empty
    kept: dict[int, int] = {}
    for place, tensor in enumerate(graph.tensors):
        tensor.name = f"t{place}".encode()
        if tensor.quantization is not None:  # ranges that calibration saw: scale and zero point say all
            tensor.quantization.min = tensor.quantization.max = None
        held = model.buffers[tensor.buffer]
        if held.data is None or len(held.data) == 0:
            tensor.buffer = 0
            continue
        if tensor.buffer not in kept:
            kept[tensor.buffer] = len(buffers)
            buffers.append(held)
        tensor.buffer = kept[tensor.buffer]
    model.buffers = buffers
    return packed(model)


def parsed(data: bytes) -> Any:
    """A graph's bytes as the schema's objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))


def packed(model: Any) -> bytes:
    """The schema's objects as bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
