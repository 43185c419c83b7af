"""What a run said, read back from its JSON lines (formats, Events).

Only what an evaluation needs is looked at: the record of the start with streams and apps, each event's interval, and what the
end says about how far the streams were read. Records of other types are passed over. An event that was started and has no end
(the run was killed) lasts to the last positive that is known: its start.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstream.errors import InputError
from mainstream.evaluation.matching import Interval

STARTED = "dev.mainstream.run.started"
ENDED = "dev.mainstream.run.ended"
EVENT_STARTED = "dev.mainstream.event.started"
EVENT_ENDED = "dev.mainstream.event.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStream:
    """A stream of the run. ``frames`` is how many it has, as far as known; ``read`` how many were read, if the run ended."""

    name: str
    file: str
    frames: int | None
    read: int | None
    loop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunApp:
    """An app of the run."""

    app: str
    stream: str
    events: tuple[str, ...]
    expected_f1: float | None
    emitted: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run: where its records are, what ran, what was emitted. ``notes`` say what is incomplete about it."""

    path: Path
    edge_node: str
    streams: dict[str, RunStream]
    apps: dict[str, RunApp]
    notes: tuple[str, ...]


def read_run(path: Path) -> Run:
    """The run of an events file; ``InputError`` names the file, the line and what is wrong."""
    records = list(_records(path))
    if not records:
        raise InputError("is empty", where=path, remedy=_REMEDY)
    notes = []
    if isinstance(records[-1][1], _Cut):
        notes.append(f"{path}:{records[-1][0]}: the last line is cut off and was left out")
        records.pop()
    starts = [line for line, record in records if record["type"] == STARTED]
    if not starts or starts[0] != records[0][0]:
        raise InputError(f"does not begin with a record of type {STARTED}", where=path, remedy=_REMEDY)
    if len(starts) > 1:
        raise InputError("a second run begins here", where=f"{path}:{starts[1]}", remedy="Evaluate one run at a time.")
    try:
        header = records[0][1]["data"]
        ends = [record["data"] for _, record in records if record["type"] == ENDED]
        if not ends:
            notes.append(f"{path}: the run was broken off before its end")
        read = {stream["name"]: int(stream["framesRead"]) for end in ends for stream in end.get("streams", ())}
        streams = {stream["name"]: _stream(stream, read.get(stream["name"])) for stream in header["streams"]}
        intervals: dict[str, list[Interval]] = {app["app"]: [] for app in header["apps"]}
    except _FAULTS as error:
        raise _broken(path, records[0][0], error) from None
    for app, interval in _events(path, records, set(intervals)):
        intervals[app].append(interval)
    try:
        apps = {app["app"]: _app(app, streams, intervals[app["app"]]) for app in header["apps"]}
        return Run(path=path, edge_node=str(header["edgeNode"]), streams=streams, apps=apps, notes=tuple(notes))
    except _FAULTS as error:
        raise _broken(path, records[0][0], error) from None


_FAULTS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a field of a foreign record can raise."""

_REMEDY = "Write events with: mainstream run -f PATH --events FILE"


class _Cut(dict[str, Any]):
    """Stands for a last line that is no whole record."""


def _broken(path: Path, line: int, error: Exception) -> InputError:
    problem = f"field {error} is missing" if isinstance(error, KeyError) else f"a field has a wrong type ({error})"
    return InputError(f"not a record of Mainstream: {problem}", where=f"{path}:{line}", remedy=_REMEDY)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                yield number, _record(path, number, line)
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy=_REMEDY) from None
    except IsADirectoryError:
        raise InputError("is a folder, expected a file of events", where=path, remedy=_REMEDY) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        if number > 1 and not line.endswith(b"\n"):
            return _Cut()
        shown = line[:40].decode(errors="replace").strip()
        raise InputError(
            f"is no JSON: {shown!r}; expected one record a line", where=f"{path}:{number}", remedy=_REMEDY
        ) from None
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        raise InputError("is no CloudEvent: it has no type", where=f"{path}:{number}", remedy=_REMEDY)
    return record


def _stream(plain: Mapping[str, Any], read: int | None) -> RunStream:
    frames = plain.get("frames")
    return RunStream(
        name=str(plain["name"]),
        file=str(plain.get("file", "")),
        frames=None if frames is None else int(frames),
        read=read,
        loop=bool(plain.get("loop", False)),
    )


def _app(plain: Mapping[str, Any], streams: Mapping[str, RunStream], emitted: list[Interval]) -> RunApp:
    if plain["stream"] not in streams:
        raise ValueError(f"app {plain['app']} is on stream {plain['stream']!r}, which the record does not have")
    expected = plain.get("expectedF1")
    return RunApp(
        app=str(plain["app"]),
        stream=str(plain["stream"]),
        events=tuple(str(label) for label in plain["events"]),
        expected_f1=None if expected is None else float(expected),
        emitted=tuple(sorted(emitted)),
    )


def _events(path: Path, records: list[tuple[int, dict[str, Any]]], known: set[str]) -> Iterator[tuple[str, Interval]]:
    """App and interval of each event: of its end, or of its start where it has none."""
    latest: dict[str, tuple[str, Interval]] = {}
    for line, record in records:
        if record["type"] not in (EVENT_STARTED, EVENT_ENDED):
            continue
        try:
            data = record["data"]
            app, start = str(data["app"]), int(data["startFrame"])
            end = int(data["endFrame"]) if record["type"] == EVENT_ENDED else start
            event = str(data["event"])
        except _FAULTS as error:
            raise _broken(path, line, error) from None
        where = f"{path}:{line}"
        if app not in known:
            raise InputError(f"an event of app {app!r}, which the first record does not name", where=where)
        if not 0 <= start <= end:
            raise InputError(f"startFrame {start} and endFrame {end} are no interval", where=where)
        latest[event] = (app, (start, end))
    yield from latest.values()
