"""Keeps a live stream's packets as video files, as they came: nothing is decoded or encoded again.

Each file begins with a key frame, so that its frames can be numbered from 0 as in ``events.csv``. It has a temporary name until
it is whole. A lost connection ends the file; the next one begins another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import av
import av.error
from av.video.stream import VideoStream

from mainstream.errors import OperationError
from mainstream_runner.sources.camera import CameraConnection

IN_MP4 = {"h264", "hevc", "av1", "mpeg4", "vp9"}
"""Codecs that MP4 holds; Matroska takes the others."""

EVENTS_CSV = "events.csv"
HEADER = "video,label,start_frame,end_frame\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A file that is whole."""

    path: Path
    frames: int
    seconds: float


def record_file(
    connection: CameraConnection,
    folder: Path,
    *,
    stream: str,
    seconds: float,
    utc: Callable[[], datetime],
    go_on: Callable[[float], bool],
    kept: Callable[[Recorded], None],
) -> bool:
    """Record up to so many seconds of one connection; whether anything was: ``kept`` is told the file.

    ``go_on`` is told the seconds so far with each packet and may end it. ``ConnectionLostError`` ends it, too, after what
    came was kept. ``OperationError`` if it cannot be written.
    """
    video = connection.video
    suffix = ".mp4" if video.codec_context.name in IN_MP4 else ".mkv"
    path = folder / f"{stream}-{utc():%Y%m%dT%H%M%SZ}{suffix}"
    partial = path.with_name(f".{path.name}.partial")
    writer = _Writer(partial, suffix, video)
    try:
        for packet in connection.packets():
            writer.write(packet)
            if writer.seconds >= seconds or not go_on(writer.seconds):
                break
    finally:
        writer.close()
        if writer.frames:
            partial.rename(path)
            kept(Recorded(path=path, frames=writer.frames, seconds=writer.seconds))
        else:
            partial.unlink(missing_ok=True)
    return writer.frames > 0


def begin_events_csv(folder: Path) -> Path | None:
    """Write the header of ``events.csv`` for whoever labels the videos; None if there is one already."""
    path = folder / EVENTS_CSV
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(HEADER)
    except FileExistsError:
        return None
    except OSError as error:
        raise OperationError(f"cannot be written: {error.strerror}", where=path) from None
    return path


class _Writer:
    """Copies packets into a file from the first key frame on; its timestamps start at 0 and always grow.

    A camera's timestamps go back when its clock is set: RTSP does that with the first report after the connection.
    """

    def __init__(self, path: Path, suffix: str, video: VideoStream) -> None:
        self._path = path
        self._video = video
        self._first: int | None = None
        self._newest, self._interval = -1, 1
        self.frames = 0
        self.seconds = 0.0
        try:
            self._container = av.open(str(path), "w", format="mp4" if suffix == ".mp4" else "matroska")
            self._stream = self._container.add_stream_from_template(video)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from None

    def write(self, packet: "av.Packet[VideoStream]") -> None:
        if packet.dts is None or packet.pts is None or packet.time_base is None:
            return
        if self._first is None:
            if not packet.is_keyframe:
                return
            self._first = packet.dts
        if packet.dts - self._first <= self._newest:
            self._first = packet.dts - self._newest - self._interval
        decoded = packet.dts - self._first
        self._newest, self._interval = decoded, max(1, decoded - self._newest)
        reached = float((packet.pts - self._first) * packet.time_base)
        packet.dts -= self._first
        packet.pts -= self._first
        packet.stream = self._stream
        try:
            self._container.mux(packet)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from None
        self.frames += 1
        self.seconds = max(self.seconds, reached)

    def close(self) -> None:
        try:
            self._container.close()
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> OperationError:
        reason = getattr(error, "strerror", None) or str(error)
        return OperationError(
            f"cannot write the video: {reason}", where=self._path, remedy="Make room, or record elsewhere."
        )
