"""Seconds of a live stream, from the camera's timestamps and the frames' arrivals.

Rules:

* within a connection a frame's time follows the camera's own timestamps, so that jitter of the network moves no frame into
  another slot, and a camera at another rate than the stated one is seen as what it is;
* a step back, or a step forward that the arrivals do not show, is a clock that was set (RTCP does that) or a new recording:
  time goes on by what passed between the arrivals;
* a new connection goes on after the time that was lost, by the arrivals: slots in between are missing, none is seen twice;
* frames without a timestamp, or with one that the demuxer made up, stand where they arrived.
"""

from fractions import Fraction

MAX_DISAGREEMENT_SECONDS = 2
"""Between a step of the timestamps and one of the arrivals: a buffer that is emptied in a burst is within it."""

DRIFT = Fraction(1, 5000)
"""Of two clocks, at most: what is behind by less than this share of the time is no backlog."""

MICROSECONDS = 1_000_000


class Timeline:
    """Places a stream's frames in time; the first one stands at 0. Arrivals are seconds of a clock that never falls back."""

    def __init__(self) -> None:
        self._stamp: Fraction | None = None
        self._arrival: Fraction | None = None
        self._seconds = Fraction(0)
        self._soonest: Fraction | None = None
        self.behind = 0.0
        """Seconds by which the newest frame came later than the timeliest of this connection: what waits in buffers."""

    def interrupted(self) -> None:
        """The connection was lost: timestamps begin anew."""
        self._stamp = None
        self._soonest = None

    def place(self, stamp: Fraction | None, arrival: float) -> Fraction:
        """Seconds of a frame from the stream's first one; never less than the frame's before it."""
        arrived = Fraction(round(arrival * MICROSECONDS), MICROSECONDS)
        waited = Fraction(0)
        if self._arrival is not None:
            waited = max(arrived - self._arrival, Fraction(0))
            step = waited
            if stamp is not None and self._stamp is not None:
                by_stamp = stamp - self._stamp
                if by_stamp >= 0 and abs(by_stamp - waited) <= MAX_DISAGREEMENT_SECONDS:
                    step = by_stamp
                else:
                    self._soonest = None
            self._seconds += step
        self._stamp, self._arrival = stamp, arrived
        delay = arrived - self._seconds
        self._soonest = delay if self._soonest is None else min(delay, self._soonest + waited * DRIFT)
        self.behind = float(delay - self._soonest)
        return self._seconds

    def expect(self, stamp: Fraction | None) -> Fraction | None:
        """Where a frame with that timestamp will probably stand; None if nothing is known."""
        if stamp is None or self._stamp is None:
            return None
        step = stamp - self._stamp
        return self._seconds + step if abs(step) <= MAX_DISAGREEMENT_SECONDS else None
