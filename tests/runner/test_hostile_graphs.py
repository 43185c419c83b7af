"""Graphs from strangers: what breaks a rule is refused by name before an engine sees it; what is taken never crashes one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mainstream.documents import sha256
from mainstream.errors import PackageError
from mainstream_runner import graph as graphs
from mainstream_runner.graph import read
from mainstream_runner.standin import dense_head

Change = Callable[[Any], None]


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _changed(change: Change) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(dense_head((2, 2, 8)), 0))
    change(model)
    return _pack(model)


def _graph(model: Any) -> Any:
    return model.subgraphs[0]


def _custom(model: Any) -> None:
    model.operatorCodes[0] = schema.OperatorCodeT(
        deprecatedBuiltinCode=32, builtinCode=schema.BuiltinOperator.CUSTOM, customCode="Evil"
    )


def _forbidden(model: Any) -> None:
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.READ_VARIABLE
    model.operatorCodes[0].deprecatedBuiltinCode = 127


def _second_subgraph(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def _two_inputs(model: Any) -> None:
    _graph(model).inputs = [0, 1]


def _far_input(model: Any) -> None:
    _graph(model).inputs = [4000]


def _far_operand(model: Any) -> None:
    _graph(model).operators[1].inputs = [2, 4000, 4]


def _negative_operand(model: Any) -> None:
    _graph(model).operators[1].inputs = [2, -7, 4]


def _missing_operand(model: Any) -> None:
    _graph(model).operators[1].inputs = [-1, 3, 4]


def _loop(model: Any) -> None:
    _graph(model).operators[0].inputs = [6, 1]


def _written_twice(model: Any) -> None:
    _graph(model).operators[2].outputs = [5]


def _writes_a_constant(model: Any) -> None:
    _graph(model).operators[0].outputs = [3]


def _output_is_the_input(model: Any) -> None:
    _graph(model).outputs = [0]


def _far_buffer(model: Any) -> None:
    _graph(model).tensors[3].buffer = 4000


def _short_constant(model: Any) -> None:
    model.buffers[2].data = model.buffers[2].data[:-1]


def _outside_constant(model: Any) -> None:
    model.buffers[2].offset, model.buffers[2].size = 1 << 40, 64


def _huge_tensor(model: Any) -> None:
    _graph(model).tensors[0].shape = [1, 1 << 30, 1 << 30, 8]


def _negative_shape(model: Any) -> None:
    _graph(model).tensors[0].shape = [1, -2, -2, 8]


def _many_dimensions(model: Any) -> None:
    _graph(model).tensors[0].shape = [1] * 4000


def _wrong_shape(model: Any) -> None:
    _graph(model).tensors[6].shape = [1, 4000]


def _big_batch(model: Any) -> None:
    _graph(model).tensors[0].shape = [2, 2, 2, 8]


def _strings(model: Any) -> None:
    _graph(model).tensors[0].type = schema.TensorType.STRING


def _variable(model: Any) -> None:
    _graph(model).tensors[0].isVariable = True


def _far_axis(model: Any) -> None:
    model.buffers[1].data = np.array([1, 4000], "<i4").view(np.uint8)


def _wrong_options(model: Any) -> None:
    operator = _graph(model).operators[1]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = schema.Conv2DOptionsT()


def _no_options(model: Any) -> None:
    operator = _graph(model).operators[1]
    operator.builtinOptionsType, operator.builtinOptions = 0, None


def _shuffled_weights(model: Any) -> None:
    _graph(model).operators[1].builtinOptions.weightsFormat = 1


def _tanh(model: Any) -> None:
    _graph(model).operators[1].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH


def replace_tensor(tensor: Any, buffer: int) -> Any:
    """A copy with another buffer."""
    return schema.TensorT(shape=list(tensor.shape), type=tensor.type, buffer=buffer, hasRank=True)


def _too_many_tensors(model: Any) -> None:
    _graph(model).tensors += [_graph(model).tensors[0]] * graphs.MAX_ITEMS


ATTACKS: dict[str, tuple[Change, str]] = {
    "custom operator": (_custom, "custom operators are not allowed"),
    "operator that is not allowed": (_forbidden, "READ_VARIABLE is not allowed"),
    "second subgraph": (_second_subgraph, "2 subgraphs instead of one"),
    "two inputs": (_two_inputs, "2 inputs and 1 outputs"),
    "input out of range": (_far_input, "the input is no tensor"),
    "operand out of range": (_far_operand, "is not known when it runs"),
    "negative operand": (_negative_operand, "is not known when it runs"),
    "operand that must be there": (_missing_operand, "lacks an input"),
    "loop": (_loop, "is not known when it runs"),
    "tensor written twice": (_written_twice, "is no tensor to be computed"),
    "constant written": (_writes_a_constant, "is no tensor to be computed"),
    "output is the input": (_output_is_the_input, "the output is not computed"),
    "buffer out of range": (_far_buffer, "names buffer 4000"),
    "constant too short": (_short_constant, "a constant of 64 bytes has 63"),
    "constant outside": (_outside_constant, "outside the flatbuffer"),
    "huge tensor": (_huge_tensor, "a tensor has the shape"),
    "negative shape": (_negative_shape, "a tensor has the shape"),
    "many dimensions": (_many_dimensions, "4000 dimensions"),
    "shape that is not computed": (_wrong_shape, "its output is declared as (1, 4000)"),
    "batch of two": (_big_batch, "a batch of one is needed"),
    "strings": (_strings, "tensor type 5 is not allowed"),
    "variable": (_variable, "variable, sparse or a variant"),
    "axis out of range": (_far_axis, "an axis is out of range"),
    "options of another operator": (_wrong_options, "options of another kind"),
    "no options": (_no_options, "options of another kind"),
    "shuffled weights": (_shuffled_weights, "weights are shuffled"),
    "unknown activation": (_tanh, "an activation that is not allowed"),
    "too many tensors": (_too_many_tensors, "tensors; 1 to"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_broken_rule_is_refused_by_name(name: str) -> None:
    """The message has the blob's digest and the rule; the exit status is that of wrong input."""
    change, message = ATTACKS[name]
    data = _changed(change)
    with pytest.raises(PackageError) as caught:
        read(data)
    assert message in str(caught.value)
    assert caught.value.where == f"blob {sha256(data)}"
    assert caught.value.exit_status == 2


