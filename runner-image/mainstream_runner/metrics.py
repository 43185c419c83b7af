"""The runner's numbers for Prometheus: read from the ``Board`` at each scrape, nothing is counted twice.

Names follow Prometheus' conventions: prefix ``mainstream_``, base units, ``_total`` for what never falls. A *cost* is engine
seconds per second, so a ratio. Moments are Unix timestamps (``time() - x`` is an age that stays true if scrapes fail).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import InfoMetricFamily as Info
from prometheus_client.core import Metric
from prometheus_client.core import StateSetMetricFamily as StateSet
from prometheus_client.registry import Collector

from mainstream_runner.board import LATENCY_BOUNDS_SECONDS, AppNumbers, Board, Numbers, StreamPhase
from mainstream_runner.clock import Clock, SystemClock
from mainstream_runner.deadlines import DropReason

PHASES: tuple[str, ...] = get_args(StreamPhase)
DROP_REASONS: tuple[str, ...] = get_args(DropReason)
"""Each is there from the start with 0: a rate over a series that has just appeared misses its first count."""


def registry(board: Board, *, clock: Clock | None = None) -> CollectorRegistry:
    """A registry of its own with the board's numbers and the process's (CPU, memory, files)."""
    metrics = CollectorRegistry()
    metrics.register(_BoardCollector(board, clock or SystemClock()))
    ProcessCollector(registry=metrics)
    return metrics


class _BoardCollector(Collector):
    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are known without asking the board, which may not be ready yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families, at this moment."""
        numbers, now = self._board.numbers(), self._clock.utc()
        yield from _run(self._board, numbers, now)
        yield from _streams(self._board, numbers, now)
        yield from _stems(numbers)
        yield from _apps(numbers.apps)
        yield from _sinks(self._board)


def _run(board: Board, numbers: Numbers, now: datetime) -> Iterator[Metric]:
    schedule = board.schedule()
    info = Info("mainstream_schedule", "The schedule that runs.")
    if schedule is not None:
        info.add_metric(
            (),
            {
                "digest": schedule.digest,
                "edge_node": schedule.edge_node,
                "engine": schedule.engine,
                "threads": str(schedule.threads),
            },
        )
    yield info
    yield Gauge("mainstream_start_time_seconds", "When the run started.", value=board.started().timestamp())
    yield Gauge(
        "mainstream_loop_last_round_timestamp_seconds",
        "When the loop last came round; it does so five times a second.",
        value=now.timestamp() - board.alive_age_seconds(),
    )
    yield Gauge("mainstream_cost_planned_ratio", "Engine seconds per second, planned.", value=numbers.planned_cost)
    yield Gauge(
        "mainstream_cost_measured_ratio", "Engine seconds per second over the last minute.", value=numbers.measured_cost
    )
    yield Gauge("mainstream_budget_ratio", "Engine seconds per second that may be planned.", value=numbers.budget)
    yield Counter("mainstream_schedule_changes", "Schedules taken over.", value=numbers.schedule_changes)
    yield Counter("mainstream_schedule_refusals", "Schedules refused.", value=numbers.schedule_refusals)
    yield Gauge(
        "mainstream_schedule_refused",
        "1 if the newest schedule is refused and an older one runs on.",
        value=float(board.refused() is not None),
    )


def _streams(board: Board, numbers: Numbers, now: datetime) -> Iterator[Metric]:
    labels = ("stream",)
    state = StateSet("mainstream_stream_state", "What the stream is doing.", labels=labels)
    mismatch = Gauge(
        "mainstream_stream_capture_rate_mismatch", "1 if the camera's rate is not the stated one.", labels=labels
    )
    stated = Gauge("mainstream_stream_capture_frames_per_second", "The capture rate, as stated.", labels=labels)
    newest = Gauge("mainstream_stream_last_frame_timestamp_seconds", "When the newest frame came.", labels=labels)
    reconnects = Counter("mainstream_stream_reconnects", "Times that the stream was connected anew.", labels=labels)
    corrupt = Counter("mainstream_stream_corrupt_packets", "Packets that could not be decoded.", labels=labels)
    for stream in board.streams():
        name = (stream.name,)
        state.add_metric(name, {phase: phase == stream.phase for phase in PHASES})
        mismatch.add_metric(name, float(stream.rate_to_write is not None))
        stated.add_metric(name, stream.capture_fps)
        reconnects.add_metric(name, stream.reconnects)
        corrupt.add_metric(name, stream.corrupt_packets)
        if stream.last_frame_age_seconds is not None:
            newest.add_metric(name, now.timestamp() - stream.last_frame_age_seconds)
    yield from (state, mismatch, stated, newest, reconnects, corrupt)
    frames = Counter("mainstream_stream_frames", "Frames that the stream had.", labels=labels)
    unseen = Counter("mainstream_stream_frames_unseen", "Decoded frames that no app was due on.", labels=labels)
    surplus = Counter(
        "mainstream_stream_frames_surplus", "Frames beyond the stated capture rate, not analysed.", labels=labels
    )
    missing = Counter("mainstream_stream_slots_missing", "Slots that no frame came for.", labels=labels)
    decode = Counter("mainstream_stream_decode_seconds", "Seconds of one core spent decoding.", labels=labels)
    convert = Counter("mainstream_stream_convert_seconds", "Seconds of one core spent resizing.", labels=labels)
    for stream_name, read in numbers.streams.items():
        name = (stream_name,)
        frames.add_metric(name, read.frames)
        unseen.add_metric(name, read.unseen)
        surplus.add_metric(name, read.surplus)
        missing.add_metric(name, read.missing)
        decode.add_metric(name, read.decode_seconds)
        convert.add_metric(name, read.convert_seconds)
    yield from (frames, unseen, surplus, missing, decode, convert)


