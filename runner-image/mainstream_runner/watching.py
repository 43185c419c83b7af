"""The run as others see it (``board``): counters, states, the newest events and pictures, rates over the last minute."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from mainstream.documents import fraction_text
from mainstream.schedule import Schedule
from mainstream_runner.board import AppNumbers, Numbers, SinkState, StemNumbers, StreamNumbers, StreamState
from mainstream_runner.clock import Clock
from mainstream_runner.exchange import Exchange
from mainstream_runner.idle import is_idle
from mainstream_runner.ingest import StreamReader
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.snapshots import jpeg

EVENTS_KEPT = 500
WINDOW_SECONDS = 60.0
SAMPLE_SECONDS = 5.0
PICTURE_QUALITY = 75


class RecentEvents:
    """Keeps the newest event records, numbered; a ``Sink``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: deque[tuple[int, dict[str, Any]]] = deque(maxlen=EVENTS_KEPT)
        self._number = 0

    def write(self, record: Mapping[str, Any]) -> None:
        """Keep an event's record; a run's own records are none."""
        if record["type"].startswith("dev.mainstream.event."):
            with self._lock:
                self._number += 1
                self._kept.append((self._number, dict(record)))

    def after(self, number: int) -> list[tuple[int, dict[str, Any]]]:
        """Those with a greater number, in order."""
        with self._lock:
            return [(at, record) for at, record in self._kept if at > number]


class Sinks(Protocol):
    """What delivers events elsewhere."""

    def states(self) -> Sequence[SinkState]: ...


class RunBoard:
    """A ``Board`` over a run's pipeline. Any thread may ask."""

    def __init__(
        self, pipeline: Pipeline, exchange: Exchange | None, events: RecentEvents, sinks: Sinks | None, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._exchange = exchange
        self._events = events
        self._sinks = sinks
        self._clock = clock
        self._lock = Lock()
        self._samples: deque[tuple[float, dict[str, float]]] = deque()

    def schedule(self) -> Schedule | None:
        """See ``Board``."""
        schedule = self._pipeline.active.loaded.schedule
        return None if is_idle(schedule) else schedule

    def refused(self) -> str | None:
        """See ``Board``."""
        refusal = self._exchange.refusal if self._exchange else None
        return refusal.reason if refusal else None

    def started(self) -> datetime:
        """See ``Board``."""
        return self._pipeline.records.started

    def alive_age_seconds(self) -> float:
        """See ``Board``."""
        return self._clock.seconds() - self._pipeline.came_round

    def streams(self) -> Sequence[StreamState]:
        """See ``Board``."""
        return [self._stream(reader) for reader in self._readers().values()]

    def sinks(self) -> Sequence[SinkState]:
        """See ``Board``."""
        return self._sinks.states() if self._sinks else ()

    def events(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """See ``Board``."""
        return self._events.after(after)

    def picture(self, stream: str, *, width: int) -> bytes | None:
        """See ``Board``."""
        reader = self._readers().get(stream)
        newest = reader.ingest.newest if reader else None
        if newest is None:
            return None
        width = min(width, newest.width)
        return jpeg(newest, width=width, height=round(newest.height * width / newest.width), quality=PICTURE_QUALITY)

    def numbers(self) -> Numbers:
        """See ``Board``."""
        schedule = self._pipeline.active.loaded.schedule
        stems, apps = dict(self._pipeline.stems), dict(self._pipeline.decisions.apps)
        totals = {name: count.engine_seconds for name, count in stems.items()}
        totals |= {name: float(run.analysed) for name, run in apps.items()}
        per_second = self._rates(totals)
        planned = _planned(schedule)
        return Numbers(
            streams={name: _read(reader) for name, reader in self._readers().items()},
            apps={
                name: AppNumbers(
                    stream=run.stream,
                    analysed=run.analysed,
                    late=run.late,
                    dropped=dict(run.dropped),
                    events=run.events,
                    latency_seconds=run.latency_seconds,
                    latency_buckets=_cumulated(run.latencies),
                    planned_fps=float(run.app.fps),
                    measured_fps=per_second[name],
                    planned_seconds=run.app.planned_seconds,
                    expected_f1=run.app.expected_f1,
                    last_event=run.last_event,
                    open_event=run.voting.open_event,
                )
                for name, run in apps.items()
            },
            stems={
                stem.name: StemNumbers(
                    stream=stem.stream,
                    view=stem.view,
                    calls=stems[stem.name].calls,
                    engine_seconds=stems[stem.name].engine_seconds,
                    planned_cost=planned[stem.name],
                    measured_cost=per_second[stem.name],
                )
                for stem in schedule.stems
                if stem.name in stems
            },
            planned_cost=schedule.cost,
            measured_cost=sum(per_second[name] for name in stems),
            budget=schedule.budget,
            schedule_changes=self._pipeline.changes,
            schedule_refusals=self._exchange.refusals if self._exchange else 0,
        )

    def _rates(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Of each total, how much it grew per second over the last minute, or since it is there."""
        now = self._clock.seconds()
        with self._lock:
            if not self._samples or now - self._samples[-1][0] >= SAMPLE_SECONDS:
                self._samples.append((now, dict(totals)))
            while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_SECONDS:
                self._samples.popleft()
            samples = list(self._samples)
        rates = {}
        for name, total in totals.items():
            then, before = next(((at, seen[name]) for at, seen in samples if name in seen), (now, total))
            rates[name] = (total - before) / (now - then) if now > then else 0.0
        return rates

    def _readers(self) -> dict[str, StreamReader]:
        wanted = {plan.stream.name for plan in self._pipeline.active.loaded.plans}
        return {
            reader.stream.name: reader for reader in self._pipeline.readers.all.values() if reader.stream.name in wanted
        }

    def _stream(self, reader: StreamReader) -> StreamState:
        connection, info, ingest = reader.source.connection(), reader.source.info, reader.ingest
        age = None if ingest.last_at is None else max(0.0, self._pipeline.now() - ingest.last_at)
        write = ingest.rate_to_write
        return StreamState(
            name=reader.stream.name,
            phase=connection.phase,
            message=connection.message,
            source=info.file,
            width=info.width,
            height=info.height,
            capture_fps=float(reader.stream.capture_fps),
            rate_to_write=fraction_text(write) if write else None,
            since=connection.since,
            last_frame_age_seconds=age,
            frames=reader.frames,
            reconnects=connection.reconnects,
            corrupt_packets=reader.source.corrupt_packets,
        )


def _read(reader: StreamReader) -> StreamNumbers:
    ingest = reader.ingest
    return StreamNumbers(
        frames=reader.frames,
        unseen=ingest.unseen,
        surplus=ingest.slots.surplus,
        missing=ingest.slots.missing,
        decode_seconds=ingest.decode_seconds,
        convert_seconds=ingest.convert_seconds,
    )


def _planned(schedule: Schedule) -> dict[str, float]:
    """Engine seconds per second of each stem with its branches."""
    costs = {
        stem.name: sum(segment.planned_seconds * float(segment.fps) for segment in stem.segments)
        for stem in schedule.stems
    }
    for app in schedule.apps:
        costs[app.stem] += app.planned_seconds * float(app.fps)
    return costs


def _cumulated(counts: Sequence[int]) -> tuple[int, ...]:
    total, sums = 0, []
    for count in counts:
        total += count
        sums.append(total)
    return tuple(sums)
