"""``.tflite`` graphs as values, read with every bound checked.

What an engine loads is never a file as it came: it is written anew (``graph_file``) from what was read, so that unknown parts
(custom operators, metadata, signatures, further subgraphs, data outside the flatbuffer) do not reach it. A graph that breaks a
rule is a ``PackageError`` that names the blob. Rules beside those of ``operators``:

* one subgraph, one input, one output; operators in order, each tensor written once;
* all shapes are fixed, with a batch of one (Keras exports an open batch; it is one here);
* a constant's bytes are as long as its shape says; constants do not overlap (else a small file would unfold to a huge graph).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mainstream.documents import sha256
from mainstream.errors import PackageError
from mainstream_runner.operators import ALLOWED, ITEM_BYTES, MAX_EXTENT, Operand, Shape, operator_name, output_of

IDENTIFIER = b"TFL3"
MAX_GRAPH_BYTES = 1 << 30
MAX_ITEMS = 10_000
"""Tensors, operators or buffers of one segment; InceptionV3 as a whole has about 500."""
MAX_RANK = 6
MAX_TENSOR_BYTES = 1 << 28

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Of an int8 tensor: value = scale x (integer - zero point), per tensor or along ``dimension``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    dimension: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """``buffer`` is the place of its bytes in the graph's buffers, None if it is computed."""

    shape: Shape
    type: int
    buffer: int | None = None
    quantization: Quantization | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """``inputs`` are places of tensors, -1 for an optional input that is absent; ``options`` is the schema's object."""

    code: int
    version: int
    options_type: int
    options: Any
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A graph that was found to keep the rules; ``buffers`` are its constants' bytes."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    buffers: tuple[Bytes, ...]
    input: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The beginning of a graph that runs as a whole: its first tensors and operators, and which tensors it gives."""

    tensors: int
    operators: int
    outputs: tuple[int, ...]


_UNREADABLE = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What the flatbuffer reader raises on bytes that are no flatbuffer."""


def read(data: bytes) -> Graph:
    """The graph in ``data``; ``PackageError`` names the blob by its digest and says which rule it breaks."""
    try:
        return _Reader(data).graph()
    except _UNREADABLE as error:
        raise PackageError(
            f"not a .tflite graph that can be run: {error}",
            where=f"blob {sha256(data)}",
            remedy="Make the package again (mainstream train, mainstream base import), or get it from its maker.",
        ) from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_GRAPH_BYTES:
            raise ValueError(f"{len(data)} bytes are more than {MAX_GRAPH_BYTES}")
        if data[4:8] != IDENTIFIER:
            raise ValueError("it does not begin as one")
        self._data = data
        self._model = schema.Model.GetRootAs(data, 0)
        if self._model.SubgraphsLength() != 1:
            raise ValueError(f"{self._model.SubgraphsLength()} subgraphs instead of one")
        self._graph = self._model.Subgraphs(0)
        self._buffers: list[Bytes] = []
        self._places: dict[int, int] = {}

    def graph(self) -> Graph:
        model, graph = self._model, self._graph
        for kind, count in (
            ("buffers", model.BuffersLength()),
            ("operator codes", model.OperatorCodesLength()),
            ("tensors", graph.TensorsLength()),
            ("operators", graph.OperatorsLength()),
        ):
            if not 1 <= count <= MAX_ITEMS:
                raise ValueError(f"{count} {kind}; 1 to {MAX_ITEMS} are allowed")
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise ValueError(f"{graph.InputsLength()} inputs and {graph.OutputsLength()} outputs instead of one each")
        tensors = tuple(self._tensor(graph.Tensors(place)) for place in range(graph.TensorsLength()))
        if sum(len(data) for data in self._buffers) > len(self._data):
            raise ValueError("constants overlap")
        codes = [self._code(model.OperatorCodes(place)) for place in range(model.OperatorCodesLength())]
        operators = tuple(self._operator(graph.Operators(n), codes) for n in range(graph.OperatorsLength()))
        read = Graph(
            tensors=tensors,
            operators=operators,
            buffers=tuple(self._buffers),
            input=int(graph.Inputs(0)),
            output=int(graph.Outputs(0)),
        )
        _check(read)
        return read

    def _tensor(self, tensor: Any) -> Tensor:
        if tensor.IsVariable() or tensor.Sparsity() is not None or tensor.VariantTensorsLength():
            raise ValueError("a tensor is variable, sparse or a variant")
        if tensor.ShapeLength() > MAX_RANK:
            raise ValueError(f"a tensor has {tensor.ShapeLength()} dimensions")
        shape = tuple(int(tensor.Shape(place)) for place in range(tensor.ShapeLength()))
        item = ITEM_BYTES.get(tensor.Type())
        if item is None:
            raise ValueError(f"tensor type {tensor.Type()} is not allowed")
        if not all(1 <= extent <= MAX_EXTENT for extent in shape) or prod(shape) * item > MAX_TENSOR_BYTES:
            raise ValueError(f"a tensor has the shape {shape}")
        return Tensor(
            shape=shape,
            type=int(tensor.Type()),
            buffer=self._buffer(int(tensor.Buffer()), prod(shape) * item),
            quantization=_quantization(tensor.Quantization(), shape),
        )

    def _buffer(self, number: int, size: int) -> int | None:
        if not 0 <= number < self._model.BuffersLength():
            raise ValueError(f"a tensor names buffer {number} of {self._model.BuffersLength()}")
        buffer = self._model.Buffers(number)
        if buffer.Offset() or buffer.Size():
            raise ValueError("a constant lies outside the flatbuffer")
        if buffer.DataIsNone() or buffer.DataLength() == 0:
            return None
        if buffer.DataLength() != size:
            raise ValueError(f"a constant of {size} bytes has {buffer.DataLength()}")
        if number not in self._places:
            self._places[number] = len(self._buffers)
            self._buffers.append(buffer.DataAsNumpy())
        return self._places[number]

    def _code(self, code: Any) -> tuple[int, int]:
        if code.CustomCode() is not None:
            raise ValueError("custom operators are not allowed")
        return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode())), int(code.Version())

    def _operator(self, operator: Any, codes: Sequence[tuple[int, int]]) -> Operator:
        code, version = codes[operator.OpcodeIndex()]
        if operator.InputsLength() > MAX_ITEMS or operator.OutputsLength() != 1:
            raise ValueError(f"{operator_name(code)} has {operator.OutputsLength()} outputs")
        if operator.BuiltinOptions2Type() or operator.CustomOptionsLength() or operator.LargeCustomOptionsSize():
            raise ValueError(f"{operator_name(code)} has options that are not allowed")
        options_type = int(operator.BuiltinOptionsType())
        allowed = ALLOWED.get(code)
        if allowed is None:
            raise ValueError(f"operator {operator_name(code)} is not allowed")
        if options_type not in (schema.BuiltinOptions.NONE, allowed.options):
            raise ValueError(f"{operator_name(code)} has options of another kind")
        return Operator(
            code=code,
            version=version,
            options_type=options_type,
            options=schema.BuiltinOptionsCreator(options_type, operator.BuiltinOptions()),
            inputs=tuple(int(operator.Inputs(place)) for place in range(operator.InputsLength())),
            output=int(operator.Outputs(0)),
        )


