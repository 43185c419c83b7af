"""Decodes a stream's packets, and leaves out what nobody needs where the codec allows it.

A frame that no app is due on is still decoded if a later one is predicted from it. Left out are frames that no other one
refers to (H.264's and HEVC's disposable B-frames), and every unwanted frame of a codec in which each stands for itself (Motion
JPEG, as most USB cameras give). A packet that cannot be decoded is counted and left out.
"""

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import av
import av.error
from av.video.stream import VideoStream

if TYPE_CHECKING:
    VideoPacket = av.Packet[VideoStream]

STAND_ALONE = {"mjpeg", "rawvideo", "dvvideo", "prores", "ffv1", "huffyuv", "png"}
"""Codecs in which no frame refers to another one."""


class Decoder:
    """One connection's decoder. Used by one thread. ``skipped`` counts frames that were left out."""

    def __init__(self, video: VideoStream) -> None:
        self._codec = video.codec_context
        self._codec.thread_count = 1  # ingest is planned in core seconds; the engine has the other cores
        self._stand_alone = self._codec.name in STAND_ALONE
        self._unwanted: list[int] = []  # a heap of timestamps: of frames left out, or not yet seen to be decoded anyway
        self.skipped = 0
        self.corrupt_packets = 0

    def decode(self, packet: "VideoPacket", *, wanted: bool) -> Iterator[av.VideoFrame]:
        """The pictures that the packet completes, in order of presentation; the empty one at the end gives those held back.

        ``skipped`` has grown by the frames before a picture when it comes.
        """
        wanted = wanted or packet.pts is None or packet.is_discard
        if not wanted and packet.pts is not None:
            heapq.heappush(self._unwanted, packet.pts)
            if self._stand_alone:
                return
        discard: Literal["DEFAULT", "NONREF"] = "DEFAULT" if wanted else "NONREF"
        if self._codec.skip_frame != discard:
            self._codec.skip_frame = discard
        try:
            for picture in packet.decode():
                self._count_before(picture.pts)
                yield picture
        except av.error.InvalidDataError:
            self.corrupt_packets += 1
        if not packet.size:
            self.skipped += len(self._unwanted)
            self._unwanted.clear()

    def _count_before(self, pts: int | None) -> None:
        """Unwanted frames before one that is shown were left out; one that is shown itself was needed by another."""
        while pts is not None and self._unwanted and self._unwanted[0] <= pts:
            self.skipped += heapq.heappop(self._unwanted) < pts
