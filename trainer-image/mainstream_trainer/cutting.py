"""A quantised network cut at its branchpoints, in the graph: neighbours have the very same tensor at their border.

Quantised piece by piece, each piece would get a scale of its own at its borders, and values would be rounded twice. So the
network is quantised as a whole, with all branchpoints as outputs, and its operators are then dealt out: the chain of the
segments computes what the uncut network computes, bit by bit.
"""

from collections.abc import Sequence
from typing import Any

from mainstream.errors import OperationError
from mainstream_trainer.tflite import normalise, packed, parsed


def cut(data: bytes) -> list[bytes]:
    """The segments between the branchpoints of a quantised graph, in order, each a normalised graph of its own.

    The graph's outputs are the branchpoints, each given as f32 by a DEQUANTIZE of its own, which is left out: borders are int8.
    ``OperationError`` if more than one tensor crosses somewhere.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = parsed(data)
    graph = model.subgraphs[0]
    makers = {int(operator.outputs[0]): place for place, operator in enumerate(graph.operators)}
    borders = []
    for output in graph.outputs:
        last = graph.operators[makers[int(output)]]
        if operator_code(model, last) != schema.BuiltinOperator.DEQUANTIZE:
            raise OperationError("the quantised network gives a branchpoint that is not int8")
        borders.append(int(last.inputs[0]))
    borders.sort(key=lambda tensor: makers[tensor])
    segments, dealt, before = [], set[int](), int(graph.inputs[0])
    for border in borders:
        mine = _needed(graph, makers, before, border)
        if mine & dealt:
            raise OperationError("the quantised network cannot be cut: more than one tensor crosses a branchpoint")
        dealt |= mine
        segments.append(piece(model, sorted(mine), before, border))
        before = border
    return segments


def piece(model: Any, operators: Sequence[int], given: int, gives: int) -> bytes:
    """Some operators of a model's graph, in their order, as a normalised graph from tensor ``given`` to tensor ``gives``."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    places: dict[int, int] = {given: 0}
    codes: dict[int, int] = {}
    copied = []
    for number in operators:
        operator = graph.operators[number]
        for tensor in (*operator.inputs, *operator.outputs):
            if int(tensor) >= 0:
                places.setdefault(int(tensor), len(places))
        copied.append(
            schema.OperatorT(
                opcodeIndex=codes.setdefault(int(operator.opcodeIndex), len(codes)),
                inputs=[-1 if tensor < 0 else places[int(tensor)] for tensor in operator.inputs],
                outputs=[places[int(tensor)] for tensor in operator.outputs],
                builtinOptionsType=operator.builtinOptionsType,
                builtinOptions=operator.builtinOptions,
            )
        )
    part = schema.SubGraphT(
        tensors=[graph.tensors[tensor] for tensor in places],
        inputs=[0],
        outputs=[places[gives]],
        operators=copied,
    )
    codes_used = [model.operatorCodes[code] for code in codes]
    return normalise(
        packed(schema.ModelT(version=3, operatorCodes=codes_used, subgraphs=[part], buffers=model.buffers))
    )


def operator_code(model: Any, operator: Any) -> int:
    """What an operator does, in the schema's numbers (old files have it in a field of its own)."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _needed(graph: Any, makers: dict[int, int], given: int, wanted: int) -> set[int]:
    """The operators that make ``wanted`` from ``given`` and constants."""
    needed: set[int] = set()
    open_ = [wanted]
    while open_:
        tensor = open_.pop()
        if tensor == given or tensor not in makers or makers[tensor] in needed:
            continue
        needed.add(makers[tensor])
        open_ += [int(source) for source in graph.operators[makers[tensor]].inputs if source >= 0]
    return needed
