"""The runner's loop, with a source and an engine that only write down what happens."""

import json
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.basednn import Preprocessing
from mainstream.documents import sha256
from mainstream.errors import OperationError
from mainstream.resources.edgenode import File, Source
from mainstream.sampling import Cycle, rates_on_offer
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem, StemSegment
from mainstream_runner.active import Active, LoadedSchedule
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.deadlines import MAX_BOUNDS, Deadlines, bound_seconds
from mainstream_runner.frames import Frame
from mainstream_runner.ingest import Prepared, StreamReader
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.plans import NetworkInput, stream_plans
from mainstream_runner.sources.file import FileSource
from mainstream_runner.sources.source import Connection, SourceInfo, StreamEnd

CAFFE = Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5)
SEGMENT_SECONDS = (0.003, 0.002, 0.004, 0.001)
BRANCH_SECONDS = 0.002


class FrozenClock:
    """Time stands still; all that needs it is the run's start."""

    def seconds(self) -> float:
        return 0.0

    def utc(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


class SteadySource:
    """Frames at a steady rate; a picture is its number."""

    def __init__(self, fps: Fraction, frames: int, reason: str = "EndOfFile") -> None:
        self.info = SourceInfo(file="steady", width=8, height=8, fps=fps, frames=frames, loop=False)
        self.end: StreamEnd | None = None
        self.corrupt_packets = self.skipped = 0
        self._fps, self._frames, self._reason = fps, frames, reason

    def frames(self, wanted: Any = None) -> Generator[Frame]:  # noqa: ARG002
        for index in range(self._frames):
            yield Frame(index=index, seconds=index / self._fps, picture=index)  # type: ignore[arg-type]
        self.end = StreamEnd(reason=self._reason)  # type: ignore[arg-type]

    def connection(self) -> Connection:
        return Connection(phase="Connected")

    def close(self) -> None:
        """Nothing to close."""


class WritingEngine:
    """Answers with the event's probability that the frame's number asks for, and remembers each call."""

    def __init__(self, calls: list[tuple[str, int, int]], stem: str, probability: Any = lambda _number: 0.0) -> None:
        self._calls, self._stem, self._probability = calls, stem, probability

    def run(self, pixels: np.ndarray, due: int) -> Sequence[np.ndarray]:
        number = int(pixels[0, 0, 0, 0])
        self._calls.append((self._stem, number, due))
        probability = self._probability(number)
        return [np.array([1 - probability, probability], np.float32)] * due

    def close(self) -> None:
        """Nothing to close."""


class Records(list[dict[str, Any]]):
    def write(self, record: Any) -> None:
        self.append(json.loads(json.dumps(record)))


def make_schedule(
    apps: Sequence[tuple[Fraction, int]], *, capture_fps: Fraction = Fraction(10), streams: int = 1, **changes: Any
) -> Schedule:
    """Apps of (rate, depth), dealt to the streams in turn; a stem for each stream."""
    names = [f"s{number}" for number in range(streams)]
    dealt = [[app for place, app in enumerate(apps) if place % streams == number] for number in range(streams)]
    stems, scheduled = [], []
    for name, mine in zip(names, dealt, strict=True):
        deepest = max((depth for _, depth in mine), default=0)
        segments = tuple(
            StemSegment(
                end=f"cut{number}",
                digest=sha256(f"segment {number}".encode()),
                fps=max(fps for fps, depth in mine if depth > number),
                planned_seconds=SEGMENT_SECONDS[number],
            )
            for number in range(deepest)
        )
        stem = f"{name}/full/base"
        stems.append(
            Stem(
                name=stem, stream=name, view="full", base_dnn=sha256(b"base"), input_shape=(8, 8, 3),
                preprocessing=CAFFE, segments=segments,
            )
        )  # fmt: skip
        for place, (fps, depth) in enumerate(mine):
            scheduled.append(
                ScheduledApp(
                    app=f"default/{name}-app{place}", stem=stem, package=sha256(b"package"), branchpoint=f"cut{depth - 1}",
                    depth=depth, branch_digest=sha256(f"branch {place}".encode()), planned_seconds=BRANCH_SECONDS, fps=fps,
                    **{"votes": 1, "threshold": 5, **changes}, expected_f1=0.9, classes=("background", "a"), events=("a",),
                )
            )  # fmt: skip
    cost = sum(segment.planned_seconds * float(segment.fps) for stem in stems for segment in stem.segments)
    cost += sum(app.planned_seconds * float(app.fps) for app in scheduled)
    return Schedule(
        edge_node="box", engine="LiteRT", threads=1, memory_bytes=1 << 30, cost=cost, budget=1.0,
        streams=tuple(
            ScheduledStream(name=name, source=Source(file=File(path="steady")), capture_fps=capture_fps, views=())
            for name in names
        ),
        stems=tuple(stems), apps=tuple(scheduled),
    )  # fmt: skip


class Outcome:
    """A run on steady streams: its records, the engine's calls, the summary, the frames that were converted."""

    def __init__(
        self,
        schedule: Schedule,
        frames: int,
        *,
        fps: Fraction | None = None,
        probability: Any = lambda _number: 0.0,
        reason: str = "EndOfFile",
        stop_at: int | None = None,
    ) -> None:
        self._stop, self._stop_at = Event(), stop_at
        self.records, self.calls, self.converted = Records(), [], []
        sources = {stream.name: SteadySource(fps or stream.capture_fps, frames, reason) for stream in schedule.streams}
        engines = {
            stem.name: WritingEngine(self.calls, stem.name, self._stopping(probability)) for stem in schedule.stems
        }
        pipeline = Pipeline(
            schedule,
            sources=sources,
            engines=engines,
            convert=lambda: self._convert,
            sink=self.records,
            clock=FrozenClock(),
            stop=self._stop,
        )
        self.summary = pipeline.run()

    def _stopping(self, probability: Any) -> Any:
        def answer(number: int) -> float:
            if number == self._stop_at:
                self._stop.set()
            return float(probability(number))

        return answer

    def _convert(self, picture: Any, _wanted: NetworkInput) -> np.ndarray:
        self.converted.append(picture)
        return np.full((1, 1, 1, 3), picture, np.float32)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["type"] == f"dev.mainstream.{kind}"]


