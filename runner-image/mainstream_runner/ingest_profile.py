"""What a stream takes before any engine sees it: core seconds per second of stream, for the views and inputs that its apps use.

Every frame is decoded, cropped, resized and converted once for each view and input, as at the full capture rate. Time is that
of the reading thread on its core, so other work on the machine does not count.
"""

import time
from collections.abc import Callable, Sequence
from fractions import Fraction

import av

from mainstream.cost import StreamIngest
from mainstream.errors import OperationError
from mainstream_runner.frames import Interruption
from mainstream_runner.plans import Convert, NetworkInput
from mainstream_runner.profiler import AGREEMENT
from mainstream_runner.sources.source import FrameSource

MAX_SECONDS = 10
"""Of the stream, measured each time."""


def profile_ingest(
    stream: str,
    open_source: Callable[[], FrameSource],
    inputs: Sequence[NetworkInput],
    convert: Callable[[], Convert],
    *,
    capture_fps: Fraction,
    cpu_seconds: Callable[[], float] = time.thread_time,
) -> StreamIngest:
    """Read up to ten seconds of the stream twice (the slower counts); ``open_source`` opens it from its start."""
    first, second = (
        _cores(stream, open_source(), inputs, convert(), capture_fps=capture_fps, cpu_seconds=cpu_seconds)
        for _ in range(2)
    )
    spread = abs(first - second) / max(min(first, second), 1e-9)
    cores = (first + second) / 2 if spread <= AGREEMENT else max(first, second)
    return StreamIngest(stream=stream, cores=cores, spread=spread)


def _cores(
    stream: str,
    source: FrameSource,
    inputs: Sequence[NetworkInput],
    convert: Convert,
    *,
    capture_fps: Fraction,
    cpu_seconds: Callable[[], float],
) -> float:
    seconds = Fraction(0)
    try:
        started = cpu_seconds()
        for frame in source.frames():
            if isinstance(frame, Interruption):
                continue
            _convert_all(frame.picture, inputs, convert)
            seconds = frame.seconds + 1 / capture_fps
            if seconds >= MAX_SECONDS:
                break
        spent = cpu_seconds() - started
        if not seconds:
            problem = source.end.message if source.end else "it gave no frame"
            raise OperationError(
                f"cannot profile the stream: {problem}",
                where=f"stream {stream!r}",
                remedy="Check its source in the EdgeNode, and the camera.",
            )
    finally:
        source.close()
    return spent / float(seconds)


def _convert_all(picture: av.VideoFrame, inputs: Sequence[NetworkInput], convert: Convert) -> None:
    for wanted in inputs:
        convert(picture, wanted)
