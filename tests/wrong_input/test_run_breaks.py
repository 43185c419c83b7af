"""`mainstream run`: what breaks while it runs ends with a message and an exit status, never with a stack trace."""

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import ScheduledStream
from mainstream_runner.merge import chain
from mainstream_runner.standin import dense_head

MAINSTREAM = Path(sys.executable).with_name("mainstream")


@pytest.fixture
def command(
    tmp_path: Path, tiny_store: StoreFolder, tiny_base: BaseDnn, tiny_segments: list[bytes], make_schedule: Any
) -> Callable[..., list[str]]:
    """The command that runs apps, some of which fire now and then, on a video of 150 frames."""
    video = tmp_path / "video.mp4"
    with av.open(str(video), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(150):
            pixels = np.full((48, 64, 3), number * 37 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))

    def make(*more: str, capture_fps: Fraction = Fraction(15), loop: bool = False) -> list[str]:
        # One classifier with random weights may say the same of every frame; of a dozen some do not.
        heads = [dense_head(tiny_base.config.segments[-1].output_shape, seed=seed) for seed in range(12)]
        branches = [chain([*tiny_segments[3:], head]) for head in heads]
        schedule = make_schedule([(3, 5, tiny_store.layout.put_blob(branch)) for branch in branches])
        source = Source(file=File(path=str(video), loop=loop))
        stream = ScheduledStream(name="stream", source=source, capture_fps=capture_fps, views=())
        path = tmp_path / "schedule.json"
        path.write_bytes(schedule.model_copy(update={"streams": (stream,)}).to_json())
        return [str(MAINSTREAM), "run", "--schedule", str(path), "--store", str(tiny_store.root), *more]

    return make


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return done


def test_a_video_that_is_cut_off_is_analysed_as_far_as_it_goes(
    tmp_path: Path, command: Callable[..., list[str]]
) -> None:
    """The summary is there, the warning names the file, and the exit status is 1."""
    video = tmp_path / "video.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    done = run(command())
    assert done.returncode == 1
    assert str(video) in done.stderr.replace("\n", "")
    assert "cut off" in done.stderr
    end = json.loads(done.stdout.splitlines()[-1])["data"]
    assert end["streams"][0]["end"] == "CutOff"
    assert end["apps"][0]["analysed"] > 5
    assert done.stdout.count("event.started") > 1, "some apps fire"


def test_a_full_disk_is_said(command: Callable[..., list[str]]) -> None:
    """Events to a device that takes nothing: exit status 1, one message."""
    done = run(command("--events", "/dev/full"))
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_a_reader_that_goes_away_ends_the_run(command: Callable[..., list[str]]) -> None:
    """`mainstream run | head -1` ends with a message."""
    with subprocess.Popen(command(loop=True), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "dev.mainstream.run.started"
        process.stdout.close()
        messages = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in messages
    assert "standard output was closed" in messages


def test_a_wrong_capture_rate_is_named_with_the_right_one(command: Callable[..., list[str]]) -> None:
    """The run goes on, by timestamps; the warning has the value to write."""
    done = run(command(capture_fps=Fraction(10)))
    assert done.returncode == 0
    assert 'write captureFps: "15"' in " ".join(done.stderr.split())


def test_a_blob_that_is_missing_is_named(tmp_path: Path, command: Callable[..., list[str]]) -> None:
    """A store that does not hold what the schedule needs is wrong input; no event file is begun."""
    line = command("--events", str(tmp_path / "events.jsonl"))
    line[line.index("--store") + 1] = str(tmp_path / "empty")
    done = run(line)
    assert done.returncode == 2
    assert "sha256:" in done.stderr
    assert not (tmp_path / "events.jsonl").exists()
