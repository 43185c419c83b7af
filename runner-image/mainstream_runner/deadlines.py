"""Which frame is next in real time, and which is dropped when the box is too slow for a moment.

Rules:

* earliest deadline first: all streams have the same patience, so the frame that was captured first is next;
* a frame that waited longer than its stream's bound is dropped, so latency is bounded and no queue grows;
* drops are even: a stream that lost a frame goes before the others until it is served, and an app that lost two looks in a
  row has twice the patience for its next one (else a slow app whose looks fall on the frames that happen to be dropped would
  never be served).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from mainstream_runner.ingest import Prepared, StreamPlan

DropReason = Literal["EngineBusy", "DecodingBehind"]

BOUND_INTERVALS = 2
MIN_BOUND_SECONDS = Fraction(1, 10)
STARVED_LOOKS = 2


def bound_seconds(capture_fps: Fraction) -> Fraction:
    """How long a frame may wait: two capture intervals, but not less than a tenth of a second (jitter of the machine)."""
    return max(BOUND_INTERVALS / capture_fps, MIN_BOUND_SECONDS)


class Deadlines:
    """Chooses among the frames that have arrived. No clock: ``now`` is passed in, in seconds of the streams' time."""

    def __init__(self, plans: Sequence[StreamPlan]) -> None:
        self._bounds = [bound_seconds(plan.stream.capture_fps) for plan in plans]
        self._drops = [0] * len(plans)
        self._starved = [[[0] * len(stem.apps) for stem in plan.stems] for plan in plans]

    def choose(self, heads: Sequence[Prepared], now: Fraction) -> tuple[Prepared, DropReason | None]:
        """One of ``heads`` (not empty) and why it is dropped, or None: run it."""
        chosen = min(heads, key=lambda head: (-self._drops[head.stream], head.seconds, head.stream))
        waits = self._starved[chosen.stream]
        starved = any(
            missed >= STARVED_LOOKS
            for missed_by_app, due in zip(waits, chosen.due, strict=True)
            for missed in missed_by_app[:due]
        )
        bound = self._bounds[chosen.stream] * (2 if starved else 1)
        reason: DropReason | None = None
        if not chosen.inputs:
            reason = "DecodingBehind"
        elif now - chosen.seconds > bound:
            reason = "EngineBusy"
        self._drops[chosen.stream] = self._drops[chosen.stream] + 1 if reason else 0
        for missed_by_app, due in zip(waits, chosen.due, strict=True):
            missed_by_app[:due] = [missed + 1 if reason else 0 for missed in missed_by_app[:due]]
        return chosen, reason
