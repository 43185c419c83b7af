"""The runner's loop: decode, sample, one engine call per due stem, votes, events.

Each stream is read by a thread of its own (``ingest``); this loop takes a frame at a time, so engine calls never overlap. As
fast as possible it takes them by stream time and gives the same records each time; in real time by ``deadlines``, and frames
that come too late are dropped and counted. Another schedule is taken over between two frames (``active``). Nothing here grows
with the length of a stream.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event

from mainstream.schedule import Schedule
from mainstream_runner.active import Active, LoadedSchedule, StemEngine
from mainstream_runner.clock import Clock
from mainstream_runner.deadlines import Deadlines
from mainstream_runner.decisions import Decisions
from mainstream_runner.events import Records
from mainstream_runner.inbox import Inbox
from mainstream_runner.ingest import Interrupted, Prepared
from mainstream_runner.plans import Convert
from mainstream_runner.readers import Readers
from mainstream_runner.sinks.jsonl import Sink
from mainstream_runner.sources.source import FrameSource, StreamEnd
from mainstream_runner.summary import StemCount, StreamSummary, Summary
from mainstream_runner.turns import EngineTurns
from mainstream_runner.voting import EndReason

STOP_CHECK_SECONDS = 0.2
"""How long the loop may sleep before it looks whether it should stop."""

Watch = Callable[[str, int], None]
"""Told now and then how many more frames of a stream were read."""


class Pipeline:
    """One run, of a schedule and those that follow it. ``stop`` may be set by a signal's handler at any moment.

    With ``stay`` (in real time) it goes on when all streams have ended, or there are none: another schedule may come.
    ``convert`` makes a converter for each stream, since each stream is read by a thread of its own. The public fields may be
    looked at by other threads.
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
        stay: bool = False,
        watch: Watch = lambda _stream, _frames: None,
    ) -> None:
        self.active = Active(LoadedSchedule(schedule, engines))
        self.stems: dict[str, StemCount] = {}
        self.records = Records(edge_node=schedule.edge_node, started=clock.utc())
        self.decisions = Decisions(self.records, sink, self._time_of)
        self.turns = EngineTurns(clock)
        self.changes = 0
        self.came_round = clock.seconds()
        self._sources = sources
        self._sink = sink
        self._clock = clock
        self._stop = stop
        self._real_time = real_time
        self._stay = stay
        self._live = any(source.info.live for source in sources.values())
        self._start = clock.seconds()
        self._waited = 0.0
        self._inbox = Inbox()
        self._next: tuple[LoadedSchedule, Mapping[str, FrameSource]] | None = None
        self._taken_over = Event()
        self.ended = Event()
        self.readers = Readers(
            self._inbox, self.active, convert, now=self.now, clock=clock, real_time=real_time, watch=watch
        )

    def run(self) -> Summary:
        """Run until all streams have ended (see ``stay``) or ``stop`` is set; open events are closed either way."""
        loaded = self.active.loaded
        infos = {plan.stream.name: self._sources[plan.stream.name].info for plan in loaded.plans}
        self._sink.write(self.records.header(loaded.schedule, infos, real_time=self._real_time))
        self._start = self._clock.seconds()
        self._adopt(loaded)
        try:
            self.readers.start(loaded, self._sources)
            if self._real_time:
                self._run_in_real_time()
            else:
                self._run_as_fast_as_possible()
        finally:
            self.ended.set()
            self._inbox.close()
            self.readers.close()
        self._close_events_of_ended_streams()
        for reader in self.readers.current():
            self._close_events(reader.number, "RunStopped")
        summary = self._summary()
        footer = self.records.footer(
            summary.plain(), digest=self.active.loaded.digest, wall_seconds=summary.wall_seconds
        )
        self._sink.write(footer)
        return summary

    def exchange(self, loaded: LoadedSchedule, sources: Mapping[str, FrameSource]) -> bool:
        """Go on with another schedule from the next frame on; from another thread. ``sources`` are of the streams that are new.

        Returns when that has happened; False if the run ended before.
        """
        self._taken_over.clear()
        self._next = (loaded, sources)
        self._inbox.wake()
        while not self._taken_over.wait(STOP_CHECK_SECONDS):
            if self.ended.is_set():
                return False
        return True

    def close_drained(self) -> None:
        """Give back what old schedules held, once their last frames have left; from any thread but not two at once."""
        for engine in self.active.drained():
            engine.close()

    def close(self) -> None:
        """Give back what the schedules held, after the run."""
        for engine in self.active.all_engines():
            engine.close()

    def now(self) -> float:
        """Seconds of the run."""
        return self._clock.seconds() - self._start

    def _time_of(self, at: float) -> datetime:
        """The wall time of a moment of the run; of live streams by the clock as it is set now, since clocks are corrected."""
        if self._live:
            return self._clock.utc() - timedelta(seconds=self.now() - at)
        return self.records.started + timedelta(microseconds=round(at * 1_000_000))

    def _run_as_fast_as_possible(self) -> None:
        while self._go_on():
            started = self._clock.seconds()
            heads = self._inbox.heads(STOP_CHECK_SECONDS)
            self._waited += self._clock.seconds() - started
            if heads is None:
                continue
            self._close_events_of_ended_streams()
            if not heads:
                return
            frames = [head for head in heads if isinstance(head, Prepared)]
            self._take(min(frames, key=lambda head: (head.at, head.reader)) if frames else heads[0])

    def _run_in_real_time(self) -> None:
        deadlines = Deadlines()
        while self._go_on():
            heads, state = self._inbox.heads_now()
            self._close_events_of_ended_streams()
            if heads is None:
                if not self._stay:
                    return
                heads = []
            now = self.now()
            arrived = []
            for head in heads:
                if isinstance(head, Interrupted):
                    self._take(head)
                elif head.at <= now:
                    arrived.append(head)
            if arrived:
                item, reason = deadlines.choose(arrived, now)
                if reason is None:
                    self._take(item)
                else:
                    self._inbox.take(item)
                    self.decisions.drop(item, reason)
                    self.active.give_back(item.loaded)
                continue
            ahead = min((head.at - now for head in heads if isinstance(head, Prepared)), default=1.0)
            started = self._clock.seconds()
            self._inbox.wait(state, min(ahead, STOP_CHECK_SECONDS))
            self._waited += self._clock.seconds() - started

    def _go_on(self) -> bool:
        """Between two frames: take over a new schedule, see whether to stop."""
        self.came_round = self._clock.seconds()
        if self._next is not None:
            new, self._next = self._next, None
            self.active.exchange(new[0])
            self._adopt(new[0])
            self._live |= any(source.info.live for source in new[1].values())
            self.readers.start(*new)
            self.changes += 1
            self._taken_over.set()
        self.readers.report(self.came_round)
        return not self._stop.is_set()

    def _adopt(self, loaded: LoadedSchedule) -> None:
        self.decisions.adopt(loaded, self.now())
        names = {stem.stem.name for plan in loaded.plans for stem in plan.stems}
        self.stems = {name: self.stems.get(name, StemCount()) for name in names}

    def _take(self, item: Prepared | Interrupted) -> None:
        self._inbox.take(item)
        if isinstance(item, Interrupted):
            self._close_events(item.reader, "StreamLost")
            return
        for stem, due in zip(item.plan.stems, item.due, strict=True):
            if due:
                engine = item.loaded.engines[stem.stem.name]
                with self.turns.of_a_frame():
                    started = self._clock.seconds()
                    outputs = engine.run(item.inputs[stem.network_input], due)
                    ended = self._clock.seconds()
                if (count := self.stems.get(stem.stem.name)) is not None:
                    count.engine_seconds += ended - started
                    count.calls += 1
                now = self.now() if self._real_time else item.at
                late = now - item.at > item.plan.interval_seconds
                self.decisions.decide(item, stem, outputs, now=now, late=late)
        self.active.give_back(item.loaded)

    def _close_events_of_ended_streams(self) -> None:
        for reader in self.readers.ended():
            self._close_events(reader.number, self._why(reader.ingest.end))
            self.readers.forget(reader.number)

    def _why(self, end: StreamEnd | None) -> EndReason:
        """A stream's events end for that reason with it: a camera's stream is closed when the run is stopped."""
        if end is not None and end.reason == "CutOff":
            return "StreamCutOff"
        closed = end is None or end.reason == "Closed"
        return "RunStopped" if closed and self._stop.is_set() else "StreamEnded"

    def _close_events(self, number: int, reason: EndReason) -> None:
        reader = self.readers.all[number]
        ingest = reader.ingest
        self.decisions.close_stream(
            reader.stream.name,
            frame=max(ingest.last_index, 0),
            seconds=ingest.last_seconds,
            reason=reason,
            now=self.now() if self._real_time else float(ingest.last_seconds),
        )

    def _summary(self) -> Summary:
        loaded = self.active.loaded
        by_stream = {reader.stream.name: reader for reader in self.readers.all.values()}
        return Summary(
            schedule=loaded.schedule,
            streams=tuple(StreamSummary(plan=plan, reader=by_stream[plan.stream.name]) for plan in loaded.plans),
            apps=self.decisions.apps,
            stems=self.stems,
            wall_seconds=self._clock.seconds() - self._start,
            waited_seconds=self._waited,
            real_time=self._real_time,
            stopped=self._stop.is_set(),
        )
