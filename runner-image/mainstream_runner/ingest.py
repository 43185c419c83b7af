"""From a stream's frames to what the engine needs: slots, who is due, one conversion per view and input shape.

A stream is read by one thread, ahead of the engine by a few frames at most. Frames that no app is due on are decoded (H.264
without it could not decode the next one) and nothing else.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av

from mainstream.basednn import Preprocessing
from mainstream.resources.edgenode import FULL, View
from mainstream.sampling import Cycle
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem
from mainstream_runner.engine import Pixels
from mainstream_runner.frames import RealRate, Slots
from mainstream_runner.source import FrameSource, StreamEnd


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a conversion makes: stems of one stream with the same one have it in common."""

    view: View
    shape: tuple[int, int, int]
    preprocessing: Preprocessing


Convert = Callable[[av.VideoFrame, NetworkInput], Pixels]


@dataclass(frozen=True, slots=True, kw_only=True)
class StemPlan:
    """A stem and its apps, fastest first: the apps due on a frame are always the first few of them."""

    stem: Stem
    apps: tuple[ScheduledApp, ...]
    network_input: NetworkInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """A stream and the stems that look at it."""

    stream: ScheduledStream
    stems: tuple[StemPlan, ...]

    def due(self, cycle: Cycle, slot: int) -> tuple[int, ...]:
        """For each stem how many of its apps look at the frame in ``slot``."""
        return tuple(_due(cycle, stem.apps, slot) for stem in self.stems)


def _due(cycle: Cycle, apps: Sequence[ScheduledApp], slot: int) -> int:
    for number, app in enumerate(apps):
        if not cycle.takes(app.fps, slot):
            return number
    return len(apps)


def fastest_first(schedule: Schedule, stem: Stem) -> tuple[ScheduledApp, ...]:
    """The stem's apps in the order of a merged graph's outputs: by rate, the fastest first, then by name."""
    return tuple(sorted((app for app in schedule.apps if app.stem == stem.name), key=lambda app: (-app.fps, app.app)))


def stream_plans(schedule: Schedule) -> tuple[StreamPlan, ...]:
    """What the schedule asks of each stream; stems without an app are left out, and so are streams without a stem."""
    plans = []
    for stream in schedule.streams:
        views = {FULL: View(name=FULL, crop=(0.0, 0.0, 1.0, 1.0)), **{view.name: view for view in stream.views}}
        stems = []
        for stem in schedule.stems:
            apps = fastest_first(schedule, stem)
            if stem.stream == stream.name and apps:
                network_input = NetworkInput(views[stem.view], stem.input_shape, stem.preprocessing)
                stems.append(StemPlan(stem=stem, apps=apps, network_input=network_input))
        if stems:
            plans.append(StreamPlan(stream=stream, stems=tuple(stems)))
    return tuple(plans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A frame that some app is due on. ``due[i]`` belongs to the stream's stem i; ``inputs`` is empty if it came too late."""

    stream: int
    index: int
    slot: int
    seconds: Fraction
    due: tuple[int, ...]
    inputs: Mapping[NetworkInput, Pixels]


@dataclass(slots=True, kw_only=True)
class Ingest:
    """What reading a stream came to, counted while it goes on. Seconds are of one core (the reading thread's own time)."""

    frames: int = 0
    unseen: int = 0
    """Frames in a slot of their own on which no app was due."""
    last_index: int = -1
    last_seconds: Fraction = Fraction(0)
    decode_seconds: float = 0.0
    convert_seconds: float = 0.0
    end: StreamEnd | None = None
    rate: RealRate = field(default_factory=RealRate)
    slots: Slots = field(kw_only=False)

    @property
    def rate_to_write(self) -> Fraction | None:
        """The capture rate that the manifest should state instead; None if the stated one is right."""
        return self.rate.mismatch(self.slots.capture_fps)


class StreamReader:
    """Reads a stream for its apps. Used by one thread; ``ingest`` may be looked at by others."""

    def __init__(
        self, number: int, plan: StreamPlan, source: FrameSource, convert: Convert, *, late: Callable[[Fraction], bool]
    ) -> None:
        self._number = number
        self._plan = plan
        self._source = source
        self._convert = convert
        self._late = late
        self._cycle = Cycle(plan.stream.capture_fps)
        self.ingest = Ingest(Slots(plan.stream.capture_fps))

    def prepared(self) -> Iterator[Prepared]:
        """The frames that some app is due on, converted; in order."""
        ingest = self.ingest
        frames = self._source.frames()
        while True:
            started = time.thread_time()
            frame = next(frames, None)
            decoded = time.thread_time()
            ingest.decode_seconds += decoded - started
            if frame is None:
                break
            ingest.frames += 1
            ingest.last_index, ingest.last_seconds = frame.index, frame.seconds
            ingest.rate.see(frame.seconds)
            slot = ingest.slots.place(frame.seconds)
            if slot is None:
                continue
            due = self._plan.due(self._cycle, slot)
            if not any(due):
                ingest.unseen += 1
                continue
            inputs: dict[NetworkInput, Pixels] = {}
            if not self._late(frame.seconds):
                for stem, count in zip(self._plan.stems, due, strict=True):
                    if count and stem.network_input not in inputs:
                        inputs[stem.network_input] = self._convert(frame.picture, stem.network_input)
            ingest.convert_seconds += time.thread_time() - decoded
            yield Prepared(
                stream=self._number, index=frame.index, slot=slot, seconds=frame.seconds, due=due, inputs=inputs
            )
        ingest.end = self._source.end
