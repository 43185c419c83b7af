"""Pictures in events: the app's view of the frame that decided, as JPEG (``spec.snapshots``)."""

import base64
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from mainstream.pixels import crop_box
from mainstream.resources.app import Snapshots
from mainstream.resources.edgenode import View

SMALLEST = 32
"""Pixels on the shorter side below which a picture is of no use."""


def snapshot(picture: av.VideoFrame, view: View, wanted: Snapshots) -> dict[str, Any] | None:
    """The event's ``snapshot`` field; halved in size until it has at most ``maxBytes``, None if it never has."""
    left, top, width, height = crop_box(picture.width, picture.height, view.crop)
    if (width, height) != (picture.width, picture.height):
        pixels = picture.to_ndarray(format="rgb24")[top : top + height, left : left + width]
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, dtype=np.uint8), format="rgb24")
    while min(width, height) >= SMALLEST:
        data = jpeg(picture, width=width, height=height, quality=wanted.quality)
        if len(data) <= wanted.max_bytes:
            text = base64.b64encode(data).decode()
            return {"contentType": "image/jpeg", "width": width & ~1, "height": height & ~1, "data": text}
        width, height = width // 2, height // 2
    return None


def jpeg(picture: av.VideoFrame, *, width: int, height: int, quality: int) -> bytes:
    """A picture as JPEG of that size (made even); ``quality`` is in [1, 100], as elsewhere 75 is good."""
    width, height = max(2, width & ~1), max(2, height & ~1)
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)  # noqa: S101 - it is a video codec
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.time_base = Fraction(1, 25)  # it wants one, for a single picture too
    codec.qmin = codec.qmax = quantizer(quality)
    small = VideoReformatter().reformat(picture, width, height, "yuvj420p")
    small.pts = 0
    return b"".join(bytes(packet) for packet in (*codec.encode(small), *codec.encode(None)))


def quantizer(quality: int) -> int:
    """libav's scale of 2 (best) to 31 for the quality of 1 to 100 that other JPEG encoders know."""
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    return min(max(round(8 * scale), 2), 31)
