"""Labelled videos and pictures decoded to a network's pixels: the rule of ``mainstream.pixels``, as the runner does it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mainstream.errors import InputError
from mainstream.pixels import crop_box

Crop = tuple[float, float, float, float]
Pixels = NDArray[np.uint8]
"""``(height, width, 3)``, RGB."""

_REMEDY = "Check that the file plays from beginning to end (for example with ffprobe), or leave it out of the dataset."


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What decoding a video whole has shown. ``cut_off`` says where it broke off, if it did."""

    frames: int
    fps: Fraction
    cut_off: str | None = None


def probe(path: Path) -> VideoFacts:
    """Decode a video once, counting its frames (``InputError`` if it is missing, empty or no video)."""
    if not path.is_file():
        raise InputError(
            "no such video", where=path, remedy="Check the name in the CSV of events and the dataset's uri."
        )
    if path.stat().st_size == 0:
        raise InputError("the video is empty (0 bytes)", where=path, remedy=_REMEDY)
    frames, cut_off = 0, None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError("the file holds no video", where=path, remedy=_REMEDY)
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or stream.guessed_rate
            announced = stream.frames
            try:
                for _ in container.decode(stream):
                    frames += 1
            except av.FFmpegError as error:
                cut_off = f"after frame {frames - 1}: {error.strerror}"
    except av.FFmpegError as error:
        raise InputError(f"not readable as a video: {error.strerror}", where=path, remedy=_REMEDY) from None
    if not frames:
        raise InputError("not one frame of the video can be decoded", where=path, remedy=_REMEDY)
    if not rate:
        raise InputError("the video states no frame rate", where=path, remedy=_REMEDY)
    if cut_off is None and announced and frames < announced:
        cut_off = f"{frames} of the {announced} frames that it announces can be decoded"
    return VideoFacts(frames=frames, fps=Fraction(rate), cut_off=cut_off)


def video_pixels(path: Path, wanted: NDArray[np.int64], crop: Crop, size: tuple[int, int]) -> Iterator[Pixels]:
    """The frames of those numbers (ascending), cropped and shrunk to ``(height, width)``."""
    reformatter = VideoReformatter()
    left = wanted.tolist()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            if not left:
                return
            if number == left[0]:
                left.pop(0)
                yield shrink(frame, crop, size, reformatter)


def shrink(frame: av.VideoFrame, crop: Crop, size: tuple[int, int], reformatter: VideoReformatter) -> Pixels:
    """A picture cropped and shrunk to ``(height, width)`` by area averaging, RGB."""
    box = crop_box(frame.width, frame.height, crop)
    if box[2:] != (frame.width, frame.height):
        pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)[
            box[1] : box[1] + box[3], box[0] : box[0] + box[2]
        ]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    small = reformatter.reformat(frame, size[1], size[0], "rgb24", interpolation=Interpolation.AREA)
    return np.asarray(small.to_ndarray(), np.uint8)


def picture_pixels(path: Path, crop: Crop, size: tuple[int, int]) -> Pixels:
    """A picture file as a network sees it (``InputError`` if it cannot be read)."""
    try:
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"), np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(
            f"not readable as a picture: {error}", where=path, remedy="Repair or remove the file, then train again."
        ) from None
    return shrink(av.VideoFrame.from_ndarray(rgb, format="rgb24"), crop, size, VideoReformatter())
