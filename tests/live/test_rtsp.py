"""The runner on a real RTSP camera: it comes, goes, freezes, wants a password; nobody has to do anything."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mainstream_runner.decisions import time_of_frame
from mainstream_runner.sources.camera import Camera

from .conftest import rtsp


@pytest.mark.parametrize("transport", ["Tcp", "Udp"])
def test_frames_of_a_camera_become_events(camera, h264, live_schedule, runner, transport: str) -> None:
    """Frames come at the camera's pace, at their apps' rates, and SIGTERM ends it in order."""
    one = camera(h264())
    with runner(live_schedule(rtsp(one.url, transport=transport))) as run:
        run.says("connected")
        started = run.event("event.started", app="default/app-0")
        assert started["source"].endswith("/streams/stream")
        run.event("event.started", app="default/app-1")
        assert run.stop() == 143
    ended = run.event("event.ended", app="default/app-0")
    assert ended["data"]["reason"] == "RunStopped"
    assert ended["data"]["event"] == started["data"]["event"]
    summary = run.records[-1]["data"]
    assert summary["realTime"]
    assert summary["streams"][0]["framesRead"] > 0
    assert "captureRateMismatch" not in summary["streams"][0]
    assert "Traceback" not in run.messages


def test_a_camera_tells_its_clock_by_sender_reports(camera, h264) -> None:
    """From its first report on each frame has a time of the camera's clock, which is this machine's here."""
    one = camera(h264())
    connection = Camera(address=one.url, target=lambda: (one.url, "rtsp", {"rtsp_transport": "tcp"})).connect(
        stall_seconds=60
    )
    known: list[float] = []
    for item in connection.pictures(lambda _stamp: True):
        if not isinstance(item, str) and (taken := connection.taken(item[0])) is not None:
            known.append(taken)
            if len(known) == 3:
                break
    connection.close()
    assert [time_of_frame(datetime.now(UTC), taken) for taken in known] == [
        datetime.fromtimestamp(taken, UTC) for taken in known
    ]


def test_a_camera_that_is_killed_is_found_again(camera, h264, live_schedule, runner) -> None:
    """Its events end with that reason; when it is back, with another resolution, frames and time go on."""
    one = camera(h264())
    with runner(live_schedule(rtsp(one.url))) as run:
        run.event("event.started", app="default/app-0")
        one.kill()
        lost = run.event("event.ended", app="default/app-0", reason="StreamLost")
        run.says("trying again")
        one.start(h264("other.mp4", size=(640, 360)))
        back = run.event("event.started", 2, app="default/app-0")
        assert run.stop() == 143
    assert float(back["data"]["startSeconds"]) > float(lost["data"]["endSeconds"])
    assert back["data"]["startFrame"] > lost["data"]["endFrame"]
    assert back["time"] > lost["time"]
    stream = run.records[-1]["data"]["streams"][0]
    assert stream["missingSlots"] > 0
    assert "Traceback" not in run.messages


def test_a_camera_that_freezes_is_noticed(camera, h264, live_schedule, runner) -> None:
    """It keeps its connection and sends nothing: stalled by the age of the last frame, connected again when it thaws."""
    one = camera(h264())
    with runner(live_schedule(rtsp(one.url))) as run:
        run.event("event.started", app="default/app-0")
        one.tell("freeze")
        run.event("event.ended", app="default/app-0", reason="StreamLost")
        run.says("Stalled")
        one.tell("thaw")
        run.event("event.started", 2, app="default/app-0")
        assert run.stop() == 143


def test_a_wrong_password_is_said_and_never_shown(camera, h264, live_schedule, runner, secret) -> None:
    """The reason is CredentialsRejected; when the Secret is corrected, the runner is let in without a restart."""
    one = camera(h264(), "viewer", "corr3ct horse/@:")
    folder = secret("gate", username="viewer", password="wr0ng-battery")
    with runner(live_schedule(rtsp(one.url, secret="gate")), "--secrets", str(folder)) as run:
        run.says("CredentialsRejected")
        secret("gate", username="viewer", password="corr3ct horse/@:")
        run.says("connected")
        run.event("event.started", app="default/app-0")
        command = Path(f"/proc/{run.process.pid}/cmdline").read_text()
        assert run.stop() == 143
    told = run.messages + str(run.records) + command
    assert "wr0ng" not in told
    assert "horse" not in told


def test_a_missing_secret_is_refused_at_once(live_schedule, runner) -> None:
    """Exit status 2, the Secret, the key and what to do."""
    with runner(live_schedule(rtsp("rtsp://127.0.0.1:9/stream", secret="gate"))) as run:
        assert run.finish() == 2
    assert "secret 'gate' has no key 'username'" in " ".join(run.messages.split())
    assert "--secrets" in run.messages


def test_a_camera_that_is_not_there_is_waited_for(h264, camera, live_schedule, runner) -> None:
    """The runner starts without it, says so, and begins when it comes."""
    one = camera(h264())
    video = h264("late.mp4")
    one.kill()
    with runner(live_schedule(rtsp(one.url))) as run:
        run.says("Unreachable")
        one.start(video)
        run.event("event.started", app="default/app-0")
        assert run.stop() == 143
