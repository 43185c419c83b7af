"""Connections to cameras and network streams by PyAV: RTSP, HTTP(S) and USB (V4L2).

Credentials come from a Secret when a connection is made; they go into libav's options or its copy of the address, and never
into a message: what libav says of an address is not repeated.
"""

import base64
import errno
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

import av
import av.error
from av.video.stream import VideoStream

from mainstream.errors import InputError
from mainstream.resources.edgenode import Device, Http, Rtsp, Source
from mainstream.resources.metadata import SecretRef
from mainstream_runner.board import StreamPhase
from mainstream_runner.secrets import Secrets
from mainstream_runner.sources.decoding import Decoder

OPEN_SECONDS = 10.0
"""To connect and to learn the codec; a camera that is busy with its key frame needs a few."""
MADE_UP_TIMESTAMPS = {"mpjpeg", "mjpeg", "image2pipe", "h264", "hevc"}
"""Demuxers of streams without timestamps: libav counts frames at a rate that it guesses."""
PROBE = {"analyzeduration": "500000"}
"""Microseconds of the stream that libav reads to learn what it is; frames of that time come late, in a burst."""

WantedStamp = Callable[[Fraction | None], bool]


class ConnectionLostError(Exception):
    """A live stream cannot be opened, or broke off. The message holds no credentials."""

    def __init__(self, phase: StreamPhase, message: str) -> None:
        super().__init__(message)
        self.phase: StreamPhase = phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What it takes to connect. ``address`` may be shown, ``target`` makes what libav opens."""

    address: str
    target: Callable[[], tuple[str, str | None, dict[str, str]]]

    def connect(self, *, stall_seconds: float) -> "CameraConnection":
        """Connect and learn what the stream is; ``ConnectionLostError`` after at most ``OPEN_SECONDS``."""
        try:
            url, form, options = self.target()
        except InputError as error:
            raise ConnectionLostError("CredentialsRejected", str(error)) from None
        try:
            container = av.open(url, "r", format=form, options=options, timeout=(OPEN_SECONDS, stall_seconds))
        except (OSError, av.error.FFmpegError) as error:
            raise lost(error, connected=False) from None
        if not container.streams.video:
            container.close()
            raise ConnectionLostError("Unreachable", "the stream holds no video")
        return CameraConnection(container)


class CameraConnection:
    """One connection: packets and pictures until it breaks. Used by one thread, closed by it."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self._container = container
        self.video = container.streams.video[0]
        self._stamped = not set(container.format.name.split(",")) & MADE_UP_TIMESTAMPS
        self._began: float | None = None
        """When the camera's clock stood at timestamp 0."""
        self.decoder = Decoder(self.video)
        self.width, self.height = self.video.width, self.video.height
        rate = self.video.average_rate or self.video.guessed_rate
        self.fps = Fraction(rate) if rate else None

    def pictures(
        self, wanted: WantedStamp
    ) -> Iterator[tuple[Fraction | None, av.VideoFrame] | Literal["left out", "no picture"]]:
        """Pictures with the camera's timestamps in seconds, None where it gives none; for a packet without one, why.

        ``ConnectionLostError`` when nothing came for the connection's stall seconds, or the stream broke off or ended.
        """
        for packet in self.packets():
            shown = False
            for picture in self.decoder.decode(packet, wanted=wanted(self._stamp(packet))):
                if not picture.is_corrupt:
                    shown = True
                    self.width, self.height = picture.width, picture.height
                    yield self._stamp(picture), picture
            if not shown:
                yield "left out" if self.decoder.left_out else "no picture"

    def packets(self) -> Iterator["av.Packet[VideoStream]"]:
        """The video's packets as they come; ``ConnectionLostError`` as with ``pictures``."""
        try:
            for packet in self._container.demux(self.video):
                if packet.size:
                    self._note_clock(packet)
                    yield packet
        except (OSError, av.error.FFmpegError) as error:
            raise lost(error, connected=True) from None
        raise ConnectionLostError("Unreachable", "the other side ended the stream")

    def taken(self, stamp: Fraction | None) -> float | None:
        """When the camera's clock stood at a timestamp, seconds since 1970; None before its first RTCP sender report."""
        return None if stamp is None or self._began is None else self._began + float(stamp)

    def _note_clock(self, packet: "av.Packet[VideoStream]") -> None:
        stamp = self._stamp(packet)
        if stamp is not None and packet.has_sidedata("prft"):  # libav's AVProducerReferenceTime, by the last report
            (microseconds,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
            self._began = microseconds / 1e6 - float(stamp)

    def _stamp(self, item: "av.Packet[VideoStream] | av.VideoFrame") -> Fraction | None:
        if not self._stamped or item.pts is None or item.time_base is None:
            return None
        return item.pts * item.time_base

    def close(self) -> None:
        """Close the connection."""
        self._container.close()


def lost(error: Exception, *, connected: bool) -> ConnectionLostError:
    """What a failure of libav means for the user; its own text is used only where it cannot hold the address."""
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return ConnectionLostError("CredentialsRejected", "user name or password is wrong, or none was given")
    if isinstance(error, av.error.HTTPNotFoundError):
        return ConnectionLostError("Unreachable", "the server knows no such stream (404)")
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        if connected:
            return ConnectionLostError("Stalled", "the connection is open, but nothing comes")
        return ConnectionLostError("Unreachable", f"no answer within {OPEN_SECONDS:g} s")
    if isinstance(error, av.error.PermissionError):
        return ConnectionLostError("Unreachable", "may not be opened: permission denied")
    number = getattr(error, "errno", None)
    known = isinstance(number, int) and number in errno.errorcode
    reason = getattr(error, "strerror", None) if known or isinstance(error, av.error.FFmpegError) else None
    return ConnectionLostError("Unreachable", f"{'the stream broke off' if connected else 'cannot connect'}: {reason}")


def camera(source: Source, secrets: Secrets, *, where: object) -> Camera:
    """The camera of a source that is no file. ``InputError`` if a Secret that it names is not there now."""
    if source.rtsp is not None:
        return _rtsp(source.rtsp, secrets, where)
    if source.http is not None:
        return _http(source.http, secrets, where)
    if source.device is not None:
        return _device(source.device)
    raise ValueError("Expected a live source")


def _rtsp(rtsp: Rtsp, secrets: Secrets, where: object) -> Camera:
    options = {**PROBE, "rtsp_transport": rtsp.transport.lower(), "allowed_media_types": "video"}

    def target() -> tuple[str, str | None, dict[str, str]]:
        credentials = _credentials(rtsp.credentials_secret_ref, secrets, where)
        if credentials is None:
            return rtsp.url, "rtsp", options
        parts = urlsplit(rtsp.url)
        user, password = (quote(text, safe="") for text in credentials)
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}")), "rtsp", options

    target()
    return Camera(address=rtsp.url, target=target)


def _http(http: Http, secrets: Secrets, where: object) -> Camera:
    def target() -> tuple[str, str | None, dict[str, str]]:
        credentials = _credentials(http.credentials_secret_ref, secrets, where)
        if credentials is None:
            return http.url, None, PROBE
        token = base64.b64encode(":".join(credentials).encode()).decode()
        return http.url, None, {**PROBE, "headers": f"Authorization: Basic {token}\r\n"}

    target()
    return Camera(address=http.url, target=target)


def _device(device: Device) -> Camera:
    return Camera(address=device.path, target=lambda: (device.path, "v4l2", {}))


def _credentials(ref: SecretRef | None, secrets: Secrets, where: object) -> tuple[str, str] | None:
    if ref is None:
        return None
    return secrets.require(ref, "username", where=where), secrets.require(ref, "password", where=where)
