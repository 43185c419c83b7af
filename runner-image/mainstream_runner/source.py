"""Where frames come from. A ``FrameSource`` gives a stream's frames in order; this module has the one for files.

Rules of a file:

* what is no readable video is an ``InputError`` before anything runs: opening decodes the first frame;
* a packet that cannot be decoded is counted and left out; a file that stops before its announced end is read as far as it
  goes, and its end says ``CutOff``;
* AVI has no presentation timestamps, so its frames stand evenly at its stated rate, and so do frames without a timestamp;
* timestamps that fall back by more than a second (joined recordings) go on from where they were;
* ``loop`` plays the file again and again; each round lasts a whole number of slots if that is within the slots' tolerance, so
  that rounded timestamps do not add up to a drift.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import av
import av.error
from av.video.stream import VideoStream

from mainstream.errors import InputError
from mainstream.schedule import ScheduledStream
from mainstream_runner.frames import SLOT_TOLERANCE, Frame

EndReason = Literal["EndOfFile", "CutOff"]

MAX_STEP_BACK_SECONDS = 1
"""Timestamps that fall back further than this begin anew; less is jitter, and the frame stands where the last one did."""

MIN_MISSING_SECONDS = Fraction(1, 2)
MIN_MISSING_FRAMES = 3
"""A file is cut off if more than both of these is missing at its end; announced durations are rounded."""

FALLBACK_FPS = Fraction(25)
"""For a file that states no rate at all; only frames without timestamps need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What is known of a stream before it is read. ``frames`` is announced or estimated, None if the file does not say."""

    file: str
    width: int
    height: int
    fps: Fraction | None
    frames: int | None
    loop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """Why a stream ended, in a word and in a sentence."""

    reason: EndReason
    message: str = ""


class FrameSource(Protocol):
    """A stream's frames. ``end`` is set when ``frames`` is exhausted; ``close`` may be called at any time, twice too."""

    info: SourceInfo
    end: StreamEnd | None
    corrupt_packets: int

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class FileSource:
    """A video file as a stream. A context manager: the file is closed however the block ends."""

    def __init__(self, path: Path, *, capture_fps: Fraction, loop: bool = False, where: object = None) -> None:
        """Open the file and decode its first frame; ``InputError`` names ``where``, the file and what is wrong with it."""
        self._path = path
        self._capture_fps = capture_fps
        self._where = where
        self._check_path()
        self.end: StreamEnd | None = None
        self.corrupt_packets = 0
        self._container, self._video = self._open()
        stated = self._video.average_rate or self._video.guessed_rate
        self._interval = 1 / Fraction(stated or FALLBACK_FPS)
        self.info = SourceInfo(
            file=str(path),
            width=self._video.width,
            height=self._video.height,
            fps=Fraction(stated) if stated else None,
            frames=self._announced_frames(),
            loop=loop,
        )
        self._round = self._decode()
        try:
            self._first = next(self._round, None)
        except av.error.FFmpegError as error:
            self.close()
            raise self._refused(f"is no readable video ({error.strerror})") from None
        if self._first is None:
            self.close()
            raise self._refused("has no frame that can be decoded")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        """All frames, in order of presentation; with ``loop`` without an end."""
        index = 0
        offset = Fraction(0)
        while True:
            last = offset
            for seconds, picture in self._timed():
                last = offset + seconds
                yield Frame(index=index, seconds=last, picture=picture)
                index += 1
            if self.end is not None and self.end.reason == "CutOff":
                return
            if not self.info.loop:
                self.end = StreamEnd(reason="EndOfFile")
                return
            offset = self._whole_slots(last + self._interval)
            self.close()
            self._container, self._video = self._open()
            self._round = self._decode()
            self._first = next(self._round, None)

    def _whole_slots(self, seconds: Fraction) -> Fraction:
        slots = seconds * self._capture_fps
        return round(slots) / self._capture_fps if abs(slots - round(slots)) < SLOT_TOLERANCE else seconds

    def _timed(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """One round's pictures with their seconds from its first; never falling back."""
        has_timestamps = self._container.format.name != "avi"
        start: Fraction | None = None
        shift = Fraction(0)
        last = -self._interval
        for picture in self._pictures():
            if not has_timestamps or picture.pts is None or picture.time_base is None:
                seconds = last + self._interval
            else:
                stamp = picture.pts * picture.time_base
                start = stamp if start is None else start
                seconds = stamp - start + shift
                if last - seconds > MAX_STEP_BACK_SECONDS:
                    shift += last + self._interval - seconds
                    seconds = last + self._interval
                seconds = max(seconds, last)
            yield seconds, picture
            last = seconds
        self._look_for_cut(last)

    def _pictures(self) -> Iterator[av.VideoFrame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        try:
            yield from self._round
        except av.error.FFmpegError as error:
            self._cut_off(f"the file breaks off ({error.strerror})")

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._container.demux(self._video):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                self.corrupt_packets += 1

    def _look_for_cut(self, last: Fraction) -> None:
        expected = self._announced_seconds()
        missing = None if expected is None else expected - (last + self._interval)
        if self.end is not None or expected is None or missing is None:
            return
        if missing > max(MIN_MISSING_SECONDS, MIN_MISSING_FRAMES * self._interval):
            self._cut_off(f"the file announces {float(expected):.1f} s, {float(missing):.1f} s of it are missing")

    def _cut_off(self, message: str) -> None:
        self.end = StreamEnd(reason="CutOff", message=message)

    def _announced_seconds(self) -> Fraction | None:
        """The smaller of what the video track and the whole file announce: the one may be trimmed, the other hold sound."""
        video, whole = self._video, self._container.duration
        track = Fraction(video.duration * video.time_base) if video.duration and video.time_base else None
        file = Fraction(whole, av.time_base) if whole else None
        if track is None:
            return file if len(self._container.streams) == 1 else None
        return track if file is None else min(track, file)

    def _announced_frames(self) -> int | None:
        if self._video.frames:
            return int(self._video.frames)
        seconds = self._announced_seconds()
        return None if seconds is None else max(1, round(seconds / self._interval))

    def _check_path(self) -> None:
        path = self._path
        try:
            if path.is_dir():
                raise self._refused("is a folder", "Name a video file.")
            if not path.exists():
                raise self._refused(
                    "does not exist", "Correct the path; a relative one starts at the manifest's folder."
                )
            if path.stat().st_size == 0:
                raise self._refused("is empty")
        except OSError as error:
            raise self._refused(f"cannot be read ({error.strerror})") from None

    def _open(self) -> tuple[av.container.InputContainer, VideoStream]:
        try:
            container = av.open(str(self._path), "r")
        except OSError as error:
            if isinstance(error, av.error.FFmpegError) and not isinstance(error, av.error.PermissionError):
                raise self._refused(
                    f"is no video that can be read, or its index is cut off ({error.strerror})"
                ) from None
            raise self._refused(f"cannot be read ({error.strerror})") from None
        except av.error.FFmpegError as error:
            raise self._refused(f"is no video that can be read, or its index is cut off ({error.strerror})") from None
        if not container.streams.video:
            known = bool(container.streams.audio)
            container.close()
            if not known:
                raise self._refused("is no video that can be read, or its index is cut off (it holds no pictures)")
            raise self._refused("holds no video stream", "Name a file with pictures.")
        video = container.streams.video[0]
        video.codec_context.thread_count = 1  # ingest is planned in core seconds; the engine has the other cores
        return container, video

    def _refused(self, problem: str, remedy: str | None = None) -> InputError:
        return InputError(
            f"file {str(self._path)!r} {problem}",
            where=self._where,
            remedy=remedy or "Name a video that ffprobe can read (MP4, MKV, WebM, AVI, MPEG-TS with H.264, VP9, ...).",
        )


def open_stream(stream: ScheduledStream, *, until_end: bool) -> FileSource:
    """The source of a scheduled stream; ``until_end`` plays a looped file once. ``InputError`` for what is no file."""
    where = f"stream {stream.name!r}"
    file = stream.source.file
    if file is None or file.path is None:
        kind = next(name for name in ("rtsp", "http", "device", "file") if getattr(stream.source, name) is not None)
        kind = "file.pvc" if kind == "file" else kind
        raise InputError(
            f"source.{kind}: the command line of this version reads streams from files only",
            where=where,
            remedy="Give the stream a source {file: {path: ...}}.",
        )
    return FileSource(Path(file.path), capture_fps=stream.capture_fps, loop=file.loop and not until_end, where=where)


Opener = Callable[[ScheduledStream], FrameSource]
"""How the pipeline opens a scheduled stream."""
