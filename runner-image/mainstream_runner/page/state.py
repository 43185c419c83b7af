"""What the page shows, as plain values: the ``Board`` at one moment. Nothing here knows of HTTP."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from mainstream.documents import fraction_text
from mainstream.schedule import ScheduledApp, Stem
from mainstream_runner.board import Board, Numbers, SinkState, StreamState
from mainstream_runner.health import readiness


def state(board: Board, *, now: datetime) -> dict[str, Any]:
    """All of it but pictures and events. Costs are engine seconds per second, rates frames per second."""
    numbers, schedule, health = board.numbers(), board.schedule(), readiness(board)
    return {
        "now": _moment(now),
        "started": _moment(board.started()),
        "edgeNode": schedule.edge_node if schedule else None,
        "schedule": schedule.digest if schedule else None,
        "engine": schedule.engine if schedule else None,
        "threads": schedule.threads if schedule else None,
        "refused": board.refused(),
        "ready": health.ok,
        "reasons": [*health.reasons],
        "notes": [*health.notes],
        "plannedCost": numbers.planned_cost,
        "measuredCost": numbers.measured_cost,
        "budget": numbers.budget,
        "scheduleChanges": numbers.schedule_changes,
        "streams": _streams(board, numbers),
        "stems": [_stem(stem, schedule.apps, numbers) for stem in schedule.stems] if schedule else [],
        "sinks": [_plain(sink) for sink in board.sinks()],
    }


def event(number: int, record: dict[str, Any]) -> dict[str, Any]:
    """A record of an event as the page needs it; the picture within stays where it is."""
    data = record["data"]
    return {
        "number": number,
        "event": data["event"],
        "kind": record["type"].rpartition(".")[2],
        "time": record["time"],
        "app": data["app"],
        "stream": data["stream"],
        "label": data["label"],
        "score": data["score"],
        "startSeconds": data["startSeconds"],
        "endSeconds": data.get("endSeconds"),
        "streamSeconds": data["streamSeconds"],
        "reason": data.get("reason"),
    }


def _streams(board: Board, numbers: Numbers) -> list[dict[str, Any]]:
    shown = []
    for stream in board.streams():
        plain = _plain(stream) | {"since": _moment(stream.since) if stream.since else None}
        read = numbers.streams.get(stream.name)
        shown.append(plain | ({"surplus": read.surplus, "missing": read.missing} if read else {}))
    return shown


def _stem(stem: Stem, apps: Sequence[ScheduledApp], numbers: Numbers) -> dict[str, Any]:
    mine = sorted((app for app in apps if app.stem == stem.name), key=lambda app: (app.depth, app.app))
    measured = numbers.stems.get(stem.name)
    return {
        "name": stem.name,
        "stream": stem.stream,
        "view": stem.view,
        "baseDnn": stem.base_dnn,
        "calls": measured.calls if measured else 0,
        "plannedCost": measured.planned_cost if measured else 0.0,
        "measuredCost": measured.measured_cost if measured else 0.0,
        "runs": _runs(stem, mine),
        "apps": [_app(app, numbers) for app in mine],
    }


def _runs(stem: Stem, apps: Sequence[ScheduledApp]) -> list[dict[str, Any]]:
    """The stem cut where its rate changes or a branch leaves it: from, to, rate, planned cost, depth at its end."""
    runs: list[dict[str, Any]] = []
    start, cost = "input", 0.0
    branching = {app.depth for app in apps}
    for depth, segment in enumerate(stem.segments, start=1):
        cost += segment.planned_seconds * float(segment.fps)
        last = depth == len(stem.segments)
        if last or depth in branching or stem.segments[depth].fps != segment.fps:
            runs.append(
                {
                    "from": start,
                    "to": segment.end,
                    "fps": fraction_text(segment.fps),
                    "plannedCost": cost,
                    "depth": depth,
                }
            )
            start, cost = segment.end, 0.0
    return runs


def _app(app: ScheduledApp, numbers: Numbers) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "app": app.app,
        "branchpoint": app.branchpoint,
        "precision": app.precision,
        "depth": app.depth,
        "plannedFps": float(app.fps),
        "votes": app.votes,
        "threshold": app.threshold,
        "expectedF1": app.expected_f1,
        "labels": [*app.events],
        "plannedCost": app.planned_seconds * float(app.fps),
    }
    run = numbers.apps.get(app.app)
    if run is not None:
        plain |= {
            "measuredFps": run.measured_fps,
            "analysed": run.analysed,
            "late": run.late,
            "dropped": run.dropped,
            "events": run.events,
            "meanLatency": run.latency_seconds / run.analysed if run.analysed else None,
            "openEvent": run.open_event,
            "lastEvent": _moment(run.last_event) if run.last_event else None,
        }
    return plain


def _plain(row: StreamState | SinkState) -> dict[str, Any]:
    return {to_camel(name): value for name, value in asdict(row).items()}


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
