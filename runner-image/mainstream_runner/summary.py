"""What a run came to: frames, looks, drops, events, seconds in the engine and outside, planned and measured cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.console import Group
from rich.table import Table

from mainstream.documents import fraction_text, number_text
from mainstream.schedule import Schedule
from mainstream_runner.decisions import AppRun
from mainstream_runner.events import seconds_text
from mainstream_runner.ingest import Ingest, StreamReader
from mainstream_runner.plans import StreamPlan
from mainstream_runner.sources.source import SourceInfo


@dataclass(slots=True, kw_only=True)
class StemCount:
    """One stem's engine calls."""

    calls: int = 0
    engine_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """A stream as it was read."""

    plan: StreamPlan
    reader: StreamReader

    @property
    def ingest(self) -> Ingest:
        """What reading it came to."""
        return self.reader.ingest

    @property
    def info(self) -> SourceInfo:
        """What its source says of it."""
        return self.reader.source.info

    @property
    def corrupt_packets(self) -> int:
        """Packets that could not be decoded."""
        return self.reader.source.corrupt_packets

    @property
    def seconds(self) -> Fraction:
        """Seconds of stream that were gone through."""
        return self.ingest.last_seconds + 1 / self.plan.stream.capture_fps if self.reader.frames else Fraction(0)

    def plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        ingest, slots = self.ingest, self.ingest.slots
        plain: dict[str, Any] = {
            "name": self.plan.stream.name,
            "file": self.info.file,
            "framesRead": self.reader.frames,
            "framesAnnounced": self.info.frames,
            "seconds": seconds_text(self.seconds),
            "slotsTaken": slots.taken,
            "surplusFrames": slots.surplus,
            "missingSlots": slots.missing,
            "unseenFrames": ingest.unseen,
            "skippedFrames": self.reader.source.skipped,
            "corruptPackets": self.corrupt_packets,
            "decodeSeconds": seconds_text(ingest.decode_seconds),
            "convertSeconds": seconds_text(ingest.convert_seconds),
            "captureFps": fraction_text(self.plan.stream.capture_fps),
            "end": ingest.end.reason if ingest.end else "RunStopped",
        }
        if ingest.end is not None and ingest.end.message:
            plain["message"] = ingest.end.message
        if ingest.rate_to_write is not None:
            plain["captureRateMismatch"] = {"write": fraction_text(ingest.rate_to_write)}
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """See the module. ``stopped`` is True if a signal ended the run."""

    schedule: Schedule
    streams: Sequence[StreamSummary]
    apps: Mapping[str, AppRun]
    stems: Mapping[str, StemCount]
    wall_seconds: float
    waited_seconds: float
    real_time: bool
    stopped: bool

    @property
    def engine_seconds(self) -> float:
        """Wall seconds inside the engine's calls."""
        return sum(stem.engine_seconds for stem in self.stems.values())

    @property
    def measured_cost(self) -> float:
        """Engine seconds per second of stream: what the schedule's ``cost`` plans."""
        cost = 0.0
        for stream in self.streams:
            engine = sum(self.stems[stem.stem.name].engine_seconds for stem in stream.plan.stems)
            cost += engine / float(stream.seconds) if stream.seconds else 0.0
        return cost

    def warnings(self) -> list[str]:
        """What the person who started the run should look at."""
        found = []
        for stream in self.streams:
            name, ingest = stream.plan.stream.name, stream.ingest
            if ingest.end is not None and ingest.end.reason == "CutOff":
                found.append(
                    f"stream {name!r}, {stream.info.file}: cut off after {stream.reader.frames} frames: {ingest.end.message}; "
                    "what could be read was analysed"
                )
            if stream.corrupt_packets:
                found.append(
                    f"stream {name!r}: {stream.corrupt_packets} packets could not be decoded and were left out"
                )
            if ingest.rate_to_write is not None:
                stated, write = fraction_text(stream.plan.stream.capture_fps), fraction_text(ingest.rate_to_write)
                found.append(
                    f"stream {name!r}: CaptureRateMismatch: captureFps is {stated}, the frames come at {write}: "
                    f'write captureFps: "{write}"'
                )
        return found

    def plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        frames = sum(stream.reader.frames for stream in self.streams)
        by_name = {stream.plan.stream.name: stream for stream in self.streams}
        stems = {stem.name: stem for stem in self.schedule.stems}
        decode = sum(stream.ingest.decode_seconds for stream in self.streams)
        convert = sum(stream.ingest.convert_seconds for stream in self.streams)
        outside = max(0.0, self.wall_seconds - self.engine_seconds - self.waited_seconds)
        return {
            "wallSeconds": seconds_text(self.wall_seconds),
            "engineSeconds": seconds_text(self.engine_seconds),
            "decodeSeconds": seconds_text(decode),
            "convertSeconds": seconds_text(convert),
            "otherSeconds": seconds_text(outside),
            "waitedSeconds": seconds_text(self.waited_seconds),
            "framesRead": frames,
            "framesPerSecond": number_text(round(frames / self.wall_seconds, 3)) if self.wall_seconds else "0",
            "plannedCost": number_text(round(self.schedule.cost, 6)),
            "measuredCost": number_text(round(self.measured_cost, 6)),
            "budget": number_text(round(self.schedule.budget, 6)),
            "realTime": self.real_time,
            "stopped": self.stopped,
            "streams": [stream.plain() for stream in self.streams],
            "stems": [
                {"name": name, "calls": count.calls, "engineSeconds": seconds_text(count.engine_seconds)}
                for name, count in self.stems.items()
            ],
            "apps": [
                {
                    "app": app.app,
                    "stream": stems[app.stem].stream,
                    "analysed": self.apps[app.app].analysed,
                    "late": self.apps[app.app].late,
                    "worstLatencySeconds": seconds_text(self.apps[app.app].worst_latency),
                    "dropped": dict(sorted(self.apps[app.app].dropped.items())),
                    "events": self.apps[app.app].events,
                    "plannedFps": fraction_text(app.fps),
                    "measuredFps": _rate(self.apps[app.app].analysed, by_name[stems[app.stem].stream].seconds),
                }
                for app in self.schedule.apps
            ],
        }

    def table(self) -> Group:
        """For people."""
        plain = self.plain()
        streams = Table("stream", "frames", "surplus", "missing slots", "seconds", "decode s", "convert s", "end")
        for row in plain["streams"]:
            streams.add_row(
                row["name"],
                str(row["framesRead"]),
                str(row["surplusFrames"]),
                str(row["missingSlots"]),
                _short(row["seconds"]),
                _short(row["decodeSeconds"]),
                _short(row["convertSeconds"]),
                row["end"],
            )
        apps = Table("app", "stream", "planned fps", "measured fps", "analysed", "late", "dropped", "events")
        for row in plain["apps"]:
            dropped = ", ".join(f"{number} {reason}" for reason, number in row["dropped"].items()) or "0"
            apps.add_row(
                row["app"],
                row["stream"],
                row["plannedFps"],
                row["measuredFps"],
                str(row["analysed"]),
                str(row["late"]),
                dropped,
                str(row["events"]),
            )
        line = (
            f"{_short(plain['wallSeconds'])} s, {_short(plain['framesPerSecond'])} frames/s; engine "
            f"{_short(plain['engineSeconds'])} s, decoding {_short(plain['decodeSeconds'])} s, conversion "
            f"{_short(plain['convertSeconds'])} s beside it; cost: planned {_short(plain['plannedCost'])}, "
            f"measured {_short(plain['measuredCost'])}, budget {_short(plain['budget'])}"
        )
        return Group(streams, apps, line)


def _rate(looks: int, seconds: Fraction) -> str:
    return number_text(round(float(looks / seconds), 3)) if seconds else "0"


def _short(number: str) -> str:
    return f"{float(number):.3g}" if float(number) < 100 else f"{float(number):.0f}"