def test_an_unchanged_graph_is_taken() -> None:
    """The attacks fail for what they change, not for what they start from."""
    assert read(_changed(lambda _model: None)).tensors[0].shape == (1, 2, 2, 8)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL3", b"\xff" * 100, b"\x08\0\0\0TFL3" + b"\xff" * 100])
def test_what_is_no_flatbuffer_is_refused(data: bytes) -> None:
    """Empty, short and senseless bytes are a PackageError like all others."""
    with pytest.raises(PackageError, match="that can be run"):
        read(data)


def test_every_truncation_is_refused_or_harmless(tiny_segments: list[bytes]) -> None:
    """A file cut off anywhere raises nothing but PackageError."""
    data = tiny_segments[1]
    for end in range(0, len(data), 7):
        try:
            read(data[:end])
        except PackageError:
            continue


def test_constants_that_overlap_are_refused() -> None:
    """A small file cannot unfold to a huge graph by naming the same bytes as many constants."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(dense_head((512,), classes=100), 0))
    graph = model.subgraphs[0]
    count = 50
    for place in range(count):
        graph.tensors.append(replace_tensor(graph.tensors[1], len(model.buffers) + place))
    shared = _SharedBuffer(model.buffers[1].data)
    model.buffers += [shared] * count
    data = _pack(model)
    assert len(data) < 3 * 512 * 100 * 4
    with pytest.raises(PackageError, match="constants overlap"):
        read(data)


class _SharedBuffer:
    """Packs once; every further time names the same place."""

    def __init__(self, data: Any) -> None:
        self._packed = schema.BufferT(data=data)
        self._place: Any = None

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name that the schema's code calls
        if self._place is None:
            self._place = self._packed.Pack(builder)
        return self._place


@pytest.mark.slow
def test_bit_flips_never_crash_the_engine(tiny_segments: list[bytes], tmp_path: Path) -> None:
    """Of 1,500 flips in a segment's tables those that are taken load and run, or are refused, in a process that lives on."""
    data = tiny_segments[2]
    taken = 0
    generator = np.random.default_rng(0)
    for number in range(1500):
        flipped = bytearray(data)
        for _ in range(int(generator.integers(1, 4))):
            # the tables are at both ends; the weights between them may hold anything
            place = int(generator.integers(0, 2600))
            place = place if place < 600 else len(data) - place + 599
            flipped[place] ^= 1 << int(generator.integers(8))
        try:
            read(bytes(flipped))
        except PackageError:
            continue
        taken += 1
        (tmp_path / f"{number}.tflite").write_bytes(flipped)
    assert taken > 20
    program = f"""
import pathlib, tempfile, numpy
from mainstream.errors import PackageError
from mainstream_runner.engine import load
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined
engine = LiteRT()
for path in sorted(pathlib.Path({str(tmp_path)!r}).glob("*.tflite")):
    with tempfile.TemporaryDirectory() as folder:
        joined = Joined([], [Branch(depth=0, model=path.read_bytes())])
        try:
            model = load(engine, joined, levels=(1,), threads=1, folder=pathlib.Path(folder))
        except PackageError:
            continue
        output = model.run(numpy.zeros(joined.input_shape, numpy.float32))[0]
        assert output.shape == joined.output_shapes[0], path
        model.close()
print("alive")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "alive", ended.stderr[-2000:]
