"""A live stream that outlives its camera: one supervisor that connects, notices silence, and connects again.

Rules:

* a camera that is away is no error; the source keeps trying, with back-off and jitter, and says why it has no frames;
* silence is found by the age of the last frame, not of the last packet: a camera may send sound, or keep the connection alive;
* when frames stop, an ``Interruption`` goes down the stream, so that open events end; frames that follow go on in time
  (``Timeline``);
* a change of resolution, and packets that cannot be decoded, are nothing special.
"""

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from threading import Event

from mainstream_runner.backoff import BackOff
from mainstream_runner.board import StreamPhase
from mainstream_runner.clock import Clock
from mainstream_runner.frames import Frame, Interruption
from mainstream_runner.sources.camera import Camera, CameraConnection, ConnectionLostError
from mainstream_runner.sources.source import Connection, SourceInfo, StreamEnd, Wanted, everything
from mainstream_runner.sources.timeline import Timeline

MIN_STALL_SECONDS = 5.0
STALL_INTERVALS = 10
GOOD_FRAMES = 30
"""After so many frames a connection counts as good, and the next failure is answered at once again."""


class LiveSource:
    """See the module. ``frames`` is used by one thread; the rest may be looked at by others."""

    def __init__(
        self,
        camera: Camera,
        *,
        capture_fps: Fraction,
        clock: Clock,
        stop: Event,
        random: Callable[[], float],
        attempts: int | None = None,
        changed: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        """``attempts`` in a row may fail before the stream ends with ``CutOff``; None: any number.

        ``changed`` is told, in the reading thread, whenever the stream stands otherwise than before.
        """
        self._camera = camera
        self._clock = clock
        self._stop = stop
        self._attempts = attempts
        self._changed = changed
        self._failures = 0
        self._closed = Event()
        self._back_off = BackOff(random)
        self._timeline = Timeline()
        self._stall_seconds = max(MIN_STALL_SECONDS, STALL_INTERVALS / float(capture_fps))
        self._connection = Connection(phase="Connecting", since=clock.utc())
        self._connected: CameraConnection | None = None
        self._corrupt_before = 0
        self._skipped_before = 0
        self._index = 0
        self.end: StreamEnd | None = None
        self.info = SourceInfo(file=camera.address, width=0, height=0, fps=None, frames=None, loop=False, live=True)

    @property
    def corrupt_packets(self) -> int:
        """Packets that could not be decoded so far."""
        connected = self._connected
        return self._corrupt_before + (connected.decoder.corrupt_packets if connected else 0)

    @property
    def skipped(self) -> int:
        """Frames that were not decoded because nobody wanted them."""
        connected = self._connected
        return self._skipped_before + (connected.decoder.skipped if connected else 0)

    def connection(self) -> Connection:
        """How the stream stands now."""
        return self._connection

    def close(self) -> None:
        """Ask ``frames`` to end; the connection is closed by the thread that reads it."""
        self._closed.set()

    def frames(self, wanted: Wanted = everything) -> Generator[Frame | Interruption]:
        """Frames until the source is closed or the run is stopped."""
        while not self._over():
            try:
                yield from self._one_connection(wanted)
            except ConnectionLostError as error:
                self._say(error.phase, str(error))
                if self._connected is not None:
                    self._disconnect()
                    yield Interruption(message=f"{error.phase}: {error}")
                self._failures += 1
                if self._attempts is not None and self._failures >= self._attempts:
                    self.end = StreamEnd(reason="CutOff", message=f"{error.phase}: {error}")
                    return
                self._wait(self._back_off.next())
        self.end = StreamEnd(reason="Closed")

    def _one_connection(self, wanted: Wanted) -> Iterator[Frame]:
        connected = self._camera.connect(stall_seconds=self._stall_seconds)
        self._timeline.interrupted()
        try:
            shown = 0
            newest = self._clock.seconds()
            for item in connected.pictures(lambda stamp: self._wants(wanted, stamp)):
                if self._over():
                    return
                now = self._clock.seconds()
                if item == "left out":
                    newest = now
                    continue
                if item == "no picture":
                    if now - newest > self._stall_seconds:
                        raise ConnectionLostError("Stalled", "the connection is open, but no picture comes")
                    continue
                if self._connected is None:
                    self._connected = connected
                    self._say("Connected", "")
                stamp, picture = item
                shown += 1
                if shown == GOOD_FRAMES:
                    self._failures = 0
                    self._back_off.succeeded()
                self._note(connected)
                seconds = self._timeline.place(stamp, now)
                arrived = now - self._timeline.behind
                yield Frame(
                    index=self._index,
                    seconds=seconds,
                    picture=picture,
                    arrived=arrived,
                    taken=connected.taken(stamp),
                )
                self._index += 1
                newest = self._clock.seconds()  # not before: while the frame waits for its turn, nothing is read
        finally:
            if self._connected is None:
                connected.close()
            elif self._over():
                self._disconnect()

    def _wants(self, wanted: Wanted, stamp: Fraction | None) -> bool:
        seconds = self._timeline.expect(stamp)
        return seconds is None or wanted(seconds)

    def _disconnect(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None:
            self._corrupt_before += connected.decoder.corrupt_packets
            self._skipped_before += connected.decoder.skipped
            connected.close()

    def _note(self, connected: CameraConnection) -> None:
        if (connected.width, connected.height) != (self.info.width, self.info.height):
            self.info = SourceInfo(
                file=self._camera.address,
                width=connected.width,
                height=connected.height,
                fps=connected.fps,
                frames=None,
                loop=False,
                live=True,
            )

    def _say(self, phase: StreamPhase, message: str) -> None:
        before = self._connection
        back = phase == "Connected" and self._index > 0
        if (phase, message) != (before.phase, before.message):
            reconnects = before.reconnects + back
            self._connection = Connection(phase=phase, message=message, since=self._clock.utc(), reconnects=reconnects)
            self._changed(self._connection)

    def _over(self) -> bool:
        return self._closed.is_set() or self._stop.is_set()

    def _wait(self, seconds: float) -> None:
        """In short steps: either of two events may end it."""
        until = self._clock.seconds() + seconds
        while not self._over() and (left := until - self._clock.seconds()) > 0:
            self._closed.wait(min(left, 0.1))
