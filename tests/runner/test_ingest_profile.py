"""What a stream takes: measured over ten seconds at most, on a clock that is passed in."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.basednn import Preprocessing
from mainstream.resources.edgenode import View
from mainstream_runner.engine import Pixels
from mainstream_runner.frames import Frame
from mainstream_runner.ingest_profile import profile_ingest
from mainstream_runner.plans import NetworkInput
from mainstream_runner.sources.file import FileSource

FULL = View(name="full", crop=(0.0, 0.0, 1.0, 1.0))
INPUT = NetworkInput(FULL, (8, 8, 3), Preprocessing(mean=(0.0, 0.0, 0.0), divisor=1.0))
OTHER = NetworkInput(FULL, (4, 4, 3), Preprocessing(mean=(0.0, 0.0, 0.0), divisor=1.0))


class _Machine:
    """A processor on which only decoding and conversion take time."""

    def __init__(self, *, decode: float, convert: float) -> None:
        self.now = 0.0
        self.decode, self.convert = decode, convert

    def cpu_seconds(self) -> float:
        return self.now

    def source(self, frames: int, fps: int) -> "_Source":
        return _Source(self, frames, fps)

    def converter(self) -> Callable[[Any, NetworkInput], Pixels]:
        def convert(_picture: Any, _wanted: NetworkInput) -> Pixels:
            self.now += self.convert
            return np.zeros((1, 8, 8, 3), np.float32)

        return convert


class _Source:
    """Frames at an even rate."""

    def __init__(self, machine: _Machine, frames: int, fps: int) -> None:
        self.machine, self.count, self.fps = machine, frames, fps
        self.info: Any = None
        self.end: Any = None
        self.corrupt_packets = 0
        self.read = 0
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            self.machine.now += self.machine.decode
            self.read += 1
            yield Frame(index=index, seconds=Fraction(index, self.fps), picture=None)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("inputs", "cores"), [((INPUT,), 15 * 0.005), ((INPUT, OTHER), 15 * 0.007)])
def test_cores_are_seconds_of_work_per_second_of_stream(inputs: tuple[NetworkInput, ...], cores: float) -> None:
    """Each frame is decoded once and converted once for each input."""
    machine = _Machine(decode=0.003, convert=0.002)
    ingest = profile_ingest(
        "gate",
        lambda: machine.source(30, 15),
        inputs,
        machine.converter,
        capture_fps=Fraction(15),
        cpu_seconds=machine.cpu_seconds,
    )
    assert ingest.stream == "gate"
    assert ingest.cores == pytest.approx(cores)
    assert ingest.spread == pytest.approx(0)


def test_ten_seconds_are_enough() -> None:
    """A long stream is not read further, and closed each time."""
    machine = _Machine(decode=0.001, convert=0.001)
    sources: list[_Source] = []

    def opened() -> _Source:
        sources.append(machine.source(100_000, 15))
        return sources[-1]

    profile_ingest(
        "gate", opened, (INPUT,), machine.converter, capture_fps=Fraction(15), cpu_seconds=machine.cpu_seconds
    )
    assert [source.read for source in sources] == [150, 150]
    assert all(source.closed for source in sources)


def test_the_slower_counts_where_two_disagree() -> None:
    """A machine that got slower in between is planned with its slower half."""
    machine = _Machine(decode=0.001, convert=0.0)

    def opened() -> _Source:
        machine.decode *= 2
        return machine.source(15, 15)

    ingest = profile_ingest(
        "gate", opened, (), machine.converter, capture_fps=Fraction(15), cpu_seconds=machine.cpu_seconds
    )
    assert ingest.cores == pytest.approx(15 * 0.004)
    assert ingest.spread == pytest.approx(1)


def test_a_real_video_takes_something(make_video: Callable[..., Path]) -> None:
    """Through the runner's own source and conversion."""
    from mainstream_runner.convert import SwscaleConvert

    video = make_video("gate.mp4", frames=30)
    ingest = profile_ingest(
        "gate",
        lambda: FileSource(video, capture_fps=Fraction(15)),
        (INPUT,),
        SwscaleConvert,
        capture_fps=Fraction(15),
    )
    assert 0 < ingest.cores < 1
