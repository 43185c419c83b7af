"""`mainstream run`: what is wrong with a stream or a schedule is said before anything runs."""

from pathlib import Path

import av
import numpy as np
import pytest
import typer

from mainstream.basednn import Preprocessing
from mainstream.documents import sha256
from mainstream.errors import InputError
from mainstream.resources.edgenode import File, Source
from mainstream.schedule import Schedule, ScheduledApp, ScheduledStream, Stem
from mainstream_runner import run_command


def schedule_of(source: Source, *, apps: bool = True) -> Schedule:
    """One app on one stream, branching at the input."""
    stem = Stem(
        name="north/full/base",
        stream="north",
        view="full",
        base_dnn=sha256(b"base"),
        input_shape=(32, 32, 3),
        preprocessing=Preprocessing(mean=(127.5, 127.5, 127.5), divisor=127.5),
        segments=(),
    )
    app = ScheduledApp(
        app="default/apple",
        stem=stem.name,
        package=sha256(b"package"),
        branchpoint="input",
        depth=0,
        branch_digest=sha256(b"branch"),
        planned_seconds=0.001,
        fps=5,
        votes=1,
        threshold=5,
        expected_f1=0.5,
        classes=("background", "apple"),
        events=("apple",),
    )
    return Schedule(
        edge_node="box",
        engine="LiteRT",
        threads=1,
        memory_bytes=1 << 30,
        cost=0.1,
        budget=0.8,
        streams=(ScheduledStream(name="north", source=source, capture_fps=15, views=()),),
        stems=(stem,),
        apps=(app,) if apps else (),
    )


def run(*arguments: object) -> None:
    """The verb, in this process."""
    command_line = typer.Typer()
    run_command.run(command_line)
    typer.main.get_command(command_line)([str(argument) for argument in arguments], standalone_mode=False)


def run_schedule(tmp_path: Path, schedule: Schedule) -> None:
    path = tmp_path / "schedule.json"
    path.write_bytes(schedule.to_json())
    run("--schedule", path, "--store", tmp_path / "store", "--events", tmp_path / "events.jsonl")


def _sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.mp4", "does not exist"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "is no video"),
        ("sound.mp4", "holds no video stream"),
        ("folder", "is a folder"),
    ],
)
def test_a_file_that_is_no_video_is_named(tmp_path: Path, name: str, words: str) -> None:
    """The message has the stream, the file, what is wrong and what to do; no event file is begun."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 1000)
    (tmp_path / "folder").mkdir()
    _sound(tmp_path / "sound.mp4")
    with pytest.raises(InputError, match=words) as caught:
        run_schedule(tmp_path, schedule_of(Source(file=File(path=str(tmp_path / name)))))
    assert "stream 'north'" in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.exit_status == 2
    assert caught.value.remedy
    assert not (tmp_path / "events.jsonl").exists()


def test_a_volume_claim_is_none_on_a_command_line(tmp_path: Path) -> None:
    """The field, and what to write instead."""
    with pytest.raises(InputError, match=r"stream 'north': source\.file\.pvc: .*\n.*path"):
        run_schedule(tmp_path, schedule_of(Source(file=File(pvc="claim/path"))))


def test_a_schedule_without_apps_is_refused(tmp_path: Path) -> None:
    """A budget at which nothing fits leaves nothing to run."""
    with pytest.raises(InputError, match="no app is in the schedule"):
        run_schedule(tmp_path, schedule_of(Source(file=File(path="a.mp4")), apps=False))


def test_a_schedule_file_that_is_wrong_is_refused(tmp_path: Path) -> None:
    """A file that is not there, is no JSON, or was changed by hand."""
    path = tmp_path / "schedule.json"
    with pytest.raises(InputError, match="No such file"):
        run("--schedule", path)
    path.write_text("{")
    with pytest.raises(InputError, match="not readable as JSON"):
        run("--schedule", path)
    path.write_bytes(schedule_of(Source(file=File(path="a.mp4"))).to_json().replace(b'"votes":1', b'"votes":2'))
    with pytest.raises(InputError, match="digest"):
        run("--schedule", path)


def test_exactly_one_of_manifests_and_schedule(tmp_path: Path) -> None:
    """Neither and both are refused."""
    with pytest.raises(InputError, match="exactly one"):
        run()
    with pytest.raises(InputError, match="exactly one"):
        run("-f", tmp_path, "--schedule", tmp_path)
