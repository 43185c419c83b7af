"""A schedule is exchanged while frames flow: nothing is lost, events go on, and what is broken is refused whole."""

import json
from fractions import Fraction

from mainstream.documents import sha256
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule


def looped(video) -> Source:
    return Source(file=File(path=str(video), loop=True, real_time=True))


def test_another_schedule_is_taken_over_between_two_frames(h264, live_schedule, runner) -> None:
    """An app's open event outlives changes of branchpoint, rate, votes and neighbours; an app that leaves ends its own."""
    source = looped(h264(seconds=4))
    file = live_schedule(source, [(3, 15), (9, 5)])
    with runner(file) as run:
        began = run.event("event.started", app="default/app-0")
        run.event("event.started", app="default/app-1")
        live_schedule(source, [(7, 15), (9, 3), (12, 5)], votes=2, to=file)
        run.says("runs: 3 apps")
        new = run.event("event.started", app="default/app-2")
        live_schedule(source, [(7, Fraction(15))], votes=2, to=file)
        run.says("runs: 1 apps")
        for app in ("default/app-1", "default/app-2"):
            run.event("event.ended", app=app, reason="ScheduleChanged")
        assert run.stop() == 143
    ended = run.event("event.ended", app="default/app-0")
    assert ended["data"]["event"] == began["data"]["event"]
    assert ended["data"]["reason"] == "RunStopped"
    assert new["data"]["schedule"] not in (began["data"]["schedule"], ended["data"]["schedule"])
    summary = run.records[-1]["data"]
    assert summary["streams"][0]["missingSlots"] == 0
    assert summary["apps"][0]["analysed"] + sum(summary["apps"][0]["dropped"].values()) >= (
        summary["streams"][0]["slotsTaken"]
        - 3  # at full rate every slot is its; up to three were on their way at the end
    )
    assert "Traceback" not in run.messages


def test_what_cannot_run_is_refused_and_the_old_schedule_goes_on(h264, live_schedule, runner) -> None:
    """Garbage, a wrong digest, a blob that nobody has, a stream that is no video, another box: a reason each time."""
    source = looped(h264(seconds=4))
    file = live_schedule(source)
    good = file.read_bytes()
    with runner(file) as run:
        run.event("event.started", app="default/app-0")
        file.write_bytes(b"{not json")
        run.says("the new schedule is refused")
        document = json.loads(good)
        file.write_text(json.dumps({**document, "cost": "0.5"}))
        run.says("but the schedule's is")
        schedule = Schedule.from_json(good, where=file)
        app = schedule.apps[0].model_copy(update={"branch_digest": sha256(b"nowhere")})
        file.write_bytes(schedule.model_copy(update={"apps": (app,)}).to_json())
        run.says("is missing")
        stream = schedule.streams[0].model_copy(update={"source": looped("missing.mp4")})
        file.write_bytes(schedule.model_copy(update={"streams": (stream,)}).to_json())
        run.says("does not exist")
        file.write_bytes(schedule.model_copy(update={"edge_node": "another"}).to_json())
        run.says("Start a runner for it")
        file.unlink()
        live_schedule(source, [(5, 15)], to=file)
        run.says("runs: 1 apps")
        assert run.stop() == 143
    ended = [record for record in run.records if record["type"] == "dev.mainstream.event.ended"]
    assert {record["data"]["reason"] for record in ended} == {"RunStopped", "ScheduleChanged"}
    assert "Traceback" not in run.messages


def test_streams_come_and_go(h264, live_schedule, runner) -> None:
    """A schedule with another source for the stream: the old one's events end, the new one is read from its start."""
    file = live_schedule(looped(h264(seconds=4)))
    with runner(file) as run:
        run.event("event.started", app="default/app-0")
        live_schedule(looped(h264("b.mp4", seconds=2, size=(160, 120))), to=file)
        run.event("event.ended", app="default/app-0", reason="StreamEnded")
        again = run.event("event.started", 2, app="default/app-0")
        assert run.stop() == 143
    assert again["data"]["startFrame"] < 60
    assert "b.mp4" in run.records[-1]["data"]["streams"][0]["file"]
