"""`mainstream record` on a real camera: whole files that begin with a key frame, an events.csv to fill in."""

import json
import subprocess
from pathlib import Path

import av
import yaml

from .conftest import MAINSTREAM


def manifest(folder: Path, source: dict) -> Path:
    node = {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "EdgeNode",
        "metadata": {"name": "gate"},
        "spec": {"streams": [{"name": "north", "source": source, "captureFps": 15}]},
    }
    path = folder / "node.yaml"
    path.write_text(yaml.safe_dump(node))
    return path


def record(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [str(MAINSTREAM), "record", "-f", "node.yaml", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_a_camera_is_recorded_in_files(camera, h264, tmp_path: Path) -> None:
    """Two files of two seconds; each can be read from its first frame, and is as long as it says."""
    one = camera(h264())
    manifest(tmp_path, {"rtsp": {"url": one.url}})
    done = record(tmp_path, "--stream", "north", "--minutes", "0.066", "--file-minutes", "0.033", "-o", "json")
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert len(files) >= 2
    for file in files:
        with av.open(str(tmp_path / file["file"])) as container:
            frames = list(container.decode(video=0))
        assert len(frames) == file["frames"] > 10
        assert frames[0].pts == 0
    assert (tmp_path / "recorded/events.csv").read_text() == "video,label,start_frame,end_frame\n"
    assert not list((tmp_path / "recorded").glob(".*"))


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    """A stream that is not there, a file, no camera behind the address."""
    manifest(tmp_path, {"rtsp": {"url": "rtsp://127.0.0.1:9/none"}})
    unknown = record(tmp_path, "--stream", "south", "--minutes", "1")
    assert unknown.returncode == 2
    assert "there is no stream 'south'" in unknown.stderr
    assert "north" in unknown.stderr
    away = record(tmp_path, "--stream", "north", "--minutes", "1")
    assert away.returncode == 1
    assert "Unreachable" in away.stderr
    manifest(tmp_path, {"file": {"path": "a.mp4"}})
    file = record(tmp_path, "--stream", "north", "--minutes", "1")
    assert file.returncode == 2
    assert "is a file already" in file.stderr
