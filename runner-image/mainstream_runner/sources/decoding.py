"""Decodes a stream's packets, and leaves out what nobody needs where the codec allows it.

A frame that no app is due on is still decoded if a later one that is wanted is predicted from it. Left out are

* frames that no other one refers to (H.264's and HEVC's disposable B-frames);
* every unwanted frame of a codec in which each stands for itself (Motion JPEG, as most USB cameras give);
* where looks are rarer than key frames: what lies between the last frame that was wanted and the key frame before the next
  one. Packets are held back until either a wanted one comes, or a key frame that makes them needless.

A packet that cannot be decoded is counted and left out.
"""

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import av
import av.error
from av.video.frame import PictureType
from av.video.stream import VideoStream

if TYPE_CHECKING:
    VideoPacket = av.Packet[VideoStream]

STAND_ALONE = {"mjpeg", "rawvideo", "dvvideo", "prores", "ffv1", "huffyuv", "png"}
"""Codecs in which no frame refers to another one."""
CONFIRMED = 2
"""Key frames that were whole pictures: a stream's first one always is."""
MAX_HELD = 120
"""Packets: of key frames that are further apart nothing is held back; what is decoded at once then would take too long."""


class Decoder:
    """One connection's decoder. Used by one thread. ``skipped`` counts frames that were left out, or shown to nobody."""

    def __init__(self, video: VideoStream) -> None:
        self._codec = video.codec_context
        self._codec.thread_count = 1  # ingest is planned in core seconds; the engine has the other cores
        self._stand_alone = self._codec.name in STAND_ALONE
        self._unwanted: list[int] = []  # a heap of timestamps: of frames left out, or not yet seen to be decoded anyway
        self._held = Held()
        self.left_out = False
        """Whether the newest packet was not decoded, since nobody wants it."""
        self.skipped = 0
        self.corrupt_packets = 0

    def decode(self, packet: "VideoPacket", *, wanted: bool) -> Iterator[av.VideoFrame]:
        """The pictures that the packet completes, in order of presentation; the empty one at the end gives those held back.

        ``skipped`` has grown by the frames before a picture when it comes.
        """
        wanted = wanted or packet.pts is None or packet.is_discard
        self._held.see(packet, wanted=wanted)
        self.left_out = not wanted and (
            self._stand_alone or (not self._codec.has_b_frames and self._held.takes(packet))
        )
        if not wanted and packet.pts is not None:
            heapq.heappush(self._unwanted, packet.pts)
        if self.left_out:
            return
        held, anew = self._held.given_back(packet)
        if anew:
            self._codec.flush_buffers()
        nobodys = {one.pts for one in held}
        # Looked through one by one: all pictures between two key frames would take hundreds of megabytes.
        before = [shown for one in held for shown in self._decoded(one, wanted=False) if shown.pts not in nobodys]
        pictures = self._decoded(packet, wanted=wanted)
        if packet.is_keyframe and pictures:
            self._held.confirm(whole=all(one.pict_type == PictureType.I for one in pictures))
        if anew and wanted and not pictures and packet.pts is not None:  # then its key frames are none to begin with
            self._held.confirm(whole=False)
            heapq.heappush(self._unwanted, packet.pts)
        for picture in (*before, *pictures):
            self._count_before(picture.pts)
            yield picture
        if not packet.size:
            self.skipped += len(self._unwanted)
            self._unwanted.clear()

    def _decoded(self, packet: "VideoPacket", *, wanted: bool) -> list[av.VideoFrame]:
        discard: Literal["DEFAULT", "NONREF"] = "DEFAULT" if wanted else "NONREF"
        if self._codec.skip_frame != discard:
            self._codec.skip_frame = discard
        try:
            return packet.decode()
        except av.error.InvalidDataError:
            self.corrupt_packets += 1
            return []

    def _count_before(self, pts: int | None) -> None:
        """Unwanted frames before one that is shown were left out; one that is shown itself was needed by another."""
        while pts is not None and self._unwanted and self._unwanted[0] <= pts:
            self.skipped += heapq.heappop(self._unwanted) < pts


class Held:
    """Packets that are not decoded yet, since a key frame may come before anybody wants a frame that refers to them."""

    def __init__(self) -> None:
        self._packets: list[VideoPacket] = []
        self._cut = False
        self._confirmed = 0
        self._since_key: int | None = None
        self._key_interval: int | None = None
        self._since_wanted = 0
        self._wanted_interval = 0

    def see(self, packet: "VideoPacket", *, wanted: bool) -> None:
        """Count how far apart key frames and wanted frames are."""
        self._since_wanted += 1
        if wanted:
            self._wanted_interval, self._since_wanted = self._since_wanted, 0
        if self._since_key is not None:
            self._since_key += 1
        if packet.is_keyframe:
            self._key_interval, self._since_key = self._since_key, 0

    def takes(self, packet: "VideoPacket") -> bool:
        """Hold back a packet that nobody wants, if that promises to be worth it."""
        if self._confirmed < CONFIRMED or self._key_interval is None or self._key_interval > MAX_HELD:
            return False
        rare = max(self._wanted_interval, self._since_wanted) >= self._key_interval
        if not rare or len(self._packets) >= MAX_HELD:
            return False
        self._begin_at(packet)
        self._packets.append(packet)
        return True

    def given_back(self, packet: "VideoPacket") -> "tuple[list[VideoPacket], bool]":
        """What ``packet`` needs decoded before it, and whether the first of all begins anew, at a key frame."""
        self._begin_at(packet)
        held, cut = self._packets, self._cut
        self._packets, self._cut = [], False
        return held, cut

    def confirm(self, *, whole: bool) -> None:
        """A key frame was decoded: whether it is a whole picture. With intra refresh it is only a part of one."""
        self._confirmed = self._confirmed + 1 if whole else -MAX_HELD

    def _begin_at(self, packet: "VideoPacket") -> None:
        if packet.is_keyframe and self._packets:
            self._packets.clear()
            self._cut = True
