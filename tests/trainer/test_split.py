"""Data is split by event, with guards, and never by frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstream.errors import InputError
from mainstream_trainer.split import Chunk, Split, chunks_of_video, frames_of, splits


def classes_of(*runs: tuple[int, int]) -> np.ndarray:
    """Runs of (class, frames)."""
    return np.concatenate([np.full(count, label) for label, count in runs])


def test_a_chunk_is_an_event_with_half_of_the_gaps_beside_it() -> None:
    """Chunks cover every frame once, and are cut in the middle of gaps."""
    classes = classes_of((1, 10), (0, 5), (1, 20), (0, 5), (1, 6))
    chunks = chunks_of_video(3, classes, background=1)
    assert [(c.source, c.start, c.end, c.label) for c in chunks] == [(3, 0, 24, 0), (3, 25, 45, 0)]


def test_a_video_without_events_is_one_chunk_of_background() -> None:
    """Videos in which nothing happens are good examples too."""
    assert chunks_of_video(0, classes_of((1, 7)), background=1) == (Chunk(source=0, start=0, end=6, label=1),)


def some_chunks(count: int, label: int = 0, source: int = 0) -> list[Chunk]:
    return [Chunk(source=source, start=20 * place, end=20 * place + 19, label=label) for place in range(count)]


def test_with_enough_events_there_is_one_split_in_three() -> None:
    """Six events of a class are enough; every chunk is in exactly one part."""
    chunks = some_chunks(6) + some_chunks(9, label=1, source=1)
    (split,) = splits(chunks, ["a", "b"], seed=0, where="x")
    parts = [*split.training, *split.stopping, *split.measuring]
    assert sorted(parts, key=lambda c: (c.source, c.start)) == chunks
    for part in (split.training, split.stopping, split.measuring):
        assert {chunk.label for chunk in part} == {0, 1}


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_with_few_events_the_parts_take_turns(count: int) -> None:
    """Cross-validation measures on every event once, never on one that the same fold trains on."""
    chunks = some_chunks(count)
    folds = splits(chunks, ["a"], seed=0, where="x")
    assert len(folds) > 1
    measured = [chunk for fold in folds for chunk in fold.measuring]
    assert sorted(measured, key=lambda c: c.start) == chunks
    for fold in folds:
        assert fold.training
        assert not set(fold.training) & set(fold.measuring)
        assert not set(fold.stopping) & set(fold.measuring)


def test_one_event_is_too_few_and_says_so() -> None:
    """The message names the app's file, the label and the number."""
    with pytest.raises(InputError, match=r"app.yaml:3: events: 'a' has 1 event .*at least 2") as caught:
        splits(some_chunks(1), ["a"], seed=0, where="app.yaml:3")
    assert "Label more events" in str(caught.value)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=6, max_size=12),
    guard=st.integers(0, 10),
    seed=st.integers(0, 5),
)
def test_no_frame_is_in_two_parts_and_borders_are_guarded(
    lengths: list[tuple[int, int]], guard: int, seed: int
) -> None:
    """Whatever the events, frames of different parts are disjoint, and neighbours lie apart by the guards."""
    classes = classes_of(*[run for gap, event in lengths for run in ((1, gap), (0, event))])
    (split,) = splits(chunks_of_video(0, classes, background=1), ["a"], seed=seed, where="x")
    parts = (split.training, split.stopping, split.measuring)
    frames = []
    for part in parts:
        others = [chunk for other in parts if other is not part for chunk in other]
        frames.append({frame for _, frame in frames_of(part, others, guard_frames=guard)})
    assert not frames[0] & frames[1]
    assert not frames[0] & frames[2]
    assert not frames[1] & frames[2]
    for part, mine in zip(parts, frames, strict=True):
        for chunk in part:
            held = {frame for frame in mine if chunk.start <= frame <= chunk.end}
            assert len(held) >= (chunk.end - chunk.start + 1) // 2  # a guard never takes more than half


def test_the_same_seed_gives_the_same_split() -> None:
    """Training repeats."""
    chunks = some_chunks(12)
    first: tuple[Split, ...] = splits(chunks, ["a"], seed=4, where="x")
    assert first == splits(chunks, ["a"], seed=4, where="x")
    assert first != splits(chunks, ["a"], seed=5, where="x")
