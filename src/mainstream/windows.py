"""How the looks of an app fall into a window of time (paper Eq. 1; model.md, "Number of looks").

A window of length L (or of one of several lengths, equally frequent) begins at any moment with equal probability. The slots
that an app of rate f takes repeat, so which of them a window covers is known for every beginning, and exactly: it changes only
where a look enters or leaves. ``Windows`` holds what can happen at each of several rates, a row each, so that ``detection``
runs over all of them at once.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainstream.sampling import Cycle

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Looks = Literal["sampled", "ideal"]

FOLLOWED = 48
"""Looks of a window that are followed one by one; what comes after them repeats."""

_ALL_PHASES_LOOKS = 12
"""Windows with more looks than this are represented by a few of their phases: where they begin matters little."""

_PHASES = 6

_LONGEST_PERIOD = 32
"""A period of this many looks is long enough to tell by which factor the chance to miss shrinks."""

_LONGEST_PATTERN = 2000
"""Looks. Capture rates such as 30000/1001 repeat only after hours; so much of the pattern stands for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Ways in which looks fall into a window, those with most looks first. All but ``lags`` begin with an axis of rows.

    ``rate`` is an index into the rates, ``share`` how often this happens (the shares of a rate sum to one), ``looks`` how
    many there are, ``period`` after how many looks their gaps repeat. ``lag[row, i]`` is an index into ``lags``: the gap
    in capture frames between look i and the one before it, for i from 1 to ``FOLLOWED - 1``.
    """

    rate: Indices
    share: Array
    looks: Indices
    period: Indices
    lag: Indices
    lags: Array


def mean_looks(window_seconds: Fraction, fps: Fraction) -> tuple[tuple[int, float], ...]:
    """Eq. 1: floor or ceil of L f looks, so that the mean is right. ``((looks, share), ...)``, exact."""
    mean = window_seconds * fps
    more = mean - floor(mean)
    return ((floor(mean), float(1 - more)), (floor(mean) + 1, float(more)))[: 2 if more else 1]


@lru_cache(maxsize=4096)
def windows(
    windows_seconds: tuple[Fraction, ...], rates: tuple[Fraction, ...], capture_fps: Fraction, looks: Looks
) -> Windows:
    """The windows of those lengths, equally frequent, at each of the rates, as the slots are taken or ideally (Eq. 1)."""
    kinds = _ideal if looks == "ideal" else _sampled
    rows = []
    for (place, fps), (length, times) in product(enumerate(rates), Counter(windows_seconds).items()):
        for count, share, period, gaps in kinds(length, fps, capture_fps):
            followed = np.zeros(FOLLOWED)
            followed[1:] = np.resize(gaps, FOLLOWED - 1) if len(gaps) else 0.0
            rows.append((place, share * times / len(windows_seconds), count, period, followed))
    rows.sort(key=lambda row: -row[2])
    gap = np.stack([row[4] for row in rows])
    lags, lag = np.unique(gap, return_inverse=True)
    return Windows(
        rate=np.array([row[0] for row in rows]),
        share=np.array([row[1] for row in rows]),
        looks=np.array([row[2] for row in rows]),
        period=np.array([row[3] for row in rows]),
        lag=lag.reshape(gap.shape),
        lags=lags,
    )


_Rows = Iterator[tuple[int, float, int, Array]]  # looks, share, period, gaps


def _ideal(window_seconds: Fraction, fps: Fraction, capture_fps: Fraction) -> _Rows:
    stride = np.array([float(capture_fps / fps)])
    for count, share in mean_looks(window_seconds, fps):
        yield count, share, 1, stride


def _sampled(window_seconds: Fraction, fps: Fraction, capture_fps: Fraction) -> _Rows:
    taken, slots = _pattern(fps, capture_fps)
    width = window_seconds * capture_fps
    unit = 2 * width.denominator  # of a slot, so that the middle between two changes is a whole number
    span, whole = 2 * width.numerator, slots * unit
    turns = ceil(Fraction(span, whole)) + 2
    place = (taken + slots * np.arange(turns)[:, None]).ravel() * unit
    changes = np.unique(np.concatenate([taken * unit, (taken * unit - span) % whole]))
    lengths = np.diff(np.append(changes, changes[0] + whole))
    middles = changes + lengths // 2
    first = np.searchsorted(place, middles)
    counts = np.searchsorted(place, middles + span) - first
    period = min(len(taken), _LONGEST_PERIOD)
    for count in np.unique(counts).tolist():
        here = np.flatnonzero(counts == count)
        share = lengths[here] / whole
        if count > _ALL_PHASES_LOOKS and len(here) > _PHASES:
            here = here[np.linspace(0, len(here), _PHASES, endpoint=False).astype(int)]
            share = np.full(_PHASES, share.sum() / _PHASES)
        shown = min(count, FOLLOWED)
        gaps = np.diff(place[first[here, None] + np.arange(shown)], axis=1) // unit
        kinds, which = np.unique(gaps, axis=0, return_inverse=True)
        shares = np.bincount(which.ravel(), weights=share)
        yield from ((count, float(part), period, kind) for part, kind in zip(shares, kinds, strict=True))


@lru_cache(maxsize=4096)
def _pattern(fps: Fraction, capture_fps: Fraction) -> tuple[Indices, int]:
    """The slots taken, and after how many slots they repeat."""
    cycle = _cycle(capture_fps)
    pattern = cycle.pattern(fps)
    taken = np.flatnonzero(pattern)
    if len(taken) <= _LONGEST_PATTERN:
        return taken, len(pattern)
    slots = int(taken[_LONGEST_PATTERN]) // cycle.slots * cycle.slots
    return taken[taken < slots], slots


@lru_cache(maxsize=64)
def _cycle(capture_fps: Fraction) -> Cycle:
    return Cycle(capture_fps)
