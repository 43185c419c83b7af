"""A long stream leaks nothing: frames, looks and events come and go."""

from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from mainstream.basednn import Preprocessing
from mainstream.documents import sha256
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.source import FileSource

WARM_FRAMES, FRAMES = 2_000, 12_000
ALLOWED_KB = 2_048
"""Ten thousand frames of 64 x 48 leaking would be 46 MB, their records 5 MB."""


class Blinking:
    """An engine that sees an event in every other ten frames."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, _pixels: np.ndarray, due: int) -> list[np.ndarray]:
        self.calls += 1
        probability = float(self.calls // 10 % 2)
        return [np.array([1 - probability, probability], np.float32)] * due


class Nowhere:
    def write(self, record: Any) -> None:
        """Forget it."""


def private_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_a_long_stream_keeps_its_memory(make_video) -> None:
    """Private memory after 12,000 looped frames is what it was after 2,000."""
    stem = Stem(
        name="s/full/base",
        stream="s",
        view="full",
        base_dnn=sha256(b"base"),
        input_shape=(32, 32, 3),
        preprocessing=Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5),
        segments=(),
    )
    apps = tuple(
        ScheduledApp(
            app=f"default/app-{fps}",
            stem=stem.name,
            package=sha256(b"package"),
            branchpoint="input",
            depth=0,
            branch_digest=sha256(b"branch"),
            planned_seconds=0.0,
            fps=Fraction(fps),
            votes=2,
            threshold=5,
            expected_f1=0.5,
            classes=("background", "a"),
            events=("a",),
        )
        for fps in (15, 7, 1)
    )
    video = make_video("a.mp4", frames=100)
    stream = ScheduledStream(name="s", source=Source(file=File(path=str(video), loop=True)), capture_fps=15, views=())
    schedule = Schedule(
        edge_node="box",
        engine="LiteRT",
        threads=1,
        memory_bytes=1 << 30,
        cost=0.0,
        budget=1.0,
        streams=(stream,),
        stems=(stem,),
        apps=apps,
    )
    stop, seen, samples = Event(), 0, []

    def watch(_stream: str, frames: int) -> None:
        nonlocal seen
        if seen < WARM_FRAMES <= seen + frames or seen < FRAMES <= seen + frames:
            samples.append(private_kb())
        seen += frames
        if seen >= FRAMES:
            stop.set()

    with FileSource(video, capture_fps=Fraction(15), loop=True) as source:
        pipeline = Pipeline(
            schedule,
            sources={"s": source},
            engines={stem.name: Blinking()},
            convert=SwscaleConvert,
            sink=Nowhere(),
            clock=SystemClock(),
            stop=stop,
            watch=watch,
        )
        summary = pipeline.run()
    assert summary.apps["default/app-15"].events > 500
    assert samples[1] - samples[0] < ALLOWED_KB
