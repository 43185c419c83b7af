"""Data split in three, by event with a guard gap, never by frame (formats, Datasets). Pure.

A *chunk* is one event with half of the gap on either side. Neighbouring frames look alike, so a chunk goes to one part as a
whole, and where chunks of different parts meet, frames near the border are left out. Where a class has too few events, the
parts take turns (cross-validation over events).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainstream.errors import InputError

Part = Literal["training", "stopping", "measuring"]

FEWEST_EVENTS = 2
"""With one event nothing can be measured on an event that was not trained on."""

FEWEST_FOR_THREE_PARTS = 6
"""Below this many events of a class one part would hold a single event: p and q come from cross-validation."""

FOLDS = 2
GUARD_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Frames ``start`` to ``end`` (included) of a source (video, or picture) around one event of class ``label``."""

    source: int
    start: int
    end: int
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Chunks by part."""

    training: tuple[Chunk, ...]
    stopping: tuple[Chunk, ...]
    measuring: tuple[Chunk, ...]


def chunks_of_video(source: int, classes: NDArray[np.int64], background: int) -> tuple[Chunk, ...]:
    """A video's frames as chunks, cut in the middle of each gap between neighbouring events."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    bounds = [0, *edges.tolist(), len(classes)]
    runs = [(a, b - 1, int(classes[a])) for a, b in pairwise(bounds)]
    events = [run for run in runs if run[2] != background]
    if not events:
        return (Chunk(source=source, start=0, end=len(classes) - 1, label=background),)
    chunks, start = [], 0
    for place, (_, last, label) in enumerate(events):
        end = (last + events[place + 1][0] - 1) // 2 if place + 1 < len(events) else len(classes) - 1
        chunks.append(Chunk(source=source, start=start, end=end, label=label))
        start = end + 1
    return tuple(chunks)


def splits(chunks: Sequence[Chunk], labels: Sequence[str], *, seed: int, where: str) -> tuple[Split, ...]:
    """One split in three, or ``FOLDS`` of them whose measuring parts cover everything; ``InputError`` for one event.

    ``labels`` are the classes but the background. The first split is the one whose model is kept.
    """
    by_class = {label: [chunk for chunk in chunks if chunk.label == label] for label in range(len(labels))}
    for label, mine in by_class.items():
        if len(mine) < FEWEST_EVENTS:
            raise InputError(
                f"events: {labels[label]!r} has {len(mine)} event{'' if len(mine) == 1 else 's'} in the dataset, which is "
                f"too few: at least {FEWEST_EVENTS} are needed, {FEWEST_FOR_THREE_PARTS} or more are better",
                where=where,
                remedy="Label more events of it.",
            )
    rng = np.random.default_rng(seed)
    rest = [chunk for chunk in chunks if chunk.label >= len(labels)]
    ordered = [[mine[place] for place in rng.permutation(len(mine))] for mine in (*by_class.values(), rest)]
    if min(len(mine) for mine in by_class.values()) >= FEWEST_FOR_THREE_PARTS:
        return (_three(ordered),)
    return tuple(_fold(ordered, fold) for fold in range(min(FOLDS, *(len(mine) for mine in by_class.values()))))


def _three(ordered: Sequence[Sequence[Chunk]]) -> Split:
    """About a fifth decides when to stop, a quarter measures, the rest is trained on."""
    training: list[Chunk] = []
    stopping: list[Chunk] = []
    measuring: list[Chunk] = []
    for mine in ordered:
        held, measured = _share(len(mine), 5), _share(len(mine), 4)
        stopping += mine[:held]
        measuring += mine[held : held + measured]
        training += mine[held + measured :]
    return Split(training=tuple(training), stopping=tuple(stopping), measuring=tuple(measuring))


def _share(count: int, part: int) -> int:
    return max(1, round(count / part)) if count > 2 else 0


def _fold(ordered: Sequence[Sequence[Chunk]], fold: int) -> Split:
    """Every ``FOLDS``-th event is measured on, one other decides when to stop if more than one is left."""
    training: list[Chunk] = []
    stopping: list[Chunk] = []
    measuring: list[Chunk] = []
    for mine in ordered:
        measuring += mine[fold::FOLDS] if len(mine) >= FOLDS else mine[fold : fold + 1]
        left = [chunk for chunk in mine if chunk not in measuring]
        if len(left) > 1:
            stopping.append(left[0])
            left = left[1:]
        training += left
    return Split(training=tuple(training), stopping=tuple(stopping or training), measuring=tuple(measuring))


def frames_of(part: Sequence[Chunk], others: Sequence[Chunk], *, guard_frames: int) -> list[tuple[int, int]]:
    """``(source, frame)`` of a part, without those within the guard of a neighbouring chunk of another part.

    A guard never takes more than a quarter of a chunk from either side.
    """
    taken = {(chunk.source, chunk.start) for chunk in others}, {(chunk.source, chunk.end) for chunk in others}
    frames = []
    for chunk in part:
        guard = min(guard_frames, (chunk.end - chunk.start + 1) // 4)
        start = chunk.start + (guard if (chunk.source, chunk.start - 1) in taken[1] else 0)
        end = chunk.end - (guard if (chunk.source, chunk.end + 1) in taken[0] else 0)
        frames += [(chunk.source, frame) for frame in range(start, end + 1)]
    return frames
