"""Video files as streams. Rules:

* what is no readable video is an ``InputError`` before anything runs: opening decodes the first frame;
* a packet that cannot be decoded is counted and left out; a file that stops before its announced end is read as far as it
  goes, and its end says ``CutOff``;
* AVI has no presentation timestamps, so its frames stand evenly at its stated rate, and so do frames without a timestamp;
* timestamps that fall back by more than a second (joined recordings) go on from where they were;
* ``loop`` plays the file again and again; each round lasts a whole number of slots if that is within the slots' tolerance, so
  that rounded timestamps do not add up to a drift.
"""

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.video.stream import VideoStream

from mainstream.errors import InputError
from mainstream_runner.frames import SLOT_TOLERANCE, Frame
from mainstream_runner.sources.decoding import Decoder
from mainstream_runner.sources.source import Connection, SourceInfo, StreamEnd, Wanted, everything

MAX_STEP_BACK_SECONDS = 1
"""Timestamps that fall back further than this begin anew; less is jitter, and the frame stands where the last one did."""

MIN_MISSING_SECONDS = Fraction(1, 2)
MIN_MISSING_FRAMES = 3
"""A file is cut off if more than both of these is missing at its end; announced durations are rounded."""

FALLBACK_FPS = Fraction(25)
"""For a file that states no rate at all; only frames without timestamps need it."""


class FileSource:
    """A video file as a stream. A context manager: the file is closed however the block ends."""

    def __init__(self, path: Path, *, capture_fps: Fraction, loop: bool = False, where: object = None) -> None:
        """Open the file and decode its first frame; ``InputError`` names ``where``, the file and what is wrong with it."""
        self._path = path
        self._capture_fps = capture_fps
        self._where = where
        self._check_path()
        self.end: StreamEnd | None = None
        self._earlier_skipped = 0
        self._earlier_corrupt = 0
        self._wanted: Wanted = everything
        self._start: Fraction | None = None
        self._shift = Fraction(0)
        self._offset = Fraction(0)  # of this round
        self._reached = Fraction(0)  # the latest frame of this round, shown or left out
        self._container, self._video = self._open()
        self._decoder = Decoder(self._video)
        self._has_timestamps = self._container.format.name != "avi"
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

    @property
    def corrupt_packets(self) -> int:
        """Packets that could not be decoded so far."""
        return self._earlier_corrupt + self._decoder.corrupt_packets

    @property
    def skipped(self) -> int:
        """Frames that were not decoded because nobody wanted them."""
        return self._earlier_skipped + self._decoder.skipped

    def connection(self) -> Connection:
        """A file is there until it ends."""
        return Connection(phase="Ended" if self.end else "Connected", message=self.end.message if self.end else "")

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self, wanted: Wanted = everything) -> Generator[Frame]:
        """The frames, in order of presentation; with ``loop`` without an end."""
        self._wanted = wanted
        shown = 0
        while True:
            for seconds, picture in self._timed():
                yield Frame(index=shown + self.skipped, seconds=self._offset + seconds, picture=picture)
                shown += 1
            if self.end is not None and self.end.reason == "CutOff":
                return
            if not self.info.loop:
                self.end = StreamEnd(reason="EndOfFile")
                return
            self._offset = self._whole_slots(self._offset + self._reached + self._interval)
            self.close()
            self._earlier_skipped, self._earlier_corrupt = self.skipped, self.corrupt_packets
            self._start, self._shift, self._reached = None, Fraction(0), Fraction(0)
            self._container, self._video = self._open()
            self._decoder = Decoder(self._video)
            self._round = self._decode()
            self._first = next(self._round, None)

    def _whole_slots(self, seconds: Fraction) -> Fraction:
        slots = seconds * self._capture_fps
        return round(slots) / self._capture_fps if abs(slots - round(slots)) < SLOT_TOLERANCE else seconds

    def _timed(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """One round's pictures with their seconds from its first; never falling back."""
        last = -self._interval
        for picture in self._pictures():
            if not self._has_timestamps or picture.pts is None or picture.time_base is None:
                seconds = last + self._interval
            else:
                stamp = picture.pts * picture.time_base
                self._start = stamp if self._start is None else self._start
                seconds = stamp - self._start + self._shift
                if last - seconds > MAX_STEP_BACK_SECONDS:
                    self._shift += last + self._interval - seconds
                    seconds = last + self._interval
                seconds = max(seconds, last)
            yield seconds, picture
            last = seconds
            self._reached = max(self._reached, last)
        self._look_for_cut()

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
            yield from self._decoder.decode(packet, wanted=self._is_wanted(packet))

    def _is_wanted(self, packet: "av.Packet[VideoStream]") -> bool:
        if self._start is None or packet.pts is None or packet.time_base is None or not self._has_timestamps:
            return True
        seconds = packet.pts * packet.time_base - self._start + self._shift
        wanted = self._wanted(self._offset + seconds)
        if not wanted:
            self._reached = max(self._reached, seconds)
        return wanted

    def _look_for_cut(self) -> None:
        expected = self._announced_seconds()
        missing = None if expected is None else expected - (self._reached + self._interval)
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
        return container, container.streams.video[0]

    def _refused(self, problem: str, remedy: str | None = None) -> InputError:
        return InputError(
            f"file {str(self._path)!r} {problem}",
            where=self._where,
            remedy=remedy or "Name a video that ffprobe can read (MP4, MKV, WebM, AVI, MPEG-TS with H.264, VP9, ...).",
        )
