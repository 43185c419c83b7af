"""Writes graphs as ``.tflite``: one subgraph and one signature for each level, over the same buffers.

Tensors and buffers stay in their order; names are canonical; there is no metadata.
"""

import struct
from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from mainstream_runner.graph import IDENTIFIER, Bytes, Graph, Level, Tensor

ALIGNMENT = 16
"""Of constants, as the schema demands (``force_align``); the Python generator forgets it."""
OUTSIDE_ALIGNMENT = 64
"""Of constants behind the flatbuffer: a cache line."""

_LAST_DEPRECATED_CODE = 127
"""The old field for an operator's code is a signed byte; newer operators put this there."""

_OFFSET_FIELD = 6
"""Of the schema's ``Buffer``, in its table of fields."""


def write(graph: Graph, levels: Sequence[Level]) -> bytes:
    """A file in one piece, as every reader of ``.tflite`` takes it. Signature n is ``levels[n]``."""
    return bytes(_write(graph, levels, [_BufferInside(data) for data in graph.buffers]))


def write_outside(graph: Graph, levels: Sequence[Level]) -> list[bytes | bytearray | memoryview]:
    """A file's parts in order, constants as they are behind the flatbuffer: no byte of theirs is copied here.

    For LiteRT; other readers know constants inside the flatbuffer only.
    """
    head = _write(graph, levels, [_BufferOutside(data) for data in graph.buffers])
    model = schema.Model.GetRootAs(head, 0)
    end = len(head) + -len(head) % OUTSIDE_ALIGNMENT
    parts: list[bytes | bytearray | memoryview] = [head, bytes(end - len(head))]
    for place, data in enumerate(graph.buffers, start=1):
        table = model.Buffers(place)._tab  # noqa: SLF001 - where a number stands is known only now, and it has its room
        struct.pack_into("<Q", head, table.Pos + table.Offset(_OFFSET_FIELD), end)
        padding = bytes(-len(data) % OUTSIDE_ALIGNMENT)
        parts += [data.data, padding]
        end += len(data) + len(padding)
    return parts


def _write(graph: Graph, levels: Sequence[Level], buffers: Sequence[Any]) -> bytearray:
    codes = list(dict.fromkeys((operator.code, operator.version) for operator in graph.operators))
    model = schema.ModelT(
        version=3,
        operatorCodes=[
            schema.OperatorCodeT(
                deprecatedBuiltinCode=min(code, _LAST_DEPRECATED_CODE), builtinCode=code, version=version
            )
            for code, version in codes
        ],
        buffers=[schema.BufferT(), *buffers],
        subgraphs=[_subgraph(number, graph, level, codes) for number, level in enumerate(levels)],
        signatureDefs=[_signature(number, graph, level) for number, level in enumerate(levels)],
    )
    tables = sum(level.tensors + level.operators + len(level.outputs) for level in levels)
    builder = flatbuffers.Builder(sum(buffer.room for buffer in buffers) + 512 * tables)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytearray(builder.Output())


def _subgraph(number: int, graph: Graph, level: Level, codes: Sequence[tuple[int, int]]) -> Any:
    return schema.SubGraphT(
        name=f"level{number}",
        inputs=[graph.input],
        outputs=list(level.outputs),
        tensors=[_schema_tensor(place, tensor) for place, tensor in enumerate(graph.tensors[: level.tensors])],
        operators=[
            schema.OperatorT(
                opcodeIndex=codes.index((operator.code, operator.version)),
                inputs=list(operator.inputs),
                outputs=[operator.output],
                builtinOptionsType=operator.options_type,
                builtinOptions=operator.options,
            )
            for operator in graph.operators[: level.operators]
        ],
    )


def _signature(number: int, graph: Graph, level: Level) -> Any:
    return schema.SignatureDefT(
        signatureKey=f"level{number}",
        subgraphIndex=number,
        inputs=[schema.TensorMapT(name="pixels", tensorIndex=graph.input)],
        outputs=[
            schema.TensorMapT(name=f"output{place:05d}", tensorIndex=output)
            for place, output in enumerate(level.outputs)
        ],
    )


def _schema_tensor(number: int, tensor: Tensor) -> Any:
    quantization = None
    if tensor.quantization is not None:
        quantization = schema.QuantizationParametersT(
            scale=list(tensor.quantization.scale),
            zeroPoint=list(tensor.quantization.zero_point),
            quantizedDimension=tensor.quantization.dimension,
        )
    return schema.TensorT(
        name=f"t{number}",
        shape=list(tensor.shape),
        type=tensor.type,
        buffer=0 if tensor.buffer is None else tensor.buffer + 1,  # buffer 0 is empty, by convention
        quantization=quantization,
        hasRank=True,
    )


class _BufferInside:
    """Takes the place of the schema's ``BufferT``, which would put the bytes anywhere."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self.room = len(data) + 4 * ALIGNMENT

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name that the schema's code calls
        size = len(self._data)
        builder.StartVector(1, size, ALIGNMENT)
        builder.head = builder.Head() - size
        builder.Bytes[builder.Head() : builder.Head() + size] = self._data.tobytes()
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class _BufferOutside:
    """As ``_BufferInside``, for bytes behind the flatbuffer, at a place that is not known yet."""

    room = 4 * ALIGNMENT

    def __init__(self, data: Bytes) -> None:
        self._size = len(data)

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name that the schema's code calls
        schema.BufferStart(builder)
        schema.BufferAddOffset(builder, 2)  # any that is not the default, which would not be written
        schema.BufferAddSize(builder, self._size)
        return schema.BufferEnd(builder)
