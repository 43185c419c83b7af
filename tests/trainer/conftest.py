"""A tiny labelled world: videos in which a bright square is an event, and manifests over it."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

Spans = Sequence[tuple[str, int, int]]

CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


def write_video(path: Path, frames: int, events: Spans, *, fps: Fraction | int = 10) -> Path:
    """A noisy grey picture of 48 x 48; during an event a square shines, red for ``red``, else blue."""
    rng = np.random.default_rng(7)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width = stream.height = 48
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            pixels = rng.integers(60, 120, (48, 48, 3)).astype(np.uint8)
            for label, start, end in events:
                if start <= number <= end:
                    pixels[12:36, 12:36] = (240, 30, 30) if label == "red" else (30, 30, 240)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_events(path: Path, rows: Sequence[str], *, header: str = "video,label,start_frame,end_frame") -> Path:
    """A CSV of events."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


EVENTS = tuple((label, start, start + 9) for start, label in zip(range(10, 330, 25), ["red", "blue"] * 7, strict=False))


@pytest.fixture(scope="session")
def red_and_blue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset: one video of 34 s with seven red and six blue events."""
    folder = tmp_path_factory.mktemp("red-and-blue")
    write_video(folder / "a.mp4", 340, EVENTS)
    write_events(folder / "events.csv", [f"a.mp4,{label},{start},{end}" for label, start, end in EVENTS])
    return folder


def manifest(dataset: Path | str, *, events: Sequence[str] = ("red",), name: str = "red", training: str = "") -> str:
    """An app that trains on the dataset from a tiny base DNN with random weights."""
    return f"""
apiVersion: mainstream.dev/v1alpha1
kind: MainstreamApp
metadata: {{name: {name}}}
spec:
  edgeNodes: {{matchNames: [box]}}
  stream: camera
  events: [{", ".join(events)}]
  training:
    baseDnn: {{architecture: MobileNet, alpha: "0.25", inputSize: 32, weights: random}}
    dataset: {{uri: "{dataset}"}}
    branchpoints: [conv_pw_11, pooled]
    epochs: 3
{training}"""


EDGE_NODE = """
apiVersion: mainstream.dev/v1alpha1
kind: EdgeNode
metadata: {name: box}
spec:
  streams:
  - {name: camera, captureFps: 10, source: {file: {path: camera.mp4}}}
"""


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Run ``mainstream`` as a person does; the working directory is the test's own."""

    def run(*words: str, timeout: int = 300) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", "from mainstream.cli.main import main; main()", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
