"""Joins segments of a base DNN and branches of apps into one graph with an output for each app.

Apps come fastest first, and pieces are appended as the apps need them: the first app's segments and its branch, then what the
second needs beyond them, and so on. So the graph of the first few apps (a *level*) is the beginning of the graph of them all:
its tensors, operators and buffers are the first ones. One file therefore holds all levels, as subgraphs over the same buffers,
and an engine keeps their weights once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ai_edge_litert import schema_py_generated as schema

from mainstream.documents import sha256
from mainstream.errors import PackageError
from mainstream_runner.graph import Bytes, Graph, Level, Operator, Tensor, read
from mainstream_runner.graph_file import write, write_outside
from mainstream_runner.operators import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """An app's branch: ``model`` is a ``.tflite`` that hangs on the output of the first ``depth`` segments (0: the input)."""

    depth: int
    model: bytes


class Joined:
    """Segments and branches joined, ready to be written."""

    def __init__(self, segments: Sequence[bytes], branches: Sequence[Branch]) -> None:
        """Read and join; ``PackageError`` names a blob that is malformed or does not fit the one before it.

        Segments that no branch needs are not read.
        """
        if not branches:
            raise ValueError("Expected one branch at least")
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._buffers: list[Bytes] = []
        self._levels: list[Level] = []
        self._ends: list[int] = []
        self._outputs: list[int] = []
        stem: list[int] = []  # the place of the output of the first n segments; [0] is the input
        for branch in branches:
            if not 0 <= branch.depth <= len(segments):
                raise ValueError(f"Expected a depth in [0, {len(segments)}], got {branch.depth}")
            if not stem:
                first = segments[0] if branch.depth else branch.model
                stem.append(self._start(read(first)))
            while len(stem) <= branch.depth:
                stem.append(self._append(segments[len(stem) - 1], stem[-1]))
            self._outputs.append(self._append(branch.model, stem[branch.depth]))
            self._levels.append(
                Level(tensors=len(self._tensors), operators=len(self._operators), outputs=tuple(self._outputs))
            )
            self._ends.append(len(self._buffers))

    @property
    def input_shape(self) -> Shape:
        """With its batch of one."""
        return self._tensors[0].shape

    @property
    def quantised(self) -> bool:
        """Whether any of it is computed in int8."""
        return any(tensor.type == schema.TensorType.INT8 for tensor in self._tensors)

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """Of each app's output, with its batch of one."""
        return tuple(self._tensors[place].shape for place in self._outputs)

    def write(self, levels: Sequence[int]) -> bytes:
        """The ``.tflite`` of some levels; each is a number of apps (1 or more), outputs in their order.

        Signature and subgraph n are ``levels[n]``. Buffers that none of them needs are left out.
        """
        return write(*self._part(levels))

    def parts(self, levels: Sequence[int]) -> list[bytes | bytearray | memoryview]:
        """The same for LiteRT as parts of a file: weights as they are, behind the flatbuffer."""
        return write_outside(*self._part(levels))

    def _part(self, levels: Sequence[int]) -> tuple[Graph, list[Level]]:
        most = max(levels)
        last = self._levels[most - 1]
        graph = Graph(
            tensors=tuple(self._tensors[: last.tensors]),
            operators=tuple(self._operators[: last.operators]),
            buffers=tuple(self._buffers[: self._ends[most - 1]]),
            input=0,
            output=last.outputs[-1],
        )
        return graph, [self._levels[apps - 1] for apps in levels]

    def _start(self, first: Graph) -> int:
        self._tensors.append(first.tensors[first.input])
        return 0

    def _append(self, data: bytes, at: int) -> int:
        piece = read(data)
        wanted, given = piece.tensors[piece.input], self._tensors[at]
        if wanted != given:
            raise PackageError(
                f"takes {_described(wanted)}, but what it hangs on gives {_described(given)}",
                where=f"blob {sha256(data)}",
                remedy="The package and the base DNN do not belong together (a branch fits no other base DNN, not even that of "
                "the same weights in another precision): train the app again on this base DNN.",
            )
        first_buffer = len(self._buffers)
        places = {piece.input: at, -1: -1}
        for place, tensor in enumerate(piece.tensors):
            if place != piece.input:
                places[place] = len(self._tensors)
                moved = None if tensor.buffer is None else tensor.buffer + first_buffer
                self._tensors.append(replace(tensor, buffer=moved))
        self._buffers.extend(piece.buffers)
        self._operators.extend(
            replace(
                operator,
                inputs=tuple(places[place] for place in operator.inputs),
                output=places[operator.output],
            )
            for operator in piece.operators
        )
        return places[piece.output]


def _described(tensor: Tensor) -> str:
    quantized = "" if tensor.quantization is None else f", quantised by {tensor.quantization.scale[0]:g}"
    return f"{tensor.shape} of type {tensor.type}{quantized}"


def merge(segments: Sequence[bytes], branches: Sequence[Branch]) -> bytes:
    """One ``.tflite`` of all branches and the segments that they need, outputs in the order of ``branches``."""
    return Joined(segments, branches).write([len(branches)])


def chain(segments: Sequence[bytes]) -> bytes:
    """One ``.tflite`` of segments that follow one another, with the last one's output."""
    return merge(segments[:-1], [Branch(depth=len(segments) - 1, model=segments[-1])])
