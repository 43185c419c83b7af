"""int8 graphs as f32 ones of the same layers: what an f32 branch on an int8 stem takes, without a training framework.

The profiler needs no right values, only the right work; but the values are right too, as far as eight bits hold them.
"""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mainstream_runner.graph import Bytes, Graph, Operator, Quantization, Tensor

_INT8, _INT32, _FLOAT = schema.TensorType.INT8, schema.TensorType.INT32, schema.TensorType.FLOAT32
_CONVERSIONS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)


def as_float(graph: Graph) -> Graph:
    """The same layers in f32; an int8 input stays, with a DEQUANTIZE behind it. An f32 graph stays as it is."""
    buffers = list(graph.buffers)
    tensors = []
    for tensor in graph.tensors:
        if tensor.buffer is not None and tensor.quantization is not None:
            buffers[tensor.buffer] = _values(tensor, graph.buffers[tensor.buffer], tensor.quantization)
        quantised = tensor.type == _INT8 or tensor.quantization is not None
        tensors.append(replace(tensor, type=_FLOAT, quantization=None) if quantised else tensor)
    same: dict[int, int] = {}
    operators = []
    for operator in graph.operators:
        inputs = tuple(same.get(place, place) for place in operator.inputs)
        if operator.code in _CONVERSIONS:
            same[operator.output] = inputs[0]
        else:
            operators.append(replace(operator, inputs=inputs))
    floats = Graph(
        tensors=tuple(tensors),
        operators=tuple(operators),
        buffers=tuple(buffers),
        input=graph.input,
        output=same.get(graph.output, graph.output),
    )
    given = graph.tensors[graph.input]
    return floats if given.type == _FLOAT else dequantised(floats, given)


def dequantised(graph: Graph, given: Tensor) -> Graph:
    """An f32 graph that takes an int8 tensor like ``given`` instead, by a DEQUANTIZE of its own."""
    first = Operator(
        code=schema.BuiltinOperator.DEQUANTIZE,
        version=2,
        options_type=schema.BuiltinOptions.DequantizeOptions,
        options=schema.DequantizeOptionsT(),
        inputs=(len(graph.tensors),),
        output=graph.input,
    )
    return replace(
        graph, tensors=(*graph.tensors, given), operators=(first, *graph.operators), input=len(graph.tensors)
    )


def requantised(graph: Graph) -> Graph:
    """A graph with int8 input that brings it to another range first, as the trainer's int8 branches do."""
    given = graph.tensors[graph.input]
    if given.quantization is None:
        return graph
    scale = tuple(value * 1.01 for value in given.quantization.scale)
    other = replace(given, quantization=replace(given.quantization, scale=scale))
    place = len(graph.tensors)
    first = Operator(
        code=schema.BuiltinOperator.QUANTIZE,
        version=1,
        options_type=schema.BuiltinOptions.QuantizeOptions,
        options=schema.QuantizeOptionsT(),
        inputs=(graph.input,),
        output=place,
    )
    rest = (
        replace(operator, inputs=tuple(place if one == graph.input else one for one in operator.inputs))
        for operator in graph.operators
    )
    return replace(graph, tensors=(*graph.tensors, other), operators=(first, *rest))


def _values(tensor: Tensor, data: Bytes, how: Quantization) -> Bytes:
    """A constant's bytes as f32."""
    kind = np.dtype("<i4") if tensor.type == _INT32 else np.dtype("i1")
    integers = np.frombuffer(data.tobytes(), kind).reshape(tensor.shape).astype(np.float32)
    along = [1] * len(tensor.shape)
    if len(how.scale) > 1:
        along[how.dimension] = len(how.scale)
    scale = np.array(how.scale, np.float32).reshape(along)
    zero = np.array(how.zero_point, np.float32).reshape(along)
    return np.frombuffer(((integers - zero) * scale).astype("<f4").tobytes(), np.uint8)
