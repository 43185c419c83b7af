"""Gathers the demo's figures: from the plan, from what runs and evaluations printed, from events and videos."""

import base64
import io
import json
import os
import platform
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mainstream.events_csv import LabelledEvent, read_events_csv
from mainstream_demo import plans as planning
from mainstream_demo.figures import (
    POLICIES,
    App,
    AppResult,
    Interval,
    Lane,
    Picture,
    Policy,
    PolicyResult,
    Report,
    StepTime,
)
from mainstream_demo.settings import APPS, Settings
from mainstream_demo.steps import Done
from mainstream_demo.workplace import Place

TIMELINE_SECONDS = 60.0


def gather(
    place: Place, settings: Settings, *, plans: planning.Plans, utilization: float, rule: str, done: Sequence[Done]
) -> Report:
    """All figures of a demo whose steps are done."""
    evaluations = {policy: place.read(f"evaluate-{policy}") for policy in POLICIES}
    headers = {policy: _records(place.events(policy), "dev.mainstream.run.started")[0]["data"] for policy in POLICIES}
    truth = read_events_csv(place.root / "data/test/events.csv")
    apps = _apps(settings, plans[utilization]["Mainstream"].assembled, headers, evaluations)
    return Report(
        machine=_machine(),
        scene=_scene(settings),
        utilization=utilization,
        budget_rule=rule,
        budgets=planning.budget_points(plans),
        stream_seconds=settings.test_seconds,
        policies={policy: _policy(place, policy, apps) for policy in POLICIES},
        apps=apps,
        trees=planning.trees(plans[utilization]["Mainstream"]),
        timeline_seconds=min(TIMELINE_SECONDS, settings.test_seconds),
        timeline=_timeline(place, settings, truth),
        pictures=_pictures(place, settings, truth),
        steps=tuple(
            StepTime(title=item.step.title, command=item.step.command, seconds=round(item.seconds, 1)) for item in done
        ),
    )


