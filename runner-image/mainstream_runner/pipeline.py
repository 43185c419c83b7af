"""The runner's loop: decode, sample, one engine call per due stem, votes, events.

Each stream is read by a thread of its own (``ingest``); this loop takes a frame at a time, so engine calls never overlap. As
fast as possible it takes them by stream time and gives the same records each time; in real time by ``deadlines``, and frames
that come too late are dropped and counted. Nothing here grows with the length of a stream.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from threading import Event
from typing import Protocol

from mainstream.schedule import Schedule, ScheduledApp
from mainstream_runner.clock import Clock
from mainstream_runner.deadlines import MAX_BOUNDS, Deadlines, DropReason, bound_seconds
from mainstream_runner.engine import Output, Pixels
from mainstream_runner.events import Records
from mainstream_runner.inbox import Inbox
from mainstream_runner.ingest import Convert, Prepared, StemPlan, StreamReader, stream_plans
from mainstream_runner.sinks.jsonl import Sink
from mainstream_runner.source import FrameSource
from mainstream_runner.summary import AppCount, StemCount, StreamSummary, Summary
from mainstream_runner.verdicts import Verdicts
from mainstream_runner.voting import Detection, EndReason, Voting, end_rule

STOP_CHECK_SECONDS = 0.2
"""How long the loop may sleep before it looks whether it should stop."""


class StemEngine(Protocol):
    """Runs one stem and its apps, fastest first."""

    def run(self, pixels: Pixels, due: int) -> Sequence[Output]:
        """Probabilities ``(classes,)`` of the first ``due`` apps (1 or more), in one call of the engine."""
        ...


Watch = Callable[[str, int], None]
"""Told now and then how many more frames of a stream were read."""


class Pipeline:
    """One run of a schedule over its streams. ``stop`` may be set by a signal's handler at any moment.

    ``convert`` makes a converter for each stream, since each stream is read by a thread of its own.
    """

    def __init__(
        self,
        schedule: Schedule,
        *,
        sources: Mapping[str, FrameSource],
        engines: Mapping[str, StemEngine],
        convert: Callable[[], Convert],
        sink: Sink,
        clock: Clock,
        stop: Event,
        real_time: bool = False,
        watch: Watch = lambda _stream, _frames: None,
    ) -> None:
        self._schedule = schedule
        self._plans = stream_plans(schedule)
        self._sources = sources
        self._engines = engines
        self._sink = sink
        self._clock = clock
        self._stop = stop
        self._real_time = real_time
        self._watch = watch
        self._start = 0.0
        self._waited = 0.0
        self._inbox = Inbox(len(self._plans))
        self._readers = [
            StreamReader(
                number, plan, sources[plan.stream.name], convert(), late=self._lateness(plan.stream.capture_fps)
            )
            for number, plan in enumerate(self._plans)
        ]
        self._running = set(range(len(self._plans)))
        self._watched = [0] * len(self._plans)
        self._verdicts = {app.app: Verdicts.of(app) for app in schedule.apps}
        self._voting = {
            app.app: Voting(
                votes=app.votes,
                end=end_rule(
                    after_seconds=app.end_after_seconds, event_length_seconds=app.event_length_seconds, fps=app.fps
                ),
            )
            for app in schedule.apps
        }
        self._apps = {app.app: AppCount() for app in schedule.apps}
        self._stems = {stem.stem.name: StemCount() for plan in self._plans for stem in plan.stems}
        self._records: Records | None = None

    def run(self) -> Summary:
        """Run until all streams have ended or ``stop`` is set; open events are closed either way."""
        self._records = Records(schedule=self._schedule, digest=self._schedule.digest, started=self._clock.utc())
        infos = {plan.stream.name: self._sources[plan.stream.name].info for plan in self._plans}
        self._sink.write(self._records.header(infos, real_time=self._real_time))
        self._start = self._clock.seconds()
        with ThreadPoolExecutor(max(1, len(self._readers)), thread_name_prefix="stream") as threads:
            reading = [threads.submit(self._read, number) for number in range(len(self._readers))]
            try:
                if self._real_time:
                    self._run_in_real_time()
                else:
                    self._run_as_fast_as_possible()
            finally:
                self._inbox.close()
            for future in reading:
                future.result()
        self._close_all_events()
        summary = self._summary()
        self._sink.write(self._records.footer(summary.plain(), wall_seconds=summary.wall_seconds))
        return summary

    def _read(self, number: int) -> None:
        try:
            for item in self._readers[number].prepared():
                if not self._inbox.put(item):
                    return
        finally:
            self._inbox.finish(number)

    def _run_as_fast_as_possible(self) -> None:
        while not self._stop.is_set():
            started = self._clock.seconds()
            heads = self._inbox.heads()
            self._waited += self._clock.seconds() - started
            self._close_events_of_ended_streams()
            if not heads:
                return
            item = min(heads, key=lambda head: (head.seconds, head.stream))
            self._inbox.take(item)
            self._analyse(item)
            self._report_progress(item.stream)

    def _run_in_real_time(self) -> None:
        deadlines = Deadlines(self._plans)
        while not self._stop.is_set():
            heads, state = self._inbox.heads_now()
            self._close_events_of_ended_streams()
            if heads is None:
                return
            now = self._now()
            arrived = [head for head in heads if head.seconds <= now]
            if not arrived:
                ahead = min((float(head.seconds - now) for head in heads), default=STOP_CHECK_SECONDS)
                started = self._clock.seconds()
                self._inbox.wait(state, min(ahead, STOP_CHECK_SECONDS))
                self._waited += self._clock.seconds() - started
                continue
            item, reason = deadlines.choose(arrived, now)
            self._inbox.take(item)
            if reason is None:
                self._analyse(item)
            else:
                self._drop(item, reason)
            self._report_progress(item.stream)

    def _now(self) -> Fraction:
        return Fraction(self._clock.seconds() - self._start)

    def _lateness(self, capture_fps: Fraction) -> Callable[[Fraction], bool]:
        """Whether a frame is too late to be worth converting, whatever was lost before."""
        bound = MAX_BOUNDS * bound_seconds(capture_fps)
        return lambda seconds: self._real_time and self._now() - seconds > bound

    def _analyse(self, item: Prepared) -> None:
        plan = self._plans[item.stream]
        for stem, due in zip(plan.stems, item.due, strict=True):
            if due:
                count = self._stems[stem.stem.name]
                started = self._clock.seconds()
                outputs = self._engines[stem.stem.name].run(item.inputs[stem.network_input], due)
                count.engine_seconds += self._clock.seconds() - started
                count.calls += 1
                late = self._real_time and self._now() - item.seconds > 1 / plan.stream.capture_fps
                self._decide(item, plan.stream.name, stem, outputs, late=late)

    def _decide(self, item: Prepared, stream: str, stem: StemPlan, outputs: Sequence[Output], *, late: bool) -> None:
        for app, probabilities in zip(stem.apps, outputs, strict=False):  # the apps due are the first few
            counts = self._apps[app.app]
            counts.analysed += 1
            counts.late += late
            look = self._verdicts[app.app].look(probabilities, item.index, item.seconds)
            for detection in self._voting[app.app].look(look):
                counts.events += detection.reason is None
                self._emit(app, stream, detection)

    def _drop(self, item: Prepared, reason: DropReason) -> None:
        for stem, due in zip(self._plans[item.stream].stems, item.due, strict=True):
            for app in stem.apps[:due]:
                self._apps[app.app].dropped[reason] += 1

    def _close_events_of_ended_streams(self) -> None:
        for number in sorted(self._running):
            if self._inbox.over(number):
                self._close_events(number)

    def _close_all_events(self) -> None:
        for number in sorted(self._running):
            self._close_events(number)

    def _close_events(self, number: int) -> None:
        self._running.discard(number)
        plan, ingest = self._plans[number], self._readers[number].ingest
        reason: EndReason = "RunStopped"
        if ingest.end is not None:
            reason = "StreamCutOff" if ingest.end.reason == "CutOff" else "StreamEnded"
        for stem in plan.stems:
            for app in stem.apps:
                closed = self._voting[app.app].close(
                    frame=max(ingest.last_index, 0), seconds=ingest.last_seconds, reason=reason
                )
                for detection in closed:
                    self._emit(app, plan.stream.name, detection)

    def _emit(self, app: ScheduledApp, stream: str, detection: Detection) -> None:
        assert self._records is not None  # noqa: S101 - run() made it before the first look
        self._sink.write(self._records.event(app, stream, detection))

    def _report_progress(self, number: int) -> None:
        read = self._readers[number].ingest.frames
        if read > self._watched[number]:
            self._watch(self._plans[number].stream.name, read - self._watched[number])
            self._watched[number] = read

    def _summary(self) -> Summary:
        return Summary(
            schedule=self._schedule,
            streams=tuple(
                StreamSummary(
                    plan=plan,
                    info=self._sources[plan.stream.name].info,
                    ingest=reader.ingest,
                    corrupt_packets=self._sources[plan.stream.name].corrupt_packets,
                )
                for plan, reader in zip(self._plans, self._readers, strict=True)
            ),
            apps=self._apps,
            stems=self._stems,
            wall_seconds=self._clock.seconds() - self._start,
            waited_seconds=self._waited,
            real_time=self._real_time,
            stopped=self._stop.is_set(),
        )
