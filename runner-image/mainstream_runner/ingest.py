"""From a stream's frames to what the engine needs: slots, who is due, one conversion per view and input shape.

A stream is read by one thread, ahead of the engine by a few frames at most. What nobody is due on is decoded only where a later
frame needs it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction

import av

from mainstream.sampling import Cycle
from mainstream.schedule import ScheduledStream
from mainstream_runner.active import Active, LoadedSchedule
from mainstream_runner.deadlines import MAX_BOUNDS, bound_seconds
from mainstream_runner.engine import Pixels
from mainstream_runner.frames import Frame, Interruption, RealRate, Slots
from mainstream_runner.plans import Convert, NetworkInput, StreamPlan
from mainstream_runner.sources.source import FrameSource, StreamEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A frame that some app is due on. ``due[i]`` belongs to the plan's stem i; ``inputs`` is empty if it came too late.

    ``at`` is when it came (live) or stands (a file in real time), in seconds of the run; ``seconds`` is the stream's own time.
    """

    reader: int
    index: int
    slot: int
    seconds: Fraction
    at: float
    due: tuple[int, ...]
    inputs: Mapping[NetworkInput, Pixels]
    plan: StreamPlan
    loaded: LoadedSchedule
    picture: av.VideoFrame
    taken: float | None = None
    """As ``Frame.taken``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """The reader's live stream was lost."""

    reader: int
    message: str


Item = Prepared | Interrupted


@dataclass(slots=True, kw_only=True)
class Ingest:
    """What reading a stream came to, counted while it goes on. Seconds are of one core (the reading thread's own time)."""

    decoded: int = 0
    unseen: int = 0
    """Decoded frames in a slot of their own on which no app was due."""
    last_index: int = -1
    last_seconds: Fraction = Fraction(0)
    last_at: float | None = None
    decode_seconds: float = 0.0
    convert_seconds: float = 0.0
    thread_seconds: float = 0.0
    """All that the reading thread took, known at its end."""
    end: StreamEnd | None = None
    rate: RealRate = field(default_factory=RealRate)
    slots: Slots = field(kw_only=False)
    newest: av.VideoFrame | None = None

    @property
    def rate_to_write(self) -> Fraction | None:
        """The capture rate that the manifest should state instead; None if the stated one is right."""
        return self.rate.mismatch(self.slots.capture_fps)


class StreamReader:
    """Reads a stream for its apps. Used by one thread; the public fields may be looked at by others.

    ``now`` gives seconds of the run; in real time a file's frames are due ``start`` seconds after their own time.
    """

    def __init__(
        self,
        number: int,
        stream: ScheduledStream,
        source: FrameSource,
        convert: Convert,
        *,
        active: Active,
        now: Callable[[], float],
        real_time: bool,
        epoch: float,
    ) -> None:
        self.number = number
        self.stream = stream
        self.source = source
        self.ingest = Ingest(Slots(stream.capture_fps))
        self._convert = convert
        self._active = active
        self._now = now
        self._real_time = real_time
        self._epoch = epoch
        self._start = now() if real_time else 0.0
        self._patience = MAX_BOUNDS * bound_seconds(stream.capture_fps)
        self._cycle = Cycle(stream.capture_fps)
        self._leaving = False
        self._skipped = 0
        self._known: tuple[LoadedSchedule, StreamPlan | None] | None = None

    @property
    def frames(self) -> int:
        """Frames that the stream had, skipped ones among them."""
        return self.ingest.decoded + self.source.skipped

    def items(self) -> Iterator[Item]:
        """The frames that some app is due on, converted, in order; and where the stream was lost."""
        with closing(self.source.frames(self._wanted)) as frames:
            yield from self._items(frames)
        self.ingest.end = self.source.end
        self.ingest.thread_seconds = time.thread_time()

    def leave(self) -> None:
        """End at the next frame, or when a silent camera's wait is over; from any thread."""
        self._leaving = True
        if self.source.info.live:
            self.source.close()

    def _items(self, frames: Iterator[Frame | Interruption]) -> Iterator[Item]:
        ingest = self.ingest
        while not self._leaving:
            started = time.thread_time()
            frame = next(frames, None)
            ingest.decode_seconds += time.thread_time() - started
            if frame is None:
                return
            if isinstance(frame, Interruption):
                yield Interrupted(reader=self.number, message=frame.message)
                continue
            ingest.decoded += 1
            ingest.newest = frame.picture
            ingest.last_index, ingest.last_seconds = frame.index, frame.seconds
            at = self._at(frame)
            ingest.last_at = at
            skipped = self.source.skipped
            ingest.rate.see(frame.seconds, steps=1 + skipped - self._skipped)
            self._skipped = skipped
            slot = ingest.slots.place(frame.seconds)
            if slot is not None:
                loaded = self._active.take()
                item = self._prepare(frame, slot, at, loaded)
                if item is None:
                    self._active.give_back(loaded)
                else:
                    yield item

    def _prepare(self, frame: Frame, slot: int, at: float, loaded: LoadedSchedule) -> Prepared | None:
        plan = self._plan(loaded)
        due = () if plan is None else plan.due(self._cycle, slot)
        if plan is None or not any(due):
            self.ingest.unseen += 1
            return None
        started = time.thread_time()
        inputs: dict[NetworkInput, Pixels] = {}
        if not (self._real_time and self._now() - at > self._patience):
            for stem, count in zip(plan.stems, due, strict=True):
                if count and stem.network_input not in inputs:
                    inputs[stem.network_input] = self._convert(frame.picture, stem.network_input)
        self.ingest.convert_seconds += time.thread_time() - started
        return Prepared(
            reader=self.number,
            index=frame.index,
            slot=slot,
            seconds=frame.seconds,
            at=at,
            due=due,
            inputs=inputs,
            plan=plan,
            loaded=loaded,
            picture=frame.picture,
            taken=frame.taken,
        )

    def _at(self, frame: Frame) -> float:
        if frame.arrived is not None:
            return frame.arrived - self._epoch
        return self._start + float(frame.seconds)

    def _wanted(self, seconds: Fraction) -> bool:
        plan = self._plan(self._active.loaded)
        slot = self.ingest.slots.of(seconds)
        wanted = plan is not None and any(plan.due(self._cycle, slot))
        if not wanted:
            self.ingest.slots.pass_over(slot)
            if self.source.info.live:
                self.ingest.last_at = self._now()  # it came, even if nobody decodes it
        return wanted

    def _plan(self, loaded: LoadedSchedule) -> StreamPlan | None:
        if self._known is None or self._known[0] is not loaded:
            self._known = (loaded, loaded.plan_of(self.stream))
        return self._known[1]
