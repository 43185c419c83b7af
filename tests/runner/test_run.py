"""`mainstream run` as a program: a tiny base DNN, branches that nobody trained, real videos, real signals."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.edgenode import File, Source, View
from mainstream.schedule import Schedule, ScheduledStream
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.litert import LiteRT
from mainstream_runner.plans import NetworkInput
from mainstream_runner.sources.file import FileSource
from mainstream_runner.standin import stand_in
from mainstream_runner.stems import open_stems

MAINSTREAM = Path(sys.executable).with_name("mainstream")
FPS = Fraction(15)

WriteSchedule = Callable[..., Path]


@pytest.fixture
def write_schedule(
    tmp_path: Path, tiny_store: StoreFolder, tiny_base: BaseDnn, tiny_segments: list[bytes], make_schedule: Any
) -> WriteSchedule:
    """Write a schedule of apps (depth, rate) that look at a video, and fire about half of the time."""

    def write(
        video: Path, apps: Sequence[tuple[int, Fraction | int]], *, loop: bool = False, view: View | None = None
    ) -> Path:
        shape = tiny_base.config.segments[-1].output_shape
        rows = []
        for depth, fps in apps:
            branch = stand_in(tiny_segments[depth:], shape)
            rows.append((depth, fps, tiny_store.layout.put_blob(branch)))
        schedule: Schedule = make_schedule(rows)
        source = Source(file=File(path=str(video), loop=loop))
        stream = ScheduledStream(name="stream", source=source, capture_fps=FPS, views=(view,) if view else ())
        stems = tuple(stem.model_copy(update={"view": view.name if view else "full"}) for stem in schedule.stems)
        path = tmp_path / "schedule.json"
        path.write_bytes(schedule.model_copy(update={"streams": (stream,), "stems": stems}).to_json())
        return path

    return write


def arguments(schedule: Path, store: StoreFolder, *more: str) -> list[str]:
    return [str(MAINSTREAM), "run", "--schedule", str(schedule), "--store", str(store.root), *more]


def run(schedule: Path, store: StoreFolder, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments(schedule, store, *more), capture_output=True, text=True, check=False, timeout=120)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_video_becomes_events(
    tmp_path: Path, write_schedule: WriteSchedule, tiny_store: StoreFolder, make_video
) -> None:
    """Each app analyses its rate's frames; the file holds header, events and summary; standard output holds the summary."""
    video = make_video("a.mp4", frames=150, size=(96, 64), grey=lambda number: number * 23 % 256)
    schedule = write_schedule(video, [(3, 15), (9, 5), (14, 5), (0, Fraction(1, 2))])
    events = tmp_path / "events.jsonl"
    done = run(schedule, tiny_store, "--events", str(events), "--output", "json")
    assert done.returncode == 0, done.stderr
    records, summary = lines(events.read_text()), json.loads(done.stdout)
    assert [app["analysed"] for app in summary["apps"]] == [150, 50, 50, 5]
    assert summary["streams"][0]["framesRead"] == 150
    assert summary["stems"][0]["calls"] == 150
    assert records[0]["type"] == "dev.mainstream.run.started"
    assert records[-1]["type"] == "dev.mainstream.run.ended"
    assert records[-1]["data"]["apps"] == summary["apps"]
    starts = [record for record in records if record["type"] == "dev.mainstream.event.started"]
    ends = [record for record in records if record["type"] == "dev.mainstream.event.ended"]
    assert len(starts) == len(ends) == sum(app["events"] for app in summary["apps"])
    assert "Traceback" not in done.stderr


def test_what_is_run_is_what_the_pieces_say(write_schedule: WriteSchedule, tiny_store: StoreFolder, make_video) -> None:
    """The events are those that each app's verdicts make, computed frame by frame from the same file, cropped."""
    video = make_video("a.mkv", frames=60, size=(96, 64), grey=lambda number: number * 67 % 256)
    view = View(name="gate", crop=(0.25, 0.125, 0.5, 0.75))
    path = write_schedule(video, [(4, 15), (11, 15)], view=view)
    schedule = Schedule.from_json(path.read_bytes(), where=path)
    wanted = NetworkInput(view, schedule.stems[0].input_shape, schedule.stems[0].preprocessing)
    positives: list[list[bool]] = []
    convert = SwscaleConvert()
    with (
        FileSource(video, capture_fps=FPS) as source,
        open_stems(schedule, read=tiny_store.layout.read_blob, engine=LiteRT()) as stems,
    ):
        for frame in source.frames():
            outputs = stems[schedule.stems[0].name].run(convert(frame.picture, wanted), 2)
            positives.append([bool(output[1] >= 0.5) for output in outputs])
    records = lines(run(path, tiny_store).stdout)
    for place, app in enumerate(schedule.apps):
        fired = np.array([row[place] for row in positives])
        covered = np.zeros(len(fired), bool)
        for record in records:
            if record["type"] == "dev.mainstream.event.ended" and record["subject"] == app.app:
                start, end = record["data"]["startFrame"], record["data"]["endFrame"]
                covered[start : end + 1] = True
                assert fired[start]
                assert fired[end]
        assert not (fired & ~covered).any()
        gaps = np.flatnonzero(covered & ~fired)
        assert not np.isin(gaps + 1, gaps).any()  # two misses in a row end an event


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_order(
    write_schedule: WriteSchedule, tiny_store: StoreFolder, make_video, number: int, status: int
) -> None:
    """A stream that never ends, stopped by a signal: whole records, open events ended, the summary, no stack trace."""
    video = make_video("a.mp4", frames=30, grey=lambda number: number * 23 % 256)
    schedule = write_schedule(video, [(3, 15), (9, 5)], loop=True)
    with subprocess.Popen(
        arguments(schedule, tiny_store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, messages = process.communicate(timeout=60)
    assert process.returncode == status, messages
    records = lines(first + rest)
    assert records[-1]["type"] == "dev.mainstream.run.ended"
    assert records[-1]["data"]["stopped"]
    kinds = [record["type"] for record in records]
    assert kinds.count("dev.mainstream.event.started") == kinds.count("dev.mainstream.event.ended")
    assert "Traceback" not in messages
    assert "interrupted" in messages


def test_until_end_plays_a_loop_once(write_schedule: WriteSchedule, tiny_store: StoreFolder, make_video) -> None:
    """With --until-end, a stream that would loop ends with its file."""
    schedule = write_schedule(make_video("a.mp4", frames=30), [(3, 15)], loop=True)
    done = run(schedule, tiny_store, "--until-end")
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout)[-1]["data"]["framesRead"] == 30


def test_two_runs_say_the_same(write_schedule: WriteSchedule, tiny_store: StoreFolder, make_video) -> None:
    """As fast as possible, only times, ids and measured seconds differ between two runs."""
    video = make_video("a.mp4", frames=90, grey=lambda number: number * 23 % 256)
    schedule = write_schedule(video, [(3, 15), (9, 5), (12, 2)])

    def told() -> list[Any]:
        keep = ("label", "score", "startFrame", "frame", "endFrame", "reason")
        return [
            [record["type"], record["subject"], [record["data"].get(key) for key in keep]]
            for record in lines(run(schedule, tiny_store).stdout)
            if "subject" in record
        ]

    assert told() == told()
