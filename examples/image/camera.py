"""An RTSP camera that shows a video over and over (GStreamer's server; Debian's Python has its bindings).

    /usr/bin/python3 camera.py VIDEO PORT

Serves rtsp://HOST:PORT/belt to any number of clients. It behaves as a camera does: time goes on while nobody watches, all who
watch see the same, and RTCP says at what time of the camera's clock a frame was taken. The video begins at every multiple of
its length since 1970, so whoever has its truth knows from an event's time what was in the picture.
"""

import sys
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PATH = "/belt"
AHEAD = 4
"""Frames that wait to be sent when it is their time."""


class Tape:
    """A video's frames as they are coded, in memory: bytes, and whether it is a key frame."""

    def __init__(self, video: str) -> None:
        line = f'filesrc location="{video}" ! qtdemux ! appsink name=sink sync=false max-buffers=0'
        pipeline = Gst.parse_launch(line)
        sink = pipeline.get_by_name("sink")
        pipeline.set_state(Gst.State.PLAYING)
        self.frames = []
        while (sample := sink.emit("pull-sample")) is not None:
            buffer = sample.get_buffer()
            self.caps = sample.get_caps()
            key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            self.frames.append((buffer.extract_dup(0, buffer.get_size()), key))
        pipeline.set_state(Gst.State.NULL)
        if not self.frames:
            raise SystemExit(f"{video}: holds no H.264 in MP4")
        _, self.frames_per, self.seconds = self.caps.get_structure(0).get_fraction("framerate")

    def due(self, number: int) -> int:
        """When a frame is due, in nanoseconds of the clock; numbers count on from round to round, from 0 in 1970."""
        return number * self.seconds * Gst.SECOND // self.frames_per

    def first_after(self, moment: int) -> int:
        """The first key frame that is due at or after a moment of the clock."""
        number = moment * self.frames_per // (self.seconds * Gst.SECOND) + 1
        while not self.frames[number % len(self.frames)][1]:
            number += 1
        return number


class Camera(GstRtspServer.RTSPMediaFactory):
    """One stream for all clients."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape
        self.set_launch(
            f"( appsrc name=tape is-live=true format=time min-latency=0 max-buffers={AHEAD} ! identity sync=true ! "
            "rtph264pay config-interval=-1 name=pay0 pt=96 )"
        )
        self.set_shared(True)

    def do_configure(self, media: Any) -> None:
        """Called for the first client; when the last one has left, the next one's media is another."""
        source = media.get_element().get_by_name("tape")
        source.set_property("caps", self.tape.caps)
        source.connect("need-data", self._push, {})
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)

    def _push(self, source: Any, _bytes: int, state: dict[str, int]) -> None:
        if not state:
            clock, wall = source.get_clock(), time.time_ns()
            running = clock.get_time() - source.get_base_time() if clock is not None else 0
            state["start"] = wall - running  # the clock's time at which the pipeline's is 0
            state["number"] = self.tape.first_after(wall)
        number = state["number"]
        data, key = self.tape.frames[number % len(self.tape.frames)]
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = max(0, self.tape.due(number) - state["start"])
        if not key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        state["number"] = number + 1
        source.emit("push-buffer", buffer)


def main() -> None:
    """Serve until the process is ended."""
    video, port = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("0.0.0.0")  # noqa: S104 - a camera is there to be reached
    server.set_service(port)
    server.get_mount_points().add_factory(PATH, Camera(Tape(video)))
    if server.attach(None) == 0:
        raise SystemExit(f"port {port} is taken")
    print(f"camera at rtsp://HOST:{port}{PATH}", flush=True)
    GLib.MainLoop().run()


main()
