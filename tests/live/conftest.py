"""Real cameras and a real runner: an RTSP server, and `mainstream run` as a program whose records are read as they come."""

import json
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.resources.edgenode import Rtsp, Source
from mainstream.resources.metadata import SecretRef
from mainstream.schedule import Schedule, ScheduledStream
from mainstream_runner.standin import stand_in

MAINSTREAM = Path(sys.executable).with_name("mainstream")
CAMERA = Path(__file__).with_name("rtsp_camera.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""GStreamer's bindings are Debian's and belong to its Python."""
FPS = Fraction(15)
PATIENCE_SECONDS = 60
"""After which something that should happen is taken not to; nothing is asserted about how long it took."""


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    def free() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return free


@pytest.fixture
def h264(tmp_path: Path) -> Callable[..., Path]:
    """A minute of H.264 in MP4, as cameras send it: a key frame each second, no B-frames."""

    def make(name: str = "camera.mp4", *, size: tuple[int, int] = (320, 240), seconds: int = 60, fps: int = 15) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                "libx264", rate=fps, options={"g": str(fps), "bf": "0", "preset": "ultrafast"}
            )
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for number in range(seconds * fps):
                pixels = np.full((size[1], size[0], 3), number * 5 % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


class Camera:
    """An RTSP server that can be frozen, killed and started again on the same port."""

    def __init__(self, video: Path, port: int, credentials: Sequence[str] = ()) -> None:
        self.url = f"rtsp://127.0.0.1:{port}/stream"
        self._port, self._credentials = port, credentials
        self.start(video)

    def start(self, video: Path) -> None:
        """Listen, and return when it does."""
        command = [SYSTEM_PYTHON, str(CAMERA), str(video), str(self._port), *self._credentials]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi ..."

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """As a camera that loses power."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def camera(free_port: Callable[[], int]) -> Iterator[Callable[..., Camera]]:
    cameras: list[Camera] = []

    def start(video: Path, *credentials: str) -> Camera:
        cameras.append(Camera(video, free_port(), credentials))
        return cameras[-1]

    yield start
    for one in cameras:
        one.kill()


@pytest.fixture
def live_schedule(
    tmp_path: Path, tiny_store: StoreFolder, tiny_base: BaseDnn, tiny_segments: list[bytes], make_schedule: Any
):
    """Write a schedule of apps (depth, rate) on a live source to a file; ``threshold`` 1 fires on every frame, 9 never."""

    def write(
        source: Source,
        apps: Sequence[tuple[int, Fraction | int]] = ((3, 15), (9, 5)),
        *,
        threshold: int = 1,
        to: Path | None = None,
        **changes: Any,
    ) -> Path:
        shape = tiny_base.config.segments[-1].output_shape
        rows = [(depth, fps, tiny_store.layout.put_blob(stand_in(tiny_segments[depth:], shape))) for depth, fps in apps]
        schedule: Schedule = make_schedule(rows)
        stream = ScheduledStream(name="stream", source=source, capture_fps=FPS, views=())
        scheduled = tuple(app.model_copy(update={"threshold": threshold, **changes}) for app in schedule.apps)
        path = to or tmp_path / "schedule.json"
        partial = path.with_suffix(".new")
        partial.write_bytes(schedule.model_copy(update={"streams": (stream,), "apps": scheduled}).to_json())
        partial.replace(path)
        return path

    return write


def rtsp(url: str, *, transport: str = "Tcp", secret: str | None = None) -> Source:
    ref = SecretRef(name=secret) if secret else None
    return Source(rtsp=Rtsp(url=url, transport=transport, credentials_secret_ref=ref))  # type: ignore[arg-type]


class Runner:
    """`mainstream run` on a schedule. Records come line by line on its standard output."""

    def __init__(self, schedule: Path, store: Path, *more: str) -> None:
        command = [str(MAINSTREAM), "run", "--schedule", str(schedule), "--store", str(store), *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.records: list[dict[str, Any]] = []
        self.messages = ""
        self._threads: list[threading.Thread] = []
        self._new: queue.Queue[tuple[str, Any]] = queue.Queue()
        for name in ("stdout", "stderr"):
            self._threads.append(threading.Thread(target=self._read, args=(name,), daemon=True))
            self._threads[-1].start()

    def _read(self, name: str) -> None:
        with getattr(self.process, name) as lines:
            for line in lines:
                self._new.put((name, line))
        self._new.put((name, None))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()

    def until(self, holds: Callable[["Runner"], Any]) -> Any:
        """Read on until something holds, and return it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds(self)):
            self._take(until - time.monotonic())
        return found

    def event(self, kind: str, number: int = 1, **data: Any) -> dict[str, Any]:
        """The n-th record of that kind with that data, as soon as it is there."""

        def found(runner: "Runner") -> Any:
            matching = [
                record
                for record in runner.records
                if record["type"] == f"dev.mainstream.{kind}"
                and all(record["data"].get(key) == value for key, value in data.items())
            ]
            return matching[number - 1] if len(matching) >= number else None

        return self.until(found)

    def says(self, text: str) -> None:
        """Wait for a message."""
        self.until(lambda runner: " ".join(text.split()) in " ".join(runner.messages.split()))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, read the rest."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        """Read the rest; the exit status."""
        open_ends = 2
        while open_ends:
            open_ends -= self._take(PATIENCE_SECONDS)
        return self.process.wait(PATIENCE_SECONDS)

    def _take(self, seconds: float) -> bool:
        try:
            name, line = self._new.get(timeout=max(seconds, 0))
        except queue.Empty:
            pytest.fail(f"nothing more came; messages: {self.messages}; records: {self.records[-3:]}")
        if line is None:
            return True
        if name == "stdout":
            self.records.append(json.loads(line))
        else:
            self.messages += line
        return False


@pytest.fixture
def runner(tiny_store: StoreFolder) -> Iterator[Callable[..., Runner]]:
    runners: list[Runner] = []

    def start(schedule: Path, *more: str) -> Runner:
        runners.append(Runner(schedule, tiny_store.root, *more))
        return runners[-1]

    yield start
    for one in runners:
        one.__exit__()


@pytest.fixture
def secret(tmp_path: Path) -> Callable[..., Path]:
    """Write a Secret's keys as files; gives the folder for --secrets."""

    def write(name: str, **keys: str) -> Path:
        folder = tmp_path / "secrets"
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
        for key, value in keys.items():
            path = folder / name / key
            path.write_text(value + "\n")
            path.chmod(0o600)
        return folder

    return write
