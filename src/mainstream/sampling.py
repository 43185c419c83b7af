"""Which app sees which frame: nested, exact on average (model.md, "Cost"; paper section 6 charges the highest rate).

The frames of a stream are numbered by slot: slot = floor(stream time x capture rate). Slots repeat in *cycles*, the shortest
whole number of seconds that holds a whole number of slots. One fixed order of a cycle's slots, in which every beginning is
spread evenly, decides for all apps: an app of rate f takes the first f x T slots of that order, so a slower app looks at a
subset of what a faster one looks at, whatever the rates. Where f x T is not whole, the last slot is taken in that share of the
cycles, by the same kind of order over cycles.
"""

import heapq
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SLOW_RATES = (Fraction(1, 10), Fraction(1, 5), Fraction(1, 2))
"""Rates below one frame per second that are on offer."""

_LONGEST_CYCLE_SECONDS = 20
"""Capture rates such as 30000/1001 would need a cycle of 1001 s: beyond this, a cycle is about a second."""


def rates_on_offer(capture_fps: Fraction) -> tuple[Fraction, ...]:
    """Ascending: 1/10, 1/5 and 1/2, every integer below the capture rate, and the capture rate itself."""
    whole = (Fraction(rate) for rate in range(1, int(capture_fps) + 1))
    return tuple(sorted({rate for rate in (*SLOW_RATES, *whole, capture_fps) if rate <= capture_fps}))


def spread_order(count: int) -> tuple[int, ...]:
    """The numbers below ``count`` in an order of which every beginning is spread evenly on a circle (farthest point)."""
    gaps = [(-count, 0)]  # (minus length, start): after start, length - 1 numbers are not chosen yet
    order = [0]
    while len(order) < count:
        length, start = heapq.heappop(gaps)
        middle = start + (-length) // 2
        heapq.heappush(gaps, (start - middle, start))
        heapq.heappush(gaps, (length + middle - start, middle))
        order.append(middle)
    return tuple(order)


class Cycle:
    """The slots of a stream of that capture rate and who takes which.

    ``slots`` is the number of slots of a cycle, ``seconds`` its length, ``cycles`` the number of cycles after which
    every offered rate's pattern repeats.
    """

    def __init__(self, capture_fps: Fraction) -> None:
        if capture_fps <= 0:
            raise ValueError(f"Expected a capture rate above 0, got {capture_fps}")
        self.capture_fps = capture_fps
        if capture_fps.denominator <= _LONGEST_CYCLE_SECONDS:
            self.slots = capture_fps.numerator
        else:
            self.slots = max(1, round(capture_fps))
        self.seconds = self.slots / capture_fps
        self.cycles = (self.seconds / 10).denominator
        self._rank = _ranks(self.slots)
        self._counts: dict[Fraction, tuple[int, int]] = {}

    @cached_property
    def _cycle_rank(self) -> NDArray[np.int64]:
        return _ranks(self.cycles)

    def takes(self, fps: Fraction, slot: int) -> bool:
        """Whether an app of that rate sees the frame in that slot (counted from the stream's start)."""
        whole, share = self._count(fps)
        rank = self._rank[slot % self.slots]
        if rank != whole:
            return bool(rank < whole)
        return bool(self._cycle_rank[slot // self.slots % self.cycles] < share)

    def pattern(self, fps: Fraction) -> NDArray[np.bool_]:
        """Which slots an app of that rate takes, over the shortest time after which they repeat (whole cycles)."""
        whole, share = self._count(fps)
        always = self._rank < whole
        if share == 0:
            return always
        pattern = np.tile(always, (self.cycles, 1))
        pattern[self._cycle_rank < share, int(np.flatnonzero(self._rank == whole)[0])] = True
        return pattern.ravel()

    def _count(self, fps: Fraction) -> tuple[int, int]:
        """Slots taken in every cycle, and in how many of ``cycles`` cycles one more is."""
        known = self._counts.get(fps)
        if known is None:
            if not 0 < fps <= self.capture_fps:
                raise ValueError(f"Expected a rate in (0, {self.capture_fps}], got {fps}")
            exact = fps * self.seconds
            share = (exact - int(exact)) * self.cycles
            if share.denominator != 1:
                raise ValueError(f"Expected a rate that is a multiple of 1/10 or the capture rate, got {fps}")
            known = self._counts[fps] = (int(exact), int(share))
        return known


def _ranks(count: int) -> NDArray[np.int64]:
    ranks = np.empty(count, np.int64)
    ranks[list(spread_order(count))] = np.arange(count)
    return ranks