CAPTURE_RATES = [Fraction(10), Fraction(15), Fraction(25, 2), Fraction(30), Fraction(100, 7)]


@st.composite
def mixed(draw: st.DrawFn) -> Schedule:
    """Up to six apps at offered rates and any depth, on one or two streams."""
    capture_fps = draw(st.sampled_from(CAPTURE_RATES))
    app = st.tuples(st.sampled_from(rates_on_offer(capture_fps)), st.integers(0, len(SEGMENT_SECONDS)))
    apps = draw(st.lists(app, min_size=1, max_size=6))
    return make_schedule(apps, capture_fps=capture_fps, streams=draw(st.integers(1, 2)))


@settings(max_examples=60, deadline=None)
@given(mixed())
def test_the_runner_executes_what_the_cost_model_charges(schedule: Schedule) -> None:
    """Over whole cycles, seconds of the segments and branches that were called = the schedule's cost x the time."""
    cycle = Cycle(schedule.streams[0].capture_fps)
    frames = cycle.slots * cycle.cycles
    outcome = Outcome(schedule, frames)
    plans = {stem.stem.name: stem for plan in stream_plans(schedule) for stem in plan.stems}
    work = Counter()
    for stem, _, due in outcome.calls:
        apps = plans[stem].apps[:due]
        for number in range(max(app.depth for app in apps)):
            work[stem, number] += 1
        for app in apps:
            work[app.app] += 1
    seconds = frames / cycle.capture_fps
    for app in schedule.apps:
        assert work[app.app] == app.fps * seconds
    for name, plan in plans.items():
        for number, segment in enumerate(plan.stem.segments):
            assert work[name, number] == segment.fps * seconds
    total = sum(
        count * (SEGMENT_SECONDS[key[1]] if isinstance(key, tuple) else BRANCH_SECONDS) for key, count in work.items()
    )
    assert total / seconds == pytest.approx(schedule.cost)
    assert {app["app"]: app["analysed"] for app in outcome.summary.plain()["apps"]} == {
        app.app: app.fps * seconds for app in schedule.apps
    }


