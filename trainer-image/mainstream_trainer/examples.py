"""From a dataset and an app's events to examples: rows of the features, split in three. Pure but for what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainstream.errors import InputError
from mainstream_trainer.dataset import TRAIN, Dataset
from mainstream_trainer.features import Frames
from mainstream_trainer.finetune import Examples
from mainstream_trainer.split import GUARD_SECONDS, Chunk, Split, chunks_of_video, frames_of, splits

FEWEST_PICTURES = 8
"""Of each class: with fewer, a part of the data would hold one picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Examples of the three parts; ``measuring`` also says where its frames are from."""

    training: Examples
    stopping: Examples
    measuring: Examples
    measured_source: NDArray[np.int64]
    measured_number: NDArray[np.int64]


def folds(dataset: Dataset, frames: Frames, events: Sequence[str], *, seed: int, where: str) -> tuple[Fold, ...]:
    """One fold, or several where p and q need cross-validation (``InputError`` for too few examples)."""
    labels = _labels(dataset, events)
    if dataset.pictures:
        parts = _picture_splits(dataset, labels, events, seed=seed, where=where)
        guard = 0
    else:
        chunks = [c for place, classes in enumerate(labels) for c in chunks_of_video(place, classes, len(events))]
        parts = splits(chunks, events, seed=seed, where=where)
        guard = round(GUARD_SECONDS * float(dataset.videos[0].facts.fps))
    rows = frames.rows()
    return tuple(_fold(split, labels, rows, guard) for split in parts)


def merged(parts: Sequence[Fold]) -> Fold:
    """Everything but the first fold's stopping part to train on: for the model that is kept after cross-validation."""
    first = parts[0]
    held = set(first.stopping.rows.tolist()) - set(first.training.rows.tolist())
    known = {
        row: label
        for part in parts
        for examples in (part.training, part.stopping, part.measuring)
        for row, label in zip(examples.rows.tolist(), examples.classes.tolist(), strict=True)
        if row not in held
    }
    rows = np.array(sorted(known), np.int64)
    training = Examples(rows=rows, classes=np.array([known[row] for row in rows.tolist()], np.int64))
    return Fold(
        training=training,
        stopping=first.stopping,
        measuring=first.measuring,
        measured_source=first.measured_source,
        measured_number=first.measured_number,
    )


def _labels(dataset: Dataset, events: Sequence[str]) -> list[NDArray[np.int64]]:
    """Classes of each source's frames: a video's, or a picture's one."""
    if dataset.pictures:
        places = {label: place for place, label in enumerate(events)}
        return [np.array([places.get(picture.label, len(events))]) for picture in dataset.pictures]
    return [video.classes(events) for video in dataset.videos]


def _picture_splits(
    dataset: Dataset, labels: Sequence[NDArray[np.int64]], events: Sequence[str], *, seed: int, where: str
) -> tuple[Split, ...]:
    """Three fifths to train on, a fifth each to stop and to measure; given folders ``train`` and ``validation`` are kept."""
    rng = np.random.default_rng(seed)
    training: list[Chunk] = []
    stopping: list[Chunk] = []
    measuring: list[Chunk] = []
    for label, name in enumerate((*events, "background")):
        mine = [place for place, classes in enumerate(labels) if classes[0] == label]
        if len(mine) < FEWEST_PICTURES:
            raise InputError(
                f"events: there are {len(mine)} pictures of {name!r}, which is too few: at least {FEWEST_PICTURES} "
                "of each class are needed",
                where=where,
                remedy=f"Add pictures to {dataset.root}.",
            )
        order = [mine[place] for place in rng.permutation(len(mine))]
        given = [place for place in order if dataset.pictures[place].part == TRAIN]
        if given:
            held = [place for place in order if dataset.pictures[place].part != TRAIN]
            cut = len(held) // 2
        else:
            fifth = max(1, len(order) // 5)
            held, given, cut = order[: 2 * fifth], order[2 * fifth :], fifth
        if not given or not held[:cut] or not held[cut:]:
            raise InputError(
                f"{name!r} needs pictures in train/ and at least two in validation/", where=dataset.root,
                remedy="Add pictures, or leave the split to the trainer: one folder per class without train/ and validation/.",
            )  # fmt: skip
        for part, places in ((training, given), (stopping, held[:cut]), (measuring, held[cut:])):
            part += [Chunk(source=place, start=0, end=0, label=label) for place in places]
    return (Split(training=tuple(training), stopping=tuple(stopping), measuring=tuple(measuring)),)


def _fold(split: Split, labels: Sequence[NDArray[np.int64]], rows: dict[tuple[int, int], int], guard: int) -> Fold:
    parts = {"training": split.training, "stopping": split.stopping, "measuring": split.measuring}
    examples = {}
    origin: list[tuple[int, int]] = []
    for name, part in parts.items():
        others = [chunk for other, chunks in parts.items() if other != name for chunk in chunks if chunk not in part]
        frames = [frame for frame in frames_of(part, others, guard_frames=guard) if frame in rows]
        examples[name] = Examples(
            rows=np.array([rows[frame] for frame in frames], np.int64),
            classes=np.array([labels[source][number] for source, number in frames], np.int64),
        )
        origin = frames if name == "measuring" else origin
    return Fold(
        **examples,
        measured_source=np.array([source for source, _ in origin], np.int64),
        measured_number=np.array([number for _, number in origin], np.int64),
    )
