"""Which frame is next in real time, and which is dropped when the box is too slow for a moment.

Rules:

* earliest deadline first: all streams have the same patience, so the frame that was captured first is next;
* a frame that waited longer than its stream's bound is dropped, so latency is bounded and no queue grows;
* drops are even: a stream that lost a frame goes before the others until it is served, and with each look that an app lost in
  a row its next one may wait a bound longer, up to four (else a slow app whose looks fall on the frames that happen to be
  dropped would never be served).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from mainstream_runner.ingest import Prepared, StreamPlan

DropReason = Literal["TooLate", "DecodingBehind"]
"""The frame waited too long for the engine (or for the processor), or it was decoded too late to be worth converting."""

BOUND_INTERVALS = 2
MIN_BOUND_SECONDS = Fraction(1, 10)
MAX_BOUNDS = 4


def bound_seconds(capture_fps: Fraction) -> Fraction:
    """How long a frame may wait: two capture intervals, but not less than a tenth of a second (jitter of the machine)."""
    return max(BOUND_INTERVALS / capture_fps, MIN_BOUND_SECONDS)


class Deadlines:
    """Chooses among the frames that have arrived. No clock: ``now`` is passed in, in seconds of the streams' time."""

    def __init__(self, plans: Sequence[StreamPlan]) -> None:
        self._bounds = [bound_seconds(plan.stream.capture_fps) for plan in plans]
        self._drops = [0] * len(plans)
        self._missed = [[[0] * len(stem.apps) for stem in plan.stems] for plan in plans]

    def choose(self, heads: Sequence[Prepared], now: Fraction) -> tuple[Prepared, DropReason | None]:
        """One of ``heads`` (not empty) and why it is dropped, or None: run it."""
        chosen = min(heads, key=lambda head: (-self._drops[head.stream], head.seconds, head.stream))
        waits = self._missed[chosen.stream]
        missed = max(max(by_app[:due], default=0) for by_app, due in zip(waits, chosen.due, strict=True))
        bound = self._bounds[chosen.stream] * min(1 + missed, MAX_BOUNDS)
        reason: DropReason | None = None
        if not chosen.inputs:
            reason = "DecodingBehind"
        elif now - chosen.seconds > bound:
            reason = "TooLate"
        self._drops[chosen.stream] = self._drops[chosen.stream] + 1 if reason else 0
        for by_app, due in zip(waits, chosen.due, strict=True):
            by_app[:due] = [count + 1 if reason else 0 for count in by_app[:due]]
        return chosen, reason