def test_a_frame_is_one_call_and_one_conversion() -> None:
    """Three apps on a frame share the call; frames that nobody is due on are not converted."""
    schedule = make_schedule([(Fraction(5), 2), (Fraction(2), 3), (Fraction(1), 1)])
    outcome = Outcome(schedule, 100)
    numbers = [number for _, number, _ in outcome.calls]
    assert len(numbers) == len(set(numbers)) == 50
    assert sorted(outcome.converted) == sorted(numbers)
    assert Counter(due for _, _, due in outcome.calls) == {1: 30, 2: 10, 3: 10}


def test_surplus_frames_are_not_converted() -> None:
    """A camera at twice the stated rate costs no more than the plan."""
    schedule = make_schedule([(Fraction(10), 2)])
    outcome = Outcome(schedule, 200, fps=Fraction(20))
    assert len(outcome.calls) == len(outcome.converted) == 100
    stream = outcome.summary.plain()["streams"][0]
    assert (stream["framesRead"], stream["surplusFrames"], stream["missingSlots"]) == (200, 100, 0)
    assert stream["captureRateMismatch"] == {"write": "20"}
    assert any('write captureFps: "20"' in warning for warning in outcome.summary.warnings())


def test_streams_are_taken_by_their_own_time() -> None:
    """As fast as possible, frames of two streams alternate by time, and the records are the same each time."""
    schedule = make_schedule([(Fraction(10), 1), (Fraction(10), 1)], streams=2)
    first = Outcome(schedule, 50, probability=lambda number: float(number % 10 > 5))
    second = Outcome(schedule, 50, probability=lambda number: float(number % 10 > 5))
    assert [number for _, number, _ in first.calls] == [number for number in range(50) for _ in range(2)]
    assert first.of_type("event.started") == second.of_type("event.started")
    assert len(first.of_type("event.ended")) == 10


def test_events_are_cloudevents() -> None:
    """The fields that formats.md names, with the stream's own times."""
    schedule = make_schedule([(Fraction(10), 2)], votes=2)
    outcome = Outcome(schedule, 40, probability=lambda number: 0.75 * (10 <= number < 20))
    (started,), (ended,) = outcome.of_type("event.started"), outcome.of_type("event.ended")
    assert {key: started[key] for key in started if key not in ("data", "id")} == {
        "specversion": "1.0",
        "type": "dev.mainstream.event.started",
        "source": "/edgenodes/box/streams/s0",
        "subject": "default/s0-app0",
        "time": "2026-01-02T03:04:06.778901Z",
        "datacontenttype": "application/json",
    }
    assert started["data"]["event"] == ended["data"]["event"]
    assert started["id"] != ended["id"]
    data = ended["data"]
    assert (data["startFrame"], data["endFrame"], data["startSeconds"], data["endSeconds"]) == (10, 19, "1", "1.9")
    assert (data["label"], data["score"], data["votes"], data["positives"]) == ("a", "0.75", 2, 10)
    assert (data["frame"], data["streamSeconds"], data["reason"]) == (21, "2.1", "NoPositive")
    assert data["schedule"] == schedule.digest
    assert (started["data"]["frame"], started["data"]["startFrame"]) == (11, 10)


@pytest.mark.parametrize(("reason", "expected"), [("EndOfFile", "StreamEnded"), ("CutOff", "StreamCutOff")])
def test_the_end_of_a_stream_closes_its_events(reason: str, expected: str) -> None:
    """An event that is open when its stream ends is ended for that reason, at its last positive."""
    outcome = Outcome(
        make_schedule([(Fraction(10), 2)]), 40, probability=lambda number: float(number > 30), reason=reason
    )
    (ended,) = outcome.of_type("event.ended")
    assert ended["data"]["reason"] == expected
    assert (ended["data"]["startFrame"], ended["data"]["endFrame"]) == (31, 39)