def _quantization(parameters: Any, shape: Shape) -> Quantization | None:
    if parameters is None or parameters.ScaleLength() == 0:
        return None
    if parameters.DetailsType():
        raise ValueError("a quantisation that is not allowed")
    count, dimension = parameters.ScaleLength(), int(parameters.QuantizedDimension())
    along = shape[dimension] if 0 <= dimension < len(shape) else 1
    if count not in (1, along) or parameters.ZeroPointLength() != count:
        raise ValueError("a quantisation does not fit its tensor")
    scale = tuple(float(parameters.Scale(place)) for place in range(count))
    zero_point = tuple(int(parameters.ZeroPoint(place)) for place in range(count))
    if not all(0 < value < float("inf") for value in scale) or not all(-128 <= value <= 127 for value in zero_point):
        raise ValueError("a quantisation is out of range")
    return Quantization(scale=scale, zero_point=zero_point, dimension=dimension)


def _check(graph: Graph) -> None:
    """Places are in range, operators follow one another, shapes are what the operators give."""
    count = len(graph.tensors)
    if not 0 <= graph.input < count or graph.tensors[graph.input].buffer is not None:
        raise ValueError("the input is no tensor to be given")
    if graph.tensors[graph.input].shape[:1] != (1,):
        raise ValueError(f"the input has the shape {graph.tensors[graph.input].shape}; a batch of one is needed")
    known = {place for place, tensor in enumerate(graph.tensors) if tensor.buffer is not None} | {graph.input}
    for operator in graph.operators:
        name = operator_name(operator.code)
        if not all(place == -1 or place in known for place in operator.inputs):
            raise ValueError(f"an input of {name} is not known when it runs")
        if not 0 <= operator.output < count or operator.output in known:
            raise ValueError(f"the output of {name} is no tensor to be computed")
        operands = [None if place == -1 else _operand(graph, place) for place in operator.inputs]
        found = graph.tensors[operator.output]
        shape, kind = output_of(operator.code, operator.options_type, operator.options, operands)
        if (found.shape, found.type) != (shape, kind):
            raise ValueError(f"{name} gives {shape}, but its output is declared as {found.shape}")
        known.add(operator.output)
    computed = {operator.output for operator in graph.operators}
    if graph.output not in computed:
        raise ValueError("the output is not computed")


def _operand(graph: Graph, place: int) -> Operand:
    tensor = graph.tensors[place]
    data = None if tensor.buffer is None else graph.buffers[tensor.buffer]
    return Operand(shape=tensor.shape, type=tensor.type, data=data)
