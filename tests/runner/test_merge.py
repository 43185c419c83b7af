"""Joining: what the pieces compute one after another, the joined graph computes too, bit for bit."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mainstream.documents import sha256
from mainstream.errors import PackageError
from mainstream_runner.graph import read
from mainstream_runner.merge import Branch, Joined, chain, merge
from mainstream_runner.standin import dense_head, stand_in

FEATURES = (256,)


def _run(model: bytes, pixels: NDArray[np.float32], *, level: int | None = None) -> list[NDArray[np.float32]]:
    interpreter = Interpreter(model_content=model, num_threads=1)
    if level is not None:
        runner = interpreter.get_signature_runner(f"level{level}")
        outputs = runner(pixels=pixels)
        return [outputs[name] for name in sorted(outputs)]
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


def _one_after_another(segments: list[bytes], branch: Branch, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    for segment in segments[: branch.depth]:
        pixels = _run(segment, pixels)[0]
    return _run(branch.model, pixels)[0]


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(3).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def branches(tiny_segments: list[bytes]) -> dict[int, list[Branch]]:
    """Two branches with heads of their own for some cuts."""
    return {
        depth: [
            Branch(
                depth=depth, model=chain([*tiny_segments[depth:], dense_head(FEATURES, classes=2 + seed, seed=seed)])
            )
            for seed in range(2)
        ]
        for depth in (0, 1, 6, 9, 13, 14)
    } | {15: [Branch(depth=15, model=dense_head(FEATURES, seed=seed)) for seed in range(2)]}


@settings(max_examples=15, deadline=None)
@given(picked=st.lists(st.tuples(st.sampled_from([0, 1, 6, 9, 13, 14, 15]), st.integers(0, 1)), min_size=1, max_size=6))
def test_joined_is_bit_identical_to_one_after_another(
    picked: list[tuple[int, int]],
    tiny_segments: list[bytes],
    branches: dict[int, list[Branch]],
    pixels: NDArray[np.float32],
) -> None:
    """Whatever the cuts and their order, repeated ones too."""
    chosen = [branches[depth][seed] for depth, seed in picked]
    joined = _run(merge(tiny_segments, chosen), pixels)
    apart = [_one_after_another(tiny_segments, branch, pixels) for branch in chosen]
    assert all(np.array_equal(one, other) for one, other in zip(joined, apart, strict=True))
    assert all(np.std(output) > 0 for output in joined)


def test_every_level_is_the_beginning_of_the_whole(
    tiny_segments: list[bytes], branches: dict[int, list[Branch]], pixels: NDArray[np.float32]
) -> None:
    """One file holds all levels; each gives the first outputs of the full one."""
    chosen = [branches[depth][0] for depth in (9, 1, 15, 0)]
    model = Joined(tiny_segments, chosen).write([4, 2, 1])
    full = _run(model, pixels, level=0)
    assert len(full) == 4
    for level, apps in enumerate([4, 2, 1]):
        outputs = _run(model, pixels, level=level)
        assert all(np.array_equal(one, other) for one, other in zip(outputs, full[:apps], strict=True))


def test_weights_are_in_a_file_once_however_many_levels(
    tiny_segments: list[bytes], branches: dict[int, list[Branch]]
) -> None:
    """Eight levels are hardly longer than one."""
    chosen = [branches[depth][0] for depth in (15, 14, 13, 9, 6, 1, 0, 15)]
    joined = Joined(tiny_segments, chosen)
    assert len(joined.write(range(8, 0, -1))) < 1.1 * len(joined.write([8]))


def test_segments_that_nobody_needs_are_left_out(tiny_segments: list[bytes], branches: dict[int, list[Branch]]) -> None:
    """A branch needs the segments before its cut; what is behind is not even read."""
    branch = branches[1][0]
    assert merge([tiny_segments[0], b"broken"], [branch]) == merge(tiny_segments, [branch])


def test_merging_repeats(tiny_segments: list[bytes], branches: dict[int, list[Branch]]) -> None:
    """The same pieces give the same bytes."""
    chosen = [branches[9][0], branches[15][1]]
    assert merge(tiny_segments, chosen) == merge(tiny_segments, chosen)


def test_a_branch_on_the_wrong_cut_names_both_shapes(
    tiny_segments: list[bytes], branches: dict[int, list[Branch]]
) -> None:
    """A joint that does not fit is a PackageError with the blob's digest."""
    stray = Branch(depth=6, model=branches[9][0].model)
    with pytest.raises(PackageError) as caught:
        merge(tiny_segments, [stray])
    assert caught.value.where == f"blob {sha256(stray.model)}"
    assert "takes (1, 4, 4, 128)" in str(caught.value)
    assert "gives (1, 8, 8, 64)" in str(caught.value)


def test_a_feature_map_gets_a_pooled_head() -> None:
    """A stand-in for a base DNN whose last cut is a feature map averages over it, as the trainer's head does."""
    head = stand_in([], (2, 2, 256))
    features = np.random.default_rng(0).normal(size=(1, 2, 2, 256)).astype(np.float32)
    by_hand = _run(stand_in([], (256,)), features.mean(axis=(1, 2)))[0]
    assert np.allclose(_run(head, features)[0], by_hand, atol=1e-6)
    assert read(head).tensors[0].shape == (1, 2, 2, 256)