def _stems(numbers: Numbers) -> Iterator[Metric]:
    labels = ("stem", "stream", "view")
    calls = Counter("mainstream_stem_engine_calls", "Calls of the engine.", labels=labels)
    seconds = Counter("mainstream_stem_engine_seconds", "Seconds in the engine.", labels=labels)
    planned = Gauge("mainstream_stem_cost_planned_ratio", "Engine seconds per second, planned.", labels=labels)
    measured = Gauge(
        "mainstream_stem_cost_measured_ratio", "Engine seconds per second over the last minute.", labels=labels
    )
    for name, stem in numbers.stems.items():
        values = (name, stem.stream, stem.view)
        calls.add_metric(values, stem.calls)
        seconds.add_metric(values, stem.engine_seconds)
        planned.add_metric(values, stem.planned_cost)
        measured.add_metric(values, stem.measured_cost)
    yield from (calls, seconds, planned, measured)


def _apps(apps: dict[str, AppNumbers]) -> Iterator[Metric]:
    labels = ("app", "stream")
    analysed = Counter("mainstream_app_frames_analysed", "Frames that the app saw.", labels=labels)
    late = Counter(
        "mainstream_app_frames_late", "Of those, frames with the verdict over a capture interval late.", labels=labels
    )
    dropped = Counter("mainstream_app_frames_dropped", "Frames that the app was due on.", labels=(*labels, "reason"))
    events = Counter("mainstream_app_events", "Events started.", labels=labels)
    latency = Histogram(
        "mainstream_app_latency_seconds", "From a frame's arrival to the app's verdict on it.", labels=labels
    )
    planned = Gauge("mainstream_app_planned_frames_per_second", "The app's rate, planned.", labels=labels)
    measured = Gauge("mainstream_app_measured_frames_per_second", "The app's rate over the last minute.", labels=labels)
    branch = Gauge("mainstream_app_branch_planned_seconds", "Engine seconds of the app's branch.", labels=labels)
    expected = Gauge("mainstream_app_expected_f1_ratio", "The event F1 that the plan expects.", labels=labels)
    newest = Gauge("mainstream_app_last_event_timestamp_seconds", "When the newest event was decided.", labels=labels)
    is_open = Gauge("mainstream_app_event_open", "1 while an event goes on.", labels=labels)
    for name, app in apps.items():
        values = (name, app.stream)
        analysed.add_metric(values, app.analysed)
        late.add_metric(values, app.late)
        for reason in sorted({*DROP_REASONS, *app.dropped}):
            dropped.add_metric((*values, reason), app.dropped.get(reason, 0))
        events.add_metric(values, app.events)
        latency.add_metric(values, buckets=_buckets(app.latency_buckets), sum_value=app.latency_seconds)
        planned.add_metric(values, app.planned_fps)
        measured.add_metric(values, app.measured_fps)
        branch.add_metric(values, app.planned_seconds)
        expected.add_metric(values, app.expected_f1)
        is_open.add_metric(values, float(app.open_event))
        if app.last_event is not None:
            newest.add_metric(values, app.last_event.astimezone(UTC).timestamp())
    yield from (analysed, late, dropped, events, latency, planned, measured, branch, expected, newest, is_open)


def _buckets(counts: tuple[int, ...]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in LATENCY_BOUNDS_SECONDS), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)]


def _sinks(board: Board) -> Iterator[Metric]:
    labels = ("app", "sink")
    connected = Gauge("mainstream_sink_connected", "1 while the sink takes records.", labels=labels)
    queued = Gauge("mainstream_sink_queued_records", "Records that wait for the sink.", labels=labels)
    delivered = Counter("mainstream_sink_records_delivered", "Records that the sink has.", labels=labels)
    dropped = Counter("mainstream_sink_records_dropped", "Records that a full queue lost.", labels=labels)
    for sink in board.sinks():
        values = (sink.app, sink.sink)
        connected.add_metric(values, float(sink.connected))
        queued.add_metric(values, sink.queued)
        delivered.add_metric(values, sink.delivered)
        dropped.add_metric(values, sink.dropped)
    yield from (connected, queued, delivered, dropped)