def test_a_signal_stops_between_two_frames() -> None:
    """What is open is ended for that reason, the summary holds what was done, no later frame is analysed."""
    outcome = Outcome(
        make_schedule([(Fraction(10), 2)]), 10_000, probability=lambda number: float(number > 5), stop_at=20
    )
    assert outcome.calls[-1][1] == 20
    (ended,) = outcome.of_type("event.ended")
    assert ended["data"]["reason"] == "RunStopped"
    assert ended["data"]["endFrame"] == 20
    plain = outcome.summary.plain()
    assert plain["stopped"]
    assert plain["apps"][0]["analysed"] == 21
    assert plain["streams"][0]["end"] == "RunStopped"
    assert outcome.records[-1]["type"] == "dev.mainstream.run.ended"


def test_a_sink_that_fails_ends_the_run() -> None:
    """The reading threads end too, and the error is the sink's."""

    class Full(Records):
        def write(self, record: Any) -> None:
            if len(self) == 3:
                raise OperationError("disk full")
            super().write(record)

    schedule = make_schedule([(Fraction(10), 1)])
    pipeline = Pipeline(
        schedule,
        sources={"s0": SteadySource(Fraction(10), 10_000)},
        engines={"s0/full/base": WritingEngine([], "s0/full/base", lambda number: float(number % 10 < 5))},
        convert=lambda: lambda picture, _wanted: np.full((1, 1, 1, 3), picture, np.float32),
        sink=Full(),
        clock=FrozenClock(),
        stop=Event(),
    )
    with pytest.raises(OperationError, match="disk full"):
        pipeline.run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stream")]


def test_a_file_in_real_time_takes_its_time(make_video) -> None:
    """A second of video takes a second, nothing is late on an idle box, and every look is taken."""
    schedule = make_schedule([(Fraction(15), 2), (Fraction(5), 3)], capture_fps=Fraction(15))
    calls: list[tuple[str, int, int]] = []
    with FileSource(make_video("a.mp4", frames=16), capture_fps=Fraction(15)) as source:
        summary = Pipeline(
            schedule,
            sources={"s0": source},
            engines={"s0/full/base": WritingEngine(calls, "s0/full/base")},
            convert=SwscaleConvert,
            sink=Records(),
            clock=SystemClock(),
            stop=Event(),
            real_time=True,
        ).run()
    assert 1.0 <= summary.wall_seconds < 5
    looks = summary.apps["default/s0-app0"]
    assert looks.analysed + looks.dropped.total() == 16
    assert summary.waited_seconds > 0.5


class SparingSource(SteadySource):
    """A camera that decodes only what is wanted; ``now`` is when its newest frame came."""

    def __init__(self, fps: Fraction, frames: int) -> None:
        super().__init__(fps, frames)
        self.info = replace(self.info, live=True)
        self.now = Fraction(0)

    def frames(self, wanted: Any = None) -> Generator[Frame]:
        for frame in super().frames():
            self.now = frame.seconds
            if wanted(frame.seconds):
                yield replace(frame, arrived=float(frame.seconds))
            else:
                self.skipped += 1


def test_a_frame_that_nobody_looks_at_came_all_the_same() -> None:
    """The age of a stream's newest frame tells whether the camera is alive, however rare looks are."""
    schedule = make_schedule([(Fraction(1), 2)])
    source = SparingSource(Fraction(10), 36)
    reader = StreamReader(
        0,
        schedule.streams[0],
        source,
        lambda _picture, _wanted: np.zeros((1, 8, 8, 3), np.float32),
        active=Active(LoadedSchedule(schedule, {})),
        now=lambda: source.now,
        real_time=True,
        epoch=0.0,
    )
    assert len(list(reader.items())) == 4
    assert source.skipped == 32
    assert reader.ingest.last_at == 3.5


