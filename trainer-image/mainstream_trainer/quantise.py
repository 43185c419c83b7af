"""Networks and branches in eight bits: post-training quantisation of all weights and activations (docs/design/int8.md).

Weights have a scale for each channel, activations one scale and zero point, from the least and the greatest value that each
takes on the calibration samples. Inputs and outputs of a network's chain are f32 pixels and int8 features; a branch takes the
features as its stem gives them, int8, and gives f32 probabilities.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.errors import OperationError
from mainstream_trainer.cutting import cut, operator_code
from mainstream_trainer.keras_runtime import keras, silenced, tensorflow
from mainstream_trainer.tflite import Chain, normalise, packed, parsed

LEAST_LIKENESS = 0.5
"""Cosine of the angle between a network's features in int8 and in f32: far below what bad calibration costs, far above what a
converter gives that left the weights out."""

Samples = Iterable[NDArray[np.float32]]
"""Inputs of a batch of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """How the features at a cut are quantised: value = ``scale`` x (integer - ``zero_point``)."""

    scale: float
    zero_point: int

    def values(self, integers: NDArray[np.int8]) -> NDArray[np.float32]:
        """What the integers stand for, as DEQUANTIZE computes it."""
        values = integers.astype(np.float32)
        values -= np.float32(self.zero_point)
        values *= np.float32(self.scale)
        return values


def border_of(segment: bytes) -> Border:
    """Of the features that a quantised segment gives."""
    graph = parsed(segment).subgraphs[0]
    quantization = graph.tensors[graph.outputs[0]].quantization
    return Border(scale=float(quantization.scale[0]), zero_point=int(quantization.zeroPoint[0]))


def quantised_segments(model: Any, places: Iterable[int], samples: Callable[[], Samples]) -> list[bytes]:
    """A Keras network, quantised as a whole, cut after the layers at those places; ``OperationError`` if it went wrong."""
    outputs = [model.layers[place].output for place in places]
    segments = cut(_converted(keras().Model(model.inputs, outputs), samples))
    if len(segments) != len(outputs):
        raise OperationError(f"the quantised network has {len(segments)} branchpoints instead of {len(outputs)}")
    _check(model, segments, samples)
    return segments


def quantised_branch(model: Any, border: Border | None, samples: Callable[[], Samples]) -> bytes:
    """A Keras branch as a normalised int8 graph that takes the border's integers (None: f32 pixels)."""
    data = normalise(_converted(model, samples))
    return data if border is None else normalise(packed(_taking(parsed(data), border)))


def float_branch(data: bytes, border: Border) -> bytes:
    """An exported f32 branch with a DEQUANTIZE before it, so that it takes the border's integers."""
    from ai_edge_litert import schema_py_generated as schema

    model = parsed(data)
    graph = model.subgraphs[0]
    code = schema.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=2))
    graph.tensors.append(
        schema.TensorT(
            shape=graph.tensors[graph.inputs[0]].shape,
            type=schema.TensorType.INT8,
            quantization=_parameters(border),
            hasRank=True,
        )
    )
    first = schema.OperatorT(
        opcodeIndex=len(model.operatorCodes) - 1,
        inputs=[len(graph.tensors) - 1],
        outputs=list(graph.inputs),
        builtinOptionsType=schema.BuiltinOptions.DequantizeOptions,
        builtinOptions=schema.DequantizeOptionsT(),
    )
    graph.operators.insert(0, first)
    graph.inputs = [len(graph.tensors) - 1]
    return normalise(packed(model))


def _taking(model: Any, border: Border) -> Any:
    """The QUANTIZE at the front takes the border's integers and brings them to the range of the branch's own samples."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    first = next(operator for operator in graph.operators if graph.inputs[0] in operator.inputs)
    if operator_code(model, first) != schema.BuiltinOperator.QUANTIZE:
        raise OperationError("the quantised branch does not begin by quantising")
    given = graph.tensors[graph.inputs[0]]
    given.type = schema.TensorType.INT8
    given.quantization = _parameters(border)
    return model


def _parameters(border: Border) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.QuantizationParametersT(scale=[border.scale], zeroPoint=[border.zero_point])


def _converted(model: Any, samples: Callable[[], Samples]) -> bytes:
    tf = tensorflow()
    graph = tf.function(lambda values: model(values, training=False))
    # The converter asks for "statistics for quantized inputs", which belong to a way of quantising that it no longer has.
    with silenced(), warnings.catch_warnings(action="ignore", category=UserWarning):
        traced = graph.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return bytes(converter.convert())


def _check(model: Any, segments: list[bytes], samples: Callable[[], Samples]) -> None:
    """That the chain computes about what Keras computes: the converter has been seen to leave the weights out."""
    chain, border = Chain(segments), border_of(segments[-1])
    first = next(iter(samples()))
    expected = np.asarray(model(first, training=False)).ravel()
    got = border.values(chain(first)[-1]).ravel()
    likeness = float(expected @ got / max(1e-9, float(np.linalg.norm(expected) * np.linalg.norm(got))))
    if not likeness >= LEAST_LIKENESS:
        raise OperationError(
            f"the quantised {model.name} does not compute what Keras computes (likeness {likeness:.2f} of 1)"
        )
