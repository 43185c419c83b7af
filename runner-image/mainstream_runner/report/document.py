"""``status.runner`` of an EdgeNode from the ``Board``. Pure.

Numbers are rounded, and one that has hardly moved is told as it was told before: nothing changes while nothing happens.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mainstream.documents import number_text
from mainstream.logs import redacted
from mainstream_runner.board import Board, SinkState, StreamState
from mainstream_runner.sinks.deliveries import LEFT

Plain = dict[str, Any]

MESSAGE_LENGTH = 1024
MOST_STREAMS, MOST_APPS = 64, 1000
"""Of the CRD."""
SAME = 0.05
"""A number that moved by less than this share is told as before."""


def document(board: Board, *, loaded_at: datetime | None, utilization: float | None, before: Plain) -> Plain:
    """The report. ``utilization`` is the median of the last minutes (``utilization``); ``before`` the report before."""
    schedule, numbers = board.schedule(), board.numbers()
    known = {f"{one['namespace']}/{one['name']}": one for one in before.get("apps") or ()}
    sinks = _sink_messages(board.sinks())
    plain: Plain = {
        "streams": [_stream(one) for one in board.streams()][:MOST_STREAMS],
        "apps": [
            _app(app.app, numbers.apps[app.app].measured_fps, numbers.apps[app.app].last_event, known, sinks)
            for app in (schedule.apps if schedule else ())
            if app.app in numbers.apps
        ][:MOST_APPS],
    }
    if schedule is not None:
        plain["scheduleDigest"] = schedule.digest
        if loaded_at is not None:
            plain["loadedAt"] = moment(loaded_at)
    refusal = board.refused()
    if refusal is not None:
        plain["refusal"] = _message(refusal)
    if utilization is not None:
        plain["utilization"] = _steady(utilization, before.get("utilization"), digits=3)
    return plain


def urgent(report: Plain) -> Plain:
    """What is told at once when it changes: schedule, refusal, how streams are, whether apps look and sinks take."""
    streams = [
        {name: one.get(name) for name in ("name", "phase", "rateToWrite")} for one in report.get("streams") or ()
    ]
    apps = [
        {
            "app": (one["namespace"], one["name"]),
            "looks": float(one.get("fps", "0")) > 0,
            "sinkAway": "sinkMessage" in one,
        }
        for one in report.get("apps") or ()
    ]
    rest = {name: report.get(name) for name in ("scheduleDigest", "refusal")}
    return {**rest, "streams": streams, "apps": apps}


def moment(time: datetime) -> str:
    """As the API has it, in whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stream(state: StreamState) -> Plain:
    plain: Plain = {"name": state.name, "phase": state.phase}
    if state.since is not None:
        plain["since"] = moment(state.since)
    if state.message:
        plain["message"] = _message(state.message)
    if state.rate_to_write is not None:
        plain["rateToWrite"] = state.rate_to_write
    return plain


def _app(
    key: str, fps: float, last_event: datetime | None, known: Mapping[str, Plain], sinks: Mapping[str, str]
) -> Plain:
    namespace, _, name = key.partition("/")
    plain: Plain = {"namespace": namespace, "name": name, "fps": _steady(fps, known.get(key, {}).get("fps"), digits=2)}
    if last_event is not None:
        plain["lastEventAt"] = moment(last_event)
    if key in sinks:
        plain["sinkMessage"] = sinks[key]
    return plain


def _sink_messages(sinks: Iterable[SinkState]) -> dict[str, str]:
    """Of each app whose sinks do not all take events: which, and why. A sink that left the schedule is no fault of it."""
    messages: dict[str, list[str]] = {}
    for one in sinks:
        if not one.connected and not one.message.startswith(LEFT):
            messages.setdefault(one.app, []).append(f"{one.sink}: {one.message or 'not connected'}")
    return {app: _message("; ".join(said)) for app, said in messages.items()}


def _steady(value: float, before: str | None, *, digits: int) -> str:
    if before is not None and abs(value - float(before)) <= SAME * float(before):
        return before
    return number_text(float(f"{value:.{digits}g}"))


def _message(text: str) -> str:
    line = " ".join(redacted(text).split())
    return line if len(line) <= MESSAGE_LENGTH else f"{line[: MESSAGE_LENGTH - 4]} ..."