def _records(path: Path, kind: str) -> list[dict[str, Any]]:
    """The records of one type of a run's events file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["type"] == kind]


def _apps(
    settings: Settings,
    assembled: Any,
    headers: Mapping[Policy, Any],
    evaluations: Mapping[Policy, Any],
) -> tuple[App, ...]:
    decided = {policy: {app["app"]: app for app in headers[policy]["apps"]} for policy in POLICIES}
    measured = {policy: {app["app"]: app for app in evaluations[policy]["apps"]} for policy in POLICIES}
    apps = []
    for stream in settings.streams:
        for name, events in APPS.items():
            key = f"{stream}/{name}"
            results = {policy: _result(decided[policy].get(key), measured[policy].get(key)) for policy in POLICIES}
            found = [measured[policy][key] for policy in POLICIES if key in measured[policy]]
            apps.append(
                App(
                    name=name,
                    stream=stream,
                    events=events,
                    true_events=int(found[0]["true_events"]) if found else 0,
                    results=results,
                    candidates=planning.candidates(assembled, key),
                )
            )
    return tuple(apps)


def _result(decided: Mapping[str, Any] | None, measured: Mapping[str, Any] | None) -> AppResult:
    if decided is None or measured is None:
        return AppResult(admitted=False)
    return AppResult(
        admitted=True,
        branchpoint=decided["branchpoint"],
        fps=float(Fraction(decided["fps"])),
        votes=decided["votes"],
        threshold=decided["threshold"],
        predicted_f1=float(decided["expectedF1"]),
        f1=float(measured["f1"]),
        f1_model=float(measured["f1_model"]),
        recall=float(measured["recall"]),
        precision=float(measured["precision"]),
    )


def _policy(place: Place, policy: Policy, apps: Sequence[App]) -> PolicyResult:
    """An app that did not fit counts as 0."""
    run = place.read(f"run-{policy}")
    results = [app.results[policy] for app in apps]
    return PolicyResult(
        predicted_f1=sum(result.predicted_f1 for result in results) / len(results),
        f1=sum(result.f1 for result in results) / len(results),
        f1_model=sum(result.f1_model for result in results) / len(results),
        planned_cost=float(run["plannedCost"]),
        measured_cost=float(run["measuredCost"]),
        frames_read=int(run["framesRead"]),
        frames_analysed=sum(int(stream["slotsTaken"]) - int(stream["unseenFrames"]) for stream in run["streams"]),
        looks=sum(int(app["analysed"]) for app in run["apps"]),
        wall_seconds=float(run["wallSeconds"]),
    )


def _timeline(place: Place, settings: Settings, truth: Sequence[LabelledEvent]) -> tuple[Lane, ...]:
    seconds = min(TIMELINE_SECONDS, settings.test_seconds)
    fps = float(settings.fps)
    emitted = {
        policy: [record["data"] for record in _records(place.events(policy), "dev.mainstream.event.ended")]
        for policy in POLICIES
    }
    lanes = []
    for stream in settings.streams:
        for name, events in APPS.items():
            key = f"{stream}/{name}"
            true = [
                (event.start_frame / fps, (event.end_frame + 1) / fps)
                for event in truth
                if event.video == f"{stream}.mp4" and event.label in events
            ]
            lanes.append(
                Lane(
                    app=name,
                    stream=stream,
                    truth=_within(true, seconds),
                    emitted={
                        policy: _within(
                            [
                                (float(event["startSeconds"]), float(event["endSeconds"]) + 1 / fps)
                                for event in emitted[policy]
                                if event["app"] == key
                            ],
                            seconds,
                        )
                        for policy in POLICIES
                    },
                )
            )
    return tuple(lanes)


def _within(intervals: Sequence[Interval], seconds: float) -> tuple[Interval, ...]:
    return tuple((round(start, 3), round(min(end, seconds), 3)) for start, end in intervals if start < seconds)


def _pictures(place: Place, settings: Settings, truth: Sequence[LabelledEvent]) -> tuple[Picture, ...]:
    """From the middle of the first event of each label, taken from the streams in turn."""
    pictures = []
    labels = sorted({event.label for event in truth})
    for number, label in enumerate(labels):
        stream = settings.streams[number % len(settings.streams)]
        event = next((e for e in truth if e.label == label and e.video == f"{stream}.mp4"), None)
        if event is None:
            continue
        frame = (event.start_frame + event.end_frame) // 2
        caption = f"{label} on {stream} at {frame / float(settings.fps):.1f} s"
        pictures.append(Picture(caption=caption, jpeg=_jpeg(place.root / "data/test" / event.video, frame)))
    return tuple(pictures)


def _jpeg(video: Path, frame: int) -> str:
    import av

    with av.open(video) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number == frame:
                data = io.BytesIO()
                Image.fromarray(np.asarray(picture.to_ndarray(format="rgb24"))).save(data, "JPEG", quality=88)
                return base64.b64encode(data.getvalue()).decode()
    raise ValueError(f"Expected more than {frame} frames in {video}")


def _machine() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _scene(settings: Settings) -> dict[str, str]:
    look = settings.difficulty
    training = settings.training_videos * settings.training_frames / float(settings.training_fps)
    return {
        "test video": f"{len(settings.streams)} streams of {settings.test_seconds:.0f} s, {float(settings.fps):g} fps",
        "training video": f"{training:.0f} s, {float(settings.training_fps):g} fps",
        "an event lasts": f"{look.crossing_seconds[0]:g} to {look.crossing_seconds[1]:g} s",
        "objects' size": f"{look.size[0]:.0%} to {look.size[1]:.0%} of their own",
        "light": f"{look.light[0]:.0%} to {look.light[1]:.0%}",
        "network": f"MobileNet, {settings.input_size} px, {settings.threads} thread(s)",
    }
