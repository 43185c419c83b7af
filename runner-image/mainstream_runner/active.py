"""The schedule that runs, and the exchange for another one between two frames.

Each frame belongs to the schedule under which it was prepared, from sampling to verdict: the reading threads look up the
active schedule for each frame, and a frame keeps its own until it was analysed. So no frame is lost in an exchange and none is
seen by two schedules; the old one's graphs are closed when the last of its frames has left (``drained``).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from mainstream.schedule import Schedule, ScheduledStream
from mainstream_runner.engine import Output, Pixels
from mainstream_runner.plans import StreamPlan, stream_plans
from mainstream_runner.verdicts import Verdicts


class StemEngine(Protocol):
    """Runs one stem and its apps, fastest first."""

    def run(self, pixels: Pixels, due: int) -> Sequence[Output]:
        """Probabilities ``(classes,)`` of the first ``due`` apps (1 or more), in one call of the engine."""
        ...

    def close(self) -> None:
        """Give back its memory."""
        ...


@dataclass(slots=True, eq=False)
class LoadedSchedule:
    """A schedule with its graphs loaded. ``engines`` are by the stem's name; a stem that did not change may be in two."""

    schedule: Schedule
    engines: Mapping[str, StemEngine]
    digest: str = ""
    plans: tuple[StreamPlan, ...] = ()
    verdicts: Mapping[str, Verdicts] = field(default_factory=dict)
    frames: int = 0  # on their way under this schedule; guarded by Active

    def __post_init__(self) -> None:
        self.digest = self.schedule.digest
        self.plans = stream_plans(self.schedule)
        self.verdicts = {app.app: Verdicts.of(app) for app in self.schedule.apps}

    def plan_of(self, stream: ScheduledStream) -> StreamPlan | None:
        """What it asks of that very stream (same name, source and capture rate); None if nothing."""
        for plan in self.plans:
            if same_stream(plan.stream, stream):
                return plan
        return None


def same_stream(one: ScheduledStream, other: ScheduledStream) -> bool:
    """Whether a reader of the one can go on for the other: views may differ, they are cut from the same pictures."""
    return (one.name, one.source, one.capture_fps) == (other.name, other.source, other.capture_fps)


class Active:
    """Which schedule is active. May be used by any thread."""

    def __init__(self, loaded: LoadedSchedule) -> None:
        self._lock = Lock()
        self._loaded = loaded
        self._old: deque[LoadedSchedule] = deque()

    @property
    def loaded(self) -> LoadedSchedule:
        """The active one, to look at."""
        return self._loaded

    def take(self) -> LoadedSchedule:
        """The active one, for a frame; it stays loaded until the frame is given back."""
        with self._lock:
            self._loaded.frames += 1
            return self._loaded

    def give_back(self, loaded: LoadedSchedule) -> None:
        """The frame has left."""
        with self._lock:
            loaded.frames -= 1

    def exchange(self, new: LoadedSchedule) -> None:
        """From now on frames are prepared under the new one."""
        with self._lock:
            self._old.append(self._loaded)
            self._loaded = new

    def drained(self) -> list[StemEngine]:
        """Engines that nothing needs any more; the caller closes them. Oldest schedules first, so that an engine that
        two of them share is not closed under the younger one."""
        free: list[StemEngine] = []
        with self._lock:
            while self._old and not self._old[0].frames:
                gone = self._old.popleft()
                after = self._old[0] if self._old else self._loaded
                kept = {id(engine) for engine in after.engines.values()}
                free += [engine for engine in gone.engines.values() if id(engine) not in kept]
        return free

    def all_engines(self) -> list[StemEngine]:
        """Those of the active schedule and of those that are not drained."""
        with self._lock:
            engines = {id(e): e for loaded in (*self._old, self._loaded) for e in loaded.engines.values()}
        return list(engines.values())
