"""A run as others see it, put together by hand: what the page, the probes and the metrics are shown."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from mainstream.schedule import Schedule
from mainstream_runner.board import AppNumbers, Numbers, SinkState, StemNumbers, StreamNumbers, StreamState

STARTED = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
PREPROCESSING = {"colourOrder": "RGB", "divisor": "127.5", "mean": ["127.5", "127.5", "127.5"]}
SEGMENTS = ("conv_pw_3", "conv_pw_6", "conv_pw_9")


def app(name: str, depth: int, fps: int, **changes: Any) -> dict[str, Any]:
    return {
        "app": name,
        "stem": "gate/full/aaaaaaaaaaaa",
        "package": DIGEST,
        "branchpoint": SEGMENTS[depth - 1],
        "depth": depth,
        "branchDigest": DIGEST,
        "plannedSeconds": "0.004",
        "fps": str(fps),
        "votes": 2,
        "threshold": 5,
        "expectedF1": "0.91",
        "classes": ["background", "car"],
        "events": ["car"],
        **changes,
    }


def schedule_of(apps: Sequence[dict[str, Any]], *, stream: str = "gate") -> Schedule:
    return Schedule.from_plain(
        {
            "schemaVersion": 1,
            "edgeNode": "north",
            "engine": "LiteRT",
            "threads": 2,
            "memoryBytes": 1 << 30,
            "cost": "0.31",
            "budget": "0.5",
            "streams": [
                {
                    "name": stream,
                    "source": {"rtsp": {"url": "rtsp://10.0.0.7/1", "transport": "Tcp"}},
                    "captureFps": "15",
                    "views": [],
                }
            ],
            "stems": [
                {
                    "name": "gate/full/aaaaaaaaaaaa",
                    "stream": stream,
                    "view": "full",
                    "baseDnn": DIGEST,
                    "inputShape": [224, 224, 3],
                    "preprocessing": PREPROCESSING,
                    "segments": [
                        {"end": end, "digest": DIGEST, "fps": fps, "plannedSeconds": "0.002"}
                        for end, fps in zip(SEGMENTS, ("15", "15", "5"), strict=True)
                    ],
                }
            ],
            "apps": list(apps),
        },
        where="test",
    )


def jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", (320, 180), (200, 30, 30)).save(file, "JPEG")
    return file.getvalue()


class HandmadeBoard:
    """A ``Board`` whose every answer a test may change."""

    def __init__(self) -> None:
        self.plan: Schedule | None = schedule_of([app("traffic/car", 2, 15), app("traffic/bus", 3, 5)])
        self.refusal: str | None = None
        self.age = 0.1
        self.records: list[tuple[int, dict[str, Any]]] = []
        self.states = [
            StreamState(
                name="gate",
                phase="Connected",
                source="rtsp://10.0.0.7/1",
                width=320,
                height=180,
                capture_fps=15.0,
                since=STARTED,
                last_frame_age_seconds=0.05,
                frames=100,
            )
        ]
        self.sink_states: list[SinkState] = []
        self.analysed = 90
        self.rate = 0.9
        self.pictures = 0

    def schedule(self) -> Schedule | None:
        return self.plan

    def refused(self) -> str | None:
        return self.refusal

    def started(self) -> datetime:
        return STARTED

    def alive_age_seconds(self) -> float:
        return self.age

    def streams(self) -> Sequence[StreamState]:
        return self.states

    def sinks(self) -> Sequence[SinkState]:
        return self.sink_states

    def numbers(self) -> Numbers:
        apps = self.plan.apps if self.plan else ()
        return Numbers(
            streams={
                "gate": StreamNumbers(
                    frames=100, unseen=3, surplus=2, missing=1, decode_seconds=0.5, convert_seconds=0.25
                )
            },
            apps={
                one.app: AppNumbers(
                    stream="gate",
                    analysed=self.analysed,
                    late=4,
                    dropped={"TooLate": 7},
                    events=2,
                    latency_seconds=1.5,
                    latency_buckets=(10, 20, 30, 40, 50, 60, 70, 80, 90),
                    planned_fps=float(one.fps),
                    measured_fps=float(one.fps) * self.rate,
                    planned_seconds=one.planned_seconds,
                    expected_f1=one.expected_f1,
                    last_event=STARTED,
                    open_event=False,
                )
                for one in apps
            },
            stems={
                "gate/full/aaaaaaaaaaaa": StemNumbers(
                    stream="gate", view="full", calls=90, engine_seconds=2.5, planned_cost=0.31, measured_cost=0.33
                )
            },
            planned_cost=0.31,
            measured_cost=0.33,
            budget=0.5,
            schedule_changes=1,
            schedule_refusals=0,
        )

    def events(self, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        return [entry for entry in self.records if entry[0] > after]

    def picture(self, stream: str, *, width: int) -> bytes | None:
        del width
        self.pictures += 1
        return jpeg() if stream == "gate" else None

    def happen(self, *, ended: bool = False, label: str = "car", seconds: float = 10.0) -> None:
        """An event starts or ends."""
        number = len(self.records) + 1
        data: dict[str, Any] = {
            "event": "traffic.car-1",
            "app": "traffic/car",
            "stream": "gate",
            "label": label,
            "score": "0.9",
            "streamSeconds": str(seconds),
            "startSeconds": "9.5",
            "snapshot": {"contentType": "image/jpeg", "data": "AAAA"},
        }
        data |= {"endSeconds": "11.0", "reason": "NoPositive"} if ended else {}
        kind = "dev.mainstream.event." + ("ended" if ended else "started")
        time = (STARTED + timedelta(seconds=seconds)).isoformat()
        self.records.append((number, {"type": kind, "time": time, "data": data}))


@pytest.fixture
def board() -> HandmadeBoard:
    return HandmadeBoard()


@pytest.fixture
def scheduled() -> Callable[..., Schedule]:
    """A schedule of apps (name, depth, rate) on a stream."""

    def make(*apps: tuple[str, int, int], stream: str = "gate") -> Schedule:
        return schedule_of([app(*one) for one in apps], stream=stream)

    return make
