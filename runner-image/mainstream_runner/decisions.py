"""What each app makes of its looks: verdicts, votes, events; and what it counted. It goes on through changes of schedule."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

from mainstream.schedule import ScheduledApp
from mainstream_runner.active import LoadedSchedule
from mainstream_runner.board import LATENCY_BOUNDS_SECONDS
from mainstream_runner.deadlines import DropReason
from mainstream_runner.engine import Output
from mainstream_runner.events import Record, Records
from mainstream_runner.ingest import Prepared
from mainstream_runner.plans import StemPlan
from mainstream_runner.sinks.jsonl import Sink
from mainstream_runner.snapshots import snapshot
from mainstream_runner.voting import Detection, EndReason, EndRule, Voting, end_rule

MOST_CLOCK_ERROR_SECONDS = 600.0
"""A camera that is further off has no clock that anybody set (many count from their start, or from 1970)."""


@dataclass(slots=True, kw_only=True)
class AppRun:
    """One app: its votes and its counts. ``late``: analysed, but the verdict came over a capture interval after the frame."""

    stream: str
    app: ScheduledApp
    voting: Voting
    analysed: int = 0
    late: int = 0
    events: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    latency_seconds: float = 0.0
    worst_latency: float = 0.0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_SECONDS) + 1))
    last_event: datetime | None = None

    def saw(self, latency: float, *, late: bool) -> None:
        """Count a look whose verdict came that many seconds after the frame."""
        self.analysed += 1
        self.late += late
        self.latency_seconds += latency
        self.worst_latency = max(self.worst_latency, latency)
        self.latencies[bisect_left(LATENCY_BOUNDS_SECONDS, latency)] += 1


def time_of_frame(arrival: datetime, taken: float | None) -> datetime:
    """The camera's own time, seconds since 1970, if it says one and its clock can have been set; else the arrival's."""
    if taken is None or abs(taken - arrival.timestamp()) > MOST_CLOCK_ERROR_SECONDS:
        return arrival
    return datetime.fromtimestamp(taken, UTC)


def end_rule_of(app: ScheduledApp) -> EndRule:
    """When the app's events are over."""
    return end_rule(after_seconds=app.end_after_seconds, event_length_seconds=app.event_length_seconds, fps=app.fps)


class Decisions:
    """All apps of a run. Used by the loop's thread; ``apps`` may be looked at by others.

    ``time_of`` gives the wall time of a moment of the run (seconds).
    """

    def __init__(self, records: Records, sink: Sink, time_of: Callable[[float], datetime]) -> None:
        self.apps: dict[str, AppRun] = {}
        self.dropped: Counter[str] = Counter()
        """Looks that were not taken, by reason: of all apps that there were."""
        self._records = records
        self._sink = sink
        self._time_of = time_of
        self._numbers: dict[str, int] = {}
        self._digest = ""

    def adopt(self, loaded: LoadedSchedule, now: float) -> None:
        """Go on under another schedule: apps that stay keep votes, open events and counts; the others' events end."""
        streams = {stem.name: stem.stream for stem in loaded.schedule.stems}
        wanted = {app.app: app for app in loaded.schedule.apps}
        for name, run in list(self.apps.items()):
            if name not in wanted or streams[wanted[name].stem] != run.stream:
                self._close(run, frame=None, seconds=None, reason="ScheduleChanged", now=now)
                self._numbers[name] = run.voting.number
                del self.apps[name]
        self._digest = loaded.digest
        for name, app in wanted.items():
            if name in self.apps:
                self.apps[name].app = app
                self.apps[name].voting.adapt(votes=app.votes, end=end_rule_of(app))
            else:
                voting = Voting(votes=app.votes, end=end_rule_of(app), number=self._numbers.get(name, 0))
                self.apps[name] = AppRun(stream=streams[app.stem], app=app, voting=voting)

    def decide(self, item: Prepared, stem: StemPlan, outputs: Sequence[Output], *, now: float, late: bool) -> None:
        """A frame's looks, fastest app first: ``outputs`` are those of the first few."""
        latency = now - item.at
        for app, probabilities in zip(stem.apps, outputs, strict=False):
            run = self.apps.get(app.app)
            if run is None:  # it left while the frame was on its way
                continue
            run.saw(latency, late=late)
            look = item.loaded.verdicts[app.app].look(probabilities, item.index, item.seconds)
            for detection in run.voting.look(look):
                run.events += detection.reason is None
                time = time_of_frame(self._time_of(item.at), item.taken)
                run.last_event = time
                picture = None
                if detection.reason is None and app.snapshots.enabled:
                    picture = snapshot(item.picture, stem.network_input.view, app.snapshots)
                self._emit(run, detection, time, picture)

    def drop(self, item: Prepared, reason: DropReason) -> None:
        """Nobody saw the frame."""
        for stem, due in zip(item.plan.stems, item.due, strict=True):
            for app in stem.apps[:due]:
                self.dropped[reason] += 1
                if app.app in self.apps:
                    self.apps[app.app].dropped[reason] += 1

    def close_stream(self, stream: str, *, frame: int, seconds: Fraction, reason: EndReason, now: float) -> None:
        """The stream is over or lost: its apps' open events end."""
        for run in self.apps.values():
            if run.stream == stream:
                self._close(run, frame=frame, seconds=seconds, reason=reason, now=now)

    def _close(
        self, run: AppRun, *, frame: int | None, seconds: Fraction | None, reason: EndReason, now: float
    ) -> None:
        for detection in run.voting.close(frame=frame, seconds=seconds, reason=reason):
            self._emit(run, detection, self._time_of(now), None)

    def _emit(self, run: AppRun, detection: Detection, time: datetime, picture: Record | None) -> None:
        record = self._records.event(run.app, run.stream, detection, digest=self._digest, time=time, picture=picture)
        self._sink.write(record)
