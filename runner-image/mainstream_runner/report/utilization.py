"""What the schedule needs of the engine as measured, in engine seconds per second: the median of the last minutes.

The plan's cost is scaled by how much longer the engine took for what it did than was planned for just that. So a camera that is
away, or frames that were dropped, do not look like a faster machine. Of a stem's segments those were run as often as the
fastest of the apps beyond them looked, for apps are due together (``mainstream.sampling``).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from mainstream.schedule import Schedule
from mainstream_runner.board import Board, Numbers

SAMPLE_SECONDS = 10.0
WINDOW_SECONDS = 300.0
FEWEST_SAMPLES = 6


@dataclass(frozen=True, slots=True)
class _Totals:
    engine_seconds: Mapping[str, float]  # by stem
    looks: Mapping[str, int]  # by app


class Utilization:
    """Looks at a board now and then; another schedule begins it anew."""

    def __init__(self) -> None:
        self._digest: str | None = None
        self._before: _Totals | None = None
        self._sampled_at = 0.0
        self._samples: deque[tuple[float, float]] = deque()

    def look(self, board: Board, *, now_seconds: float) -> None:
        """Take a sample if it is time for one."""
        schedule = board.schedule()
        if schedule is None or schedule.digest != self._digest:
            self._digest = schedule.digest if schedule else None
            self._before = None
            self._samples.clear()
        if schedule is None or (self._before is not None and now_seconds - self._sampled_at < SAMPLE_SECONDS):
            return
        totals = _totals(board.numbers())
        if self._before is not None and (ratio := slowness(schedule, self._before, totals)) is not None:
            self._samples.append((now_seconds, ratio * _planned(schedule)))
        self._before, self._sampled_at = totals, now_seconds
        while self._samples and now_seconds - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()

    def median(self) -> float | None:
        """None before there are enough samples."""
        return median(value for _, value in self._samples) if len(self._samples) >= FEWEST_SAMPLES else None


def slowness(schedule: Schedule, before: _Totals, after: _Totals) -> float | None:
    """Engine seconds taken, divided by those planned for what was looked at; None if nothing was."""
    taken = planned = 0.0
    for stem in schedule.stems:
        apps = [app for app in schedule.apps if app.stem == stem.name]
        looks = {app.app: after.looks.get(app.app, 0) - before.looks.get(app.app, 0) for app in apps}
        taken += after.engine_seconds.get(stem.name, 0.0) - before.engine_seconds.get(stem.name, 0.0)
        planned += sum(app.planned_seconds * looks[app.app] for app in apps)
        for depth, segment in enumerate(stem.segments, start=1):
            planned += segment.planned_seconds * max((looks[app.app] for app in apps if app.depth >= depth), default=0)
    return taken / planned if planned > 0 else None


def _planned(schedule: Schedule) -> float:
    segments = sum(segment.planned_seconds * float(segment.fps) for stem in schedule.stems for segment in stem.segments)
    return segments + sum(app.planned_seconds * float(app.fps) for app in schedule.apps)


def _totals(numbers: Numbers) -> _Totals:
    return _Totals(
        {name: stem.engine_seconds for name, stem in numbers.stems.items()},
        {name: app.analysed for name, app in numbers.apps.items()},
    )
