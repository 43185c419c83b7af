"""Which frame is next in real time, and which is dropped when the box is too slow for a moment.

Rules:

* earliest deadline first: all streams have the same patience, so the frame that was captured first is next;
* a frame that waited longer than its stream's bound is dropped, so latency is bounded and no queue grows;
* drops are even: a stream that lost a frame goes before the others until it is served, and with each look that an app lost in
  a row its next one may wait a bound longer, up to four (else a slow app whose looks fall on the frames that happen to be
  dropped would never be served).
"""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mainstream_runner.ingest import Prepared

DropReason = Literal["TooLate", "DecodingBehind"]
"""The frame waited too long for the engine (or for the processor), or it was decoded too late to be worth converting."""

BOUND_INTERVALS = 2
MIN_BOUND_SECONDS = 0.1
MAX_BOUNDS = 4


@lru_cache
def bound_seconds(capture_fps: Fraction) -> float:
    """How long a frame may wait: two capture intervals, but not less than a tenth of a second (jitter of the machine)."""
    return max(float(BOUND_INTERVALS / capture_fps), MIN_BOUND_SECONDS)


class Deadlines:
    """Chooses among the frames that have arrived. No clock: ``now`` is passed in, in seconds of the run."""

    def __init__(self) -> None:
        self._drops: Counter[int] = Counter()  # in a row, by reader
        self._missed: Counter[str] = Counter()  # in a row, by app

    def choose(self, heads: Sequence["Prepared"], now: float) -> tuple["Prepared", DropReason | None]:
        """One of ``heads`` (not empty) and why it is dropped, or None: run it."""
        chosen = min(heads, key=lambda head: (-self._drops[head.reader], head.at, head.reader))
        looking = [app.app for stem, due in zip(chosen.plan.stems, chosen.due, strict=True) for app in stem.apps[:due]]
        missed = max((self._missed[app] for app in looking), default=0)
        bound = bound_seconds(chosen.plan.stream.capture_fps) * min(1 + missed, MAX_BOUNDS)
        reason: DropReason | None = None
        if not chosen.inputs:
            reason = "DecodingBehind"
        elif now - chosen.at > bound:
            reason = "TooLate"
        if reason is None:
            self._drops.pop(chosen.reader, None)
            for app in looking:
                self._missed.pop(app, None)
        else:
            self._drops[chosen.reader] += 1
            self._missed.update(looking)
        return chosen, reason
