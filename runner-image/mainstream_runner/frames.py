"""Frames with the stream's own timestamps, and the slots that they fall into (model.md, "Cost").

Rules:

* a frame's time is exact seconds from the stream's first frame, by the stream's own timestamps, never by a clock or a count;
* slot = floor(time x captureFps + 1/4), at most one frame each: the first frame that falls into a slot takes it, any other
  is surplus, a slot that no frame takes is missing;
* the quarter is the tolerance: containers round timestamps (Matroska and WebM to whole milliseconds: at 29.97 fps the
  second frame stands at 0.033 s, in slot 0.989), so a frame may come up to a quarter of a slot early and three quarters
  late and still has its own slot. A half would be the most tolerant for a camera at its stated rate, but would put every
  second frame of one at twice that rate on an edge, where jitter decides; a quarter keeps two and three times clear of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av

SLOT_TOLERANCE = Fraction(1, 4)

RATE_TOLERANCE = Fraction(1, 100)
"""A real rate this much off the stated one is reported: at 30 fps it is a slot missed or a frame unused in three seconds."""

MIN_FRAMES_FOR_RATE = 32
"""Fewer frames say too little about a rate (two seconds at 15 fps)."""

MAX_GAP_SECONDS = 1
"""A pause longer than this is a hole in the stream, not its rate."""

_COMMON_RATES = (*(Fraction(n) for n in range(1, 121)), *(Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded frame: its number in the stream (from 0), its time, and the picture as the decoder gave it."""

    index: int
    seconds: Fraction
    picture: av.VideoFrame
    arrived: float | None = None
    """When a live stream's frame came, in seconds of the clock of its source; None for files."""
    taken: float | None = None
    """When the camera took it by its own clock (RTCP sender reports), seconds since 1970 UTC; None where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A live stream was lost; frames go on when it is back. ``message`` says why."""

    message: str


class Slots:
    """Places a stream's frames into slots, and counts what does not fit."""

    def __init__(self, capture_fps: Fraction) -> None:
        self.capture_fps = capture_fps
        self.taken = 0
        self.surplus = 0
        self.missing = 0
        self._last = -1
        self._passed_over: set[int] = set()

    def of(self, seconds: Fraction) -> int:
        """The slot that ``seconds`` fall into."""
        # by whole numbers: sums of fractions are slow, and each frame of each stream comes here
        rate, tolerance = self.capture_fps, SLOT_TOLERANCE
        below = seconds.denominator * rate.denominator
        above = seconds.numerator * rate.numerator
        return (above * tolerance.denominator + tolerance.numerator * below) // (below * tolerance.denominator)

    def pass_over(self, slot: int) -> None:
        """Nobody wants that slot's frame: if it is left out, its slot is not missing."""
        if slot > self._last:
            self._passed_over.add(slot)

    def place(self, seconds: Fraction) -> int | None:
        """The slot that a frame at ``seconds`` takes; None if it is surplus (its slot is taken, or it comes out of order)."""
        slot = self.of(seconds)
        if slot <= self._last:
            self.surplus += 1
            return None
        known = {passed for passed in self._passed_over if passed < slot}
        self._passed_over -= {*known, slot}
        self.missing += slot - self._last - 1 - len(known)
        self._last = slot
        self.taken += 1
        return slot


class RealRate:
    """The rate at which frames really come, pauses left out."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._steps = 0
        self._seconds = 0.0

    def see(self, seconds: Fraction, *, steps: int = 1) -> None:
        """Take note of a frame at ``seconds``, so many frames after the one before: those between were left out."""
        at = float(seconds)
        if self._last is not None and 0 < at - self._last <= MAX_GAP_SECONDS * steps:
            self._steps += steps
            self._seconds += at - self._last
        self._last = at

    def mismatch(self, capture_fps: Fraction) -> Fraction | None:
        """The capture rate to write instead of ``capture_fps``; None while they agree or too little is known."""
        if self._steps + 1 < MIN_FRAMES_FOR_RATE:
            return None
        real = self._steps / Fraction(self._seconds)
        if abs(real / capture_fps - 1) <= RATE_TOLERANCE:
            return None
        return nearest_rate(real)


def nearest_rate(real: Fraction, among: Iterable[Fraction] = _COMMON_RATES) -> Fraction:
    """A rate that cameras have within half a per cent of ``real``, else ``real`` to two decimals."""
    nearest = min(among, key=lambda rate: abs(rate - real))
    if abs(nearest / real - 1) <= Fraction(1, 200):
        return nearest
    return max(Fraction(round(real * 100), 100), Fraction(1, 100))
