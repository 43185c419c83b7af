"""``tree``: what a box computes once for whom, planned and measured side by side."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from mainstream.documents import fraction_text
from mainstream.kubectl.calls import Plain
from mainstream.kubectl.lookup import Box
from mainstream.schedule import Schedule, ScheduledApp, Stem, StemSegment

LIVE_PHASES = {"Connected", "Ended"}


def plain_tree(box: Box, schedule: Schedule | None) -> Plain:
    """All of it as JSON has it. Costs are engine seconds per second; ``measuredFps`` is over the last minute."""
    status, name = box.status, box.edge_node.metadata.name
    decided, runner = status.get("schedule") or {}, status.get("runner") or {}
    whole: Plain = {
        "edgeNode": name,
        "node": status.get("nodeName"),
        "hardware": (status.get("profile") or {}).get("hardware"),
        "ready": _ready(status),
        "meanF1": decided.get("meanF1"),
        "cost": decided.get("cost"),
        "measuredCost": runner.get("utilization"),
        "budget": decided.get("budget"),
        "costScale": decided.get("costScale"),
        "schedule": decided.get("digest"),
        "loaded": bool(decided.get("digest")) and decided.get("digest") == runner.get("scheduleDigest"),
        "streams": [],
        "rejected": list(decided.get("rejected") or ()),
    }
    if schedule is None:
        return whole
    phases = {one["name"]: one for one in runner.get("streams") or ()}
    measured = {f"{one['namespace']}/{one['name']}": one for one in runner.get("apps") or ()}
    by_stream = groupby(sorted(schedule.stems, key=lambda one: one.stream), key=lambda one: one.stream)
    for stream, stems in by_stream:
        state = phases.get(stream, {})
        whole["streams"].append(
            {
                "name": stream,
                "phase": state.get("phase"),
                "message": state.get("message") or None,
                "stems": [_stem(stem, schedule.apps, measured) for stem in stems],
            }
        )
    return whole


def tree_view(plain: Mapping[str, Any]) -> RenderableType:
    """For people."""
    ready = plain["ready"]
    root = Tree(
        Text.assemble(
            ("EdgeNode ", "dim"), (plain["edgeNode"], "bold"), f" on {plain['node'] or 'no Node'}: ",
            (ready["reason"], "green" if ready["ready"] else "red"), f"  {ready['message']}".rstrip(),
        ),
        guide_style="dim",
    )  # fmt: skip
    for stream in plain["streams"]:
        phase = stream["phase"] or "not reported"
        said = f": {stream['message']}" if stream["message"] else ""
        colour = "green" if phase in LIVE_PHASES else "red"
        branch = root.add(Text.assemble(("stream ", "dim"), (stream["name"], "bold"), "  ", (phase, colour), said))
        for stem in stream["stems"]:
            node = branch.add(Text(f"view {stem['view']}, base DNN {stem['baseDnn'][7:19]}", style="dim"))
            _grow(node, stem)
    parts: list[RenderableType] = [root, Text(_figures(plain))]
    parts += [
        Text.assemble(
            ("does not run: ", "yellow"), f"{one['namespace']}/{one['name']}  {one.get('reason', '')}: {one.get('message', '')}"
        )
        for one in plain["rejected"]
    ]  # fmt: skip
    return Group(*parts)


def _figures(plain: Mapping[str, Any]) -> str:
    if plain["schedule"] is None:
        return "no schedule"
    measured = plain["measuredCost"] or "not reported yet"
    scale = plain["costScale"]
    scaled = f", costs scaled by {scale}" if scale and float(Fraction(scale)) != 1 else ""
    loaded = "loaded" if plain["loaded"] else "not loaded yet"
    return (
        f"mean F1 {plain['meanF1']}; engine seconds per second: planned {plain['cost']}, measured {measured}, "
        f"budget {plain['budget']}{scaled}; schedule {plain['schedule'][7:19]} {loaded}"
    )


def _ready(status: Mapping[str, Any]) -> Plain:
    for one in status.get("conditions") or ():
        if one["type"] == "Ready":
            return {"ready": one["status"] == "True", "reason": one["reason"], "message": one.get("message", "")}
    return {"ready": False, "reason": "Unknown", "message": "the operator has not looked at it yet"}


def _stem(stem: Stem, apps: Sequence[ScheduledApp], measured: Mapping[str, Mapping[str, Any]]) -> Plain:
    mine = sorted((app for app in apps if app.stem == stem.name), key=lambda app: (app.depth, app.app))
    return {
        "view": stem.view,
        "baseDnn": stem.base_dnn,
        "runs": _runs(stem.segments, {app.depth for app in mine}),
        "apps": [_app(app, measured.get(app.app, {})) for app in mine],
    }


def _runs(segments: Sequence[StemSegment], branching: set[int]) -> list[Plain]:
    """The stem cut where its rate changes or a branch leaves it."""
    runs, start, seconds = [], 0, 0.0
    for depth, segment in enumerate(segments, start=1):
        seconds += segment.planned_seconds
        last = depth == len(segments)
        if last or depth in branching or segments[depth].fps != segment.fps:
            runs.append(
                {
                    "from": segments[start].end,
                    "to": segment.end,
                    "depth": depth,
                    "fps": fraction_text(segment.fps),
                    "plannedCost": round(seconds * float(segment.fps), 6),
                }
            )
            start, seconds = depth, 0.0
    return runs


def _app(app: ScheduledApp, measured: Mapping[str, Any]) -> Plain:
    return {
        "app": app.app,
        "branchpoint": app.branchpoint,
        "depth": app.depth,
        "fps": fraction_text(app.fps),
        "measuredFps": measured.get("fps"),
        "votes": app.votes,
        "threshold": app.threshold,
        "expectedF1": round(app.expected_f1, 4),
        "plannedCost": round(app.planned_seconds * float(app.fps), 6),
        "lastEventAt": measured.get("lastEventAt"),
        "sinkMessage": measured.get("sinkMessage"),
    }


def _grow(node: Tree, stem: Mapping[str, Any]) -> None:
    _hang(node, stem, 0)
    for run in stem["runs"]:
        ends = run["to"] if run["from"] == run["to"] else f"{run['from']} … {run['to']}"
        node = node.add(Text.assemble(ends, (f"  {run['fps']} fps, cost {run['plannedCost']:.4f}", "dim")))
        _hang(node, stem, run["depth"])


def _hang(node: Tree, stem: Mapping[str, Any], depth: int) -> None:
    for app in stem["apps"]:
        if app["depth"] == depth:
            measured = f" (measured {app['measuredFps']})" if app["measuredFps"] else ""
            votes = "1 vote" if app["votes"] == 1 else f"{app['votes']} votes"
            leaf = node.add(
                Text.assemble(
                    (app["app"], "bold"),
                    f"  {app['fps']} fps{measured}, {votes}, F1 {app['expectedF1']:.2f}, cost {app['plannedCost']:.4f}",
                )
            )
            if app["sinkMessage"]:
                leaf.add(Text(app["sinkMessage"], style="yellow"))
