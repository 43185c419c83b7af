"""int8 segments with f32 and int8 branches in one graph: joined, in levels, profiled; what does not fit is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mainstream.basednn import BaseDnn
from mainstream.errors import InputError, PackageError
from mainstream_runner.engine import load
from mainstream_runner.floats import as_float
from mainstream_runner.graph import Level, read
from mainstream_runner.graph_file import write
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined, chain
from mainstream_runner.profiler import profile_layers
from mainstream_runner.standin import stand_in, stand_ins

FEATURES = (256,)


def run(graph: bytes, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """One call of a graph with one input and one output."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def in_turn(segments: list[bytes], branch: Branch, pixels: NDArray[np.float32]) -> NDArray[np.generic]:
    """The pieces one after another."""
    values: NDArray[np.generic] = pixels
    for segment in segments[: branch.depth]:
        values = run(segment, values)
    return run(branch.model, values)


@pytest.fixture(scope="module")
def branches(tiny_int8_segments: list[bytes]) -> list[Branch]:
    """An int8 and an f32 one after some cuts, ``input`` and the deepest among them."""
    return [
        Branch(depth=depth, model=model)
        for depth in (9, 0, 15, 13, 1)
        for model in stand_ins(tiny_int8_segments, depth, FEATURES).values()
    ]


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    return rng.uniform(-1, 1, (1, 8, 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.float32)


def test_every_level_gives_what_the_pieces_give_bit_by_bit(
    tiny_int8_segments: list[bytes], branches: list[Branch], pixels: NDArray[np.float32], tmp_path: Path
) -> None:
    """By the runner's engine, with one and with two threads; the input is f32 and so are all outputs."""
    apart = [in_turn(tiny_int8_segments, branch, pixels) for branch in branches]
    assert {output.dtype for output in apart} == {np.dtype(np.float32)}
    joined = Joined(tiny_int8_segments, branches)
    assert joined.quantised
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        folder.mkdir()
        model = load(LiteRT(), joined, levels=(len(branches), 3), threads=threads, folder=folder)
        for level, apps in enumerate((len(branches), 3)):
            outputs = model.run(pixels, level)
            assert len(outputs) == apps
            for one, other in zip(outputs, apart, strict=False):
                np.testing.assert_array_equal(one, other)
        model.close()


def test_a_branch_of_the_f32_base_dnn_does_not_hang_on_the_int8_one(
    tiny_segments: list[bytes], tiny_int8_segments: list[bytes]
) -> None:
    """Nor the other way round: the blob is named, with what to do."""
    plain = Branch(depth=9, model=stand_in(tiny_segments[9:], FEATURES))
    with pytest.raises(
        PackageError, match=r"takes \(1, 4, 4, 128\) of type 0, but what it hangs on gives .* quantised"
    ):
        Joined(tiny_int8_segments, [plain])
    int8 = Branch(depth=9, model=stand_ins(tiny_int8_segments, 9, FEATURES)["int8"])
    with pytest.raises(PackageError, match="quantised by") as refused:
        Joined(tiny_segments, [int8])
    assert "train the app again on this base DNN" in str(refused.value.remedy)


def test_openvino_refuses_int8(tiny_int8_segments: list[bytes], branches: list[Branch], tmp_path: Path) -> None:
    """It would compute other numbers; nothing is written."""
    from mainstream_runner.openvino import OpenVINO

    with pytest.raises(InputError, match="OpenVINO computes other numbers with int8") as refused:
        OpenVINO().write(Joined(tiny_int8_segments, branches), levels=(len(branches),), folder=tmp_path)
    assert "LiteRT" in str(refused.value.remedy)
    assert not list(tmp_path.iterdir())


def test_the_same_layers_in_f32_compute_about_the_same(
    tiny_int8_segments: list[bytes], pixels: NDArray[np.float32]
) -> None:
    """Weights, biases and scales are those of the int8 graph; an f32 graph stays as it is."""
    whole = read(chain([*tiny_int8_segments, stand_ins(tiny_int8_segments, 15, FEATURES)["int8"]]))
    floats = as_float(whole)
    assert {tensor.type for tensor in floats.tensors if tensor.buffer is None} >= {0}
    assert as_float(floats) == floats

    def written(graph: object) -> bytes:
        tensors, operators = len(graph.tensors), len(graph.operators)  # type: ignore[attr-defined]
        return write(graph, [Level(tensors=tensors, operators=operators, outputs=(graph.output,))])  # type: ignore[arg-type,attr-defined]

    np.testing.assert_allclose(run(written(floats), pixels), run(written(whole), pixels), atol=0.1)


def test_an_int8_base_dnn_has_two_costs_for_each_cut(
    tiny_int8_base: BaseDnn, read_int8: Callable[[str], bytes]
) -> None:
    """Segments and the last int8 branch are the int8 network; f32 branches have costs of their own."""
    costs = profile_layers(tiny_int8_base, read=read_int8, engine=LiteRT(), threads=1, hardware="test")
    int8 = costs.int8_branch_seconds
    assert int8 is not None
    assert len(costs.branch_seconds) == len(int8) == len(costs.segment_seconds) + 1
    assert int8[0] == pytest.approx(costs.whole_seconds)
    assert sum(costs.segment_seconds) + int8[-1] == pytest.approx(costs.whole_seconds)
    for seconds in (costs.branch_seconds, int8):
        assert list(seconds) == sorted(seconds, reverse=True)
        assert min(seconds) >= 0
    assert costs.branch(9, "int8") == int8[9]
    assert costs.branch(9, "f32") == costs.branch_seconds[9]


@pytest.fixture(scope="module")
def read_int8(tiny_int8_base: BaseDnn, tiny_int8_segments: list[bytes]) -> Callable[[str], bytes]:
    segments = tiny_int8_base.config.segments
    return {segment.digest: data for segment, data in zip(segments, tiny_int8_segments, strict=True)}.__getitem__