def test_header_and_summary_frame_the_events() -> None:
    """The first record names apps and streams, the last one holds the summary."""
    outcome = Outcome(make_schedule([(Fraction(5), 2), (Fraction(1, 2), 3)]), 40)
    first, last = outcome.records[0], outcome.records[-1]
    assert first["type"] == "dev.mainstream.run.started"
    assert first["data"]["streams"][0] | {"name": "s0", "captureFps": "10", "frames": 40} == first["data"]["streams"][0]
    assert [(app["app"], app["events"], app["fps"]) for app in first["data"]["apps"]] == [
        ("default/s0-app0", ["a"], "5"),
        ("default/s0-app1", ["a"], "1/2"),
    ]
    assert last["type"] == "dev.mainstream.run.ended"
    assert last["data"]["streams"][0]["framesRead"] == 40


def test_a_threshold_is_what_the_summed_probability_must_reach() -> None:
    """A half is enough for threshold 5, not for 6."""
    at_half = Outcome(make_schedule([(Fraction(10), 1)], threshold=5), 10, probability=lambda _number: 0.5)
    above = Outcome(make_schedule([(Fraction(10), 1)], threshold=6), 10, probability=lambda _number: 0.5)
    assert (len(at_half.of_type("event.started")), len(above.of_type("event.started"))) == (1, 0)


def simulate(schedule: Schedule, *, frames: int, service_seconds: float) -> Counter[tuple[str, str]]:
    """Real time as a simulation: each engine call takes ``service_seconds``; looks by app and outcome."""
    plans = stream_plans(schedule)
    deadlines = Deadlines()
    loaded = LoadedSchedule(schedule, {})
    waiting: list[list[Prepared]] = []
    for number, plan in enumerate(plans):
        cycle = Cycle(plan.stream.capture_fps)
        due = [(slot, plan.due(cycle, slot)) for slot in range(frames)]
        waiting.append(
            [
                Prepared(
                    reader=number, index=slot, slot=slot, seconds=slot / plan.stream.capture_fps,
                    at=slot / plan.stream.capture_fps, due=counts, plan=plan, loaded=loaded, picture=None,
                    inputs={plan.stems[0].network_input: np.zeros(1, np.float32)},
                )
                for slot, counts in due
                if any(counts)
            ]
        )  # fmt: skip
    looks: Counter[tuple[str, str]] = Counter()
    now = Fraction(0)
    worst = Fraction(0)
    while any(waiting):
        heads = [queue[0] for queue in waiting if queue]
        arrived = [head for head in heads if head.seconds <= now]
        if not arrived:
            now = min(head.seconds for head in heads)
            continue
        item, reason = deadlines.choose(arrived, now)
        waiting[item.reader].pop(0)
        if reason is None:
            worst = max(worst, now - item.seconds)
            now += Fraction(service_seconds)
        for stem, due in zip(item.plan.stems, item.due, strict=True):
            for app in stem.apps[:due]:
                looks[app.app, reason or "analysed"] += 1
    assert worst <= MAX_BOUNDS * bound_seconds(plans[0].stream.capture_fps)
    return looks


def test_a_fast_enough_box_drops_nothing() -> None:
    """At 95 % load of the engine, no frame is lost."""
    schedule = make_schedule([(Fraction(10), 1), (Fraction(10), 1)], streams=2)
    assert {reason for _, reason in simulate(schedule, frames=500, service_seconds=0.0475)} == {"analysed"}


def test_an_overloaded_box_drops_evenly_over_streams() -> None:
    """Half the speed that is needed: both streams lose about half, whoever comes first."""
    looks = simulate(make_schedule([(Fraction(10), 1), (Fraction(10), 1)], streams=2), frames=500, service_seconds=0.1)
    assert looks["default/s0-app0", "analysed"] == pytest.approx(250, abs=25)
    assert looks["default/s1-app0", "analysed"] == pytest.approx(250, abs=25)


@pytest.mark.parametrize("slow", [Fraction(5), Fraction(2), Fraction(1)])
def test_an_overloaded_box_starves_no_slow_app(slow: Fraction) -> None:
    """A slow app whose looks fall on the frames that would be dropped still gets its share."""
    for service_seconds in (0.12, 0.15, 0.2, 0.3, 0.4):
        looks = simulate(make_schedule([(Fraction(10), 1), (slow, 2)]), frames=600, service_seconds=service_seconds)
        share = looks["default/s0-app1", "analysed"] / float(slow * 60)
        assert share > 0.2, service_seconds
