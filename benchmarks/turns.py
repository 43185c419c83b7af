"""A turn of each contender on the same frames: ours through the runner's own pipeline, a peer's in a plain loop."""

import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from peers import Contender
from runner_workload import FPS

from mainstream.schedule import Schedule
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.frames import Frame
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.plans import NetworkInput, stream_plans
from mainstream_runner.sources.file import FileSource
from mainstream_runner.sources.source import Wanted, everything
from mainstream_runner.stems import StemExecutor

FRAMES, PEER_FRAMES = 60, 15
"""In a turn: of ours, so that beginning and ending a run count little, and of a peer's, which has neither."""


@dataclass(slots=True)
class Turns:
    """Of a contender, by turn: seconds per frame. ``other`` is CPU outside engine, decoding and conversion (ours only)."""

    engine: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    convert: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)


class Nowhere:
    """A sink."""

    def write(self, record: Any) -> None:
        """Forget it."""


class TimedStem:
    """A stem whose calls' wall and thread seconds are counted."""

    def __init__(self, inner: StemExecutor) -> None:
        self._inner = inner
        self.wall = self.thread = 0.0

    def run(self, pixels: Any, due: int) -> Any:
        wall, thread = time.perf_counter(), time.thread_time()
        try:
            return self._inner.run(pixels, due)
        finally:
            self.thread += time.thread_time() - thread
            self.wall += time.perf_counter() - wall

    def close(self) -> None:
        """The stem is closed by whoever opened it."""


def our_turn(schedule: Schedule, stems: dict[str, TimedStem], turns: Turns, *, converted: bool = False) -> None:
    """The runner's own pipeline over the first frames of the video. ``converted``: conversion is done before, too."""
    for stem in stems.values():
        stem.wall = stem.thread = 0.0
    cpu = time.process_time()
    source = schedule.streams[0].source.file
    assert source is not None
    assert source.path is not None
    convert = Remembered() if converted else SwscaleConvert()
    with Chunk(Path(source.path), capture_fps=FPS) as frames:
        frames.count = FRAMES
        if isinstance(convert, Remembered):
            frames.decoded = [convert.remember(frame, schedule) for frame in frames.frames()]
        thread = time.thread_time()
        pipeline = Pipeline(
            schedule,
            sources={schedule.streams[0].name: frames},
            engines=stems,
            convert=lambda: convert,
            sink=Nowhere(),
            clock=SystemClock(),
            stop=threading.Event(),
        )
        pipeline.run()
        loop = time.thread_time() - thread - sum(stem.thread for stem in stems.values())
    ingest = next(iter(pipeline.readers.all.values())).ingest
    whole = time.process_time() - cpu
    turns.engine.append(sum(stem.wall for stem in stems.values()) / FRAMES)
    turns.whole.append(whole / FRAMES)
    turns.decode.append(ingest.decode_seconds / FRAMES)
    turns.convert.append(ingest.convert_seconds / FRAMES)
    reader = ingest.thread_seconds - ingest.decode_seconds - ingest.convert_seconds
    turns.other.append((loop + reader) / FRAMES)


class Chunk(FileSource):
    """The first ``count`` frames of a file, decoded before the first is given.

    So nothing is decoded beside an engine's calls, ours or a peer's, which would take longer by that: a plan accounts for
    decoding by the cores that are left (``budget``), and would count it twice.
    """

    count = PEER_FRAMES
    decoded: list[Frame] | None = None

    def frames(self, wanted: Wanted = everything) -> Any:
        """As ``FileSource``'s, so many of them."""
        yield from self.decoded or list(islice(super().frames(wanted), self.count))


class Remembered:
    """A converter that has made everything before it is asked: conversion, too, is ingest, and planned as that."""

    def __init__(self) -> None:
        self._convert = SwscaleConvert()
        self._made: dict[tuple[int, NetworkInput], Any] = {}

    def remember(self, frame: Frame, schedule: Schedule) -> Frame:
        """Make what the schedule's stems want of a frame."""
        for stem in stream_plans(schedule)[0].stems:
            key = id(frame.picture), stem.network_input
            self._made[key] = self._convert(frame.picture, stem.network_input)
        return frame

    def __call__(self, picture: Any, wanted: NetworkInput) -> Any:
        return self._made[id(picture), wanted]


def peer_turn(video: Path, wanted: Any, run: Contender, turns: Turns) -> None:
    """A plain loop, one decoding and one conversion for all of the peer's networks: more than most peers have."""
    cpu = time.process_time()
    spent = 0.0
    convert = SwscaleConvert()
    with Chunk(video, capture_fps=FPS) as frames:
        for frame in frames.frames(lambda _seconds: True):
            pixels = convert(frame.picture, wanted)
            began = time.perf_counter()
            run(pixels)
            spent += time.perf_counter() - began
    turns.engine.append(spent / PEER_FRAMES)
    turns.whole.append((time.process_time() - cpu) / PEER_FRAMES)
