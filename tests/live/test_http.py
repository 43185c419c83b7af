"""Network streams by HTTP: MPEG-TS and Motion JPEG at their own pace, from a real server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mainstream.resources.edgenode import Http, Source
from mainstream.resources.metadata import SecretRef
from mainstream_runner.snapshots import jpeg

FPS = 15


def picture(number: int, size: tuple[int, int]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), number * 5 % 256, np.uint8), format="rgb24")


def transport_stream(folder: Path, sizes: list[tuple[int, int]]) -> list[bytes]:
    """A second of MPEG-TS for each size, one after another as one stream."""
    parts = []
    for place, size in enumerate(sizes):
        path = folder / f"{place}.ts"
        with av.open(str(path), "w", format="mpegts", options={"output_ts_offset": str(place)}) as container:
            stream = container.add_stream("libx264", rate=FPS, options={"g": "15", "bf": "0", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for number in range(FPS):
                container.mux(stream.encode(picture(number, size)))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    return parts


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve what a function writes; gives the URL. ``password``: Basic authentication is asked for."""
    servers: list[ThreadingHTTPServer] = []

    def start(kind: str, write: Callable[[Any], None], *, authorization: str | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if authorization and self.headers.get("Authorization") != authorization:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                with suppress(OSError):  # the runner left
                    write(self.wfile)

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[-1].daemon_threads = True
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/video"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_motion_jpeg_goes_by_arrival(serve, live_schedule, runner) -> None:
    """Each picture stands for itself: those that nobody looks at are not decoded, and none is missing."""
    frames = [jpeg(picture(number, (160, 120)), width=160, height=120, quality=80) for number in range(FPS)]

    def write(out: Any) -> None:
        while True:
            for frame in frames:
                out.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(frame))
                out.write(frame + b"\r\n")
                out.flush()
                time.sleep(1 / FPS)

    url = serve("multipart/x-mixed-replace; boundary=frame", write)
    with runner(live_schedule(Source(http=Http(url=url)), [(3, 5)])) as run:
        run.event("event.started", app="default/app-0")
        time.sleep(2)
        assert run.stop() == 143
    assert run.records[-1]["data"]["streams"][0]["framesRead"] > 20
    assert "Traceback" not in run.messages


def test_a_stream_that_ends_and_changes_its_resolution(serve, live_schedule, runner, tmp_path: Path, secret) -> None:
    """The resolution changes in the middle, then the server ends the stream; the runner connects again, with its password."""
    parts = transport_stream(tmp_path, [(320, 240), (160, 120), (320, 240)])

    def write(out: Any) -> None:
        for part in parts:
            for start in range(0, len(part), 1880):
                out.write(part[start : start + 1880])
            out.flush()
            time.sleep(1)

    url = serve("video/mp2t", write, authorization="Basic dmlld2VyOnNlc2FtZQ==")
    folder = secret("yard", username="viewer", password="sesame")
    source = Source(http=Http(url=url, credentials_secret_ref=SecretRef(name="yard")))
    with runner(live_schedule(source), "--secrets", str(folder)) as run:
        run.event("event.started", app="default/app-0")
        run.event("event.ended", app="default/app-0", reason="StreamLost")
        run.event("event.started", 2, app="default/app-0")
        assert run.stop() == 143
    assert "sesame" not in run.messages + str(run.records)
    assert "Traceback" not in run.messages
