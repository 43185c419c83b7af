"""What the runner lets others see: the seam between the loop and the web page, the metrics, the probes and the report.

Whoever shows something reads a ``Board``; nothing here knows who. All of it may be called from any thread and takes
microseconds, except ``picture``, which encodes a JPEG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from mainstream.schedule import Schedule

StreamPhase = Literal["Connecting", "Connected", "Stalled", "Unreachable", "CredentialsRejected", "Ended"]
"""``Connected`` is the only good one of a live stream; ``Ended`` is a file's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """A stream now. ``message`` says more where ``phase`` is not ``Connected``, without credentials."""

    name: str
    phase: StreamPhase
    message: str = ""
    source: str = ""  # kind and address, credentials removed: "rtsp://10.0.0.7/stream1"
    width: int = 0
    height: int = 0
    capture_fps: float = 0.0  # stated
    rate_to_write: str | None = None  # CaptureRateMismatch: the captureFps that the manifest should state
    since: datetime | None = None  # of the phase
    last_frame_age_seconds: float | None = None
    frames: int = 0
    reconnects: int = 0
    corrupt_packets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """A sink of an app now. ``queued`` records wait; ``dropped`` were the oldest of a full queue."""

    app: str
    sink: str  # kind and address without credentials: "mqtt://broker:1883 traffic/red-car"
    connected: bool
    message: str = ""
    queued: int = 0
    delivered: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamNumbers:
    """A stream's counters since the start; they never fall. Seconds are of one core."""

    frames: int
    unseen: int
    surplus: int
    missing: int
    decode_seconds: float
    convert_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AppNumbers:
    """An app's counters since the start (over changes of schedule), and its newest event's time.

    ``latency_buckets[i]`` counts verdicts at most ``LATENCY_BOUNDS_SECONDS[i]`` after the frame's arrival; the last entry all.
    """

    stream: str
    analysed: int
    late: int
    dropped: dict[str, int]
    events: int
    latency_seconds: float  # summed
    latency_buckets: tuple[int, ...]
    planned_fps: float
    measured_fps: float  # over the last minute
    planned_seconds: float  # of its branch, per frame
    expected_f1: float
    last_event: datetime | None
    open_event: bool


LATENCY_BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class StemNumbers:
    """A stem's engine calls since the start; planned and measured cost (engine seconds per second) over the last minute."""

    stream: str
    view: str
    calls: int
    engine_seconds: float
    planned_cost: float
    measured_cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """All counters at one moment."""

    streams: dict[str, StreamNumbers]
    apps: dict[str, AppNumbers]
    stems: dict[str, StemNumbers]
    planned_cost: float
    measured_cost: float
    budget: float
    schedule_changes: int
    schedule_refusals: int


class Board(Protocol):
    """See the module."""

    def schedule(self) -> Schedule | None:
        """The schedule that runs; None before the first is loaded."""
        ...

    def refused(self) -> str | None:
        """Why the newest schedule was refused; None if it runs."""
        ...

    def started(self) -> datetime: ...

    def alive_age_seconds(self) -> float:
        """Since the loop last came round; it does so five times a second even if there is nothing to do."""
        ...

    def streams(self) -> Sequence[StreamState]: ...

    def sinks(self) -> Sequence[SinkState]: ...

    def numbers(self) -> Numbers: ...

    def events(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """The newest event records (CloudEvents, at most 500) with their running numbers above ``after``, in order."""
        ...

    def picture(self, stream: str, *, width: int) -> bytes | None:
        """The newest decoded frame as JPEG, shrunk to ``width``; None if the stream has none yet or is not in the schedule."""
        ...
