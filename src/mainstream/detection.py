"""The probability that an app detects something in a window of time (paper Eq. 1 to 4, section 6 "X-Voting"; model.md).

*Corrected* (default): verdicts are a stationary two-state Markov chain, per capture frame with lag-one correlation rho. Between
looks that are s slots apart the correlation is rho^s: P(hit | hit) = p + (1 - p) rho^s, P(hit | miss) = p (1 - rho^s).
A detection needs x consecutive positives: the chain runs over the current run 0..x of positives, x absorbing.

*Legacy* is what the paper's authors' published code computes, kept so that their figures can be had.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainstream.sampling import Cycle

Array = NDArray[np.float64]
Looks = Literal["sampled", "ideal"]

_LONG_WINDOW_LOOKS = 32
"""Above this many looks a window is taken with evenly spaced looks: what the phase changes no longer matters."""

_MOST_PHASES = 600
"""Patterns with more phases (capture rates such as 30000/1001) are averaged over this many, evenly spread."""


@dataclass(frozen=True, slots=True)
class Window:
    """One way in which looks fall into a window: the gaps between them in slots, and how often it happens."""

    gaps: tuple[int, ...]  # one fewer than looks
    looks: int
    share: float


def mean_looks(window_seconds: Fraction, fps: Fraction) -> tuple[tuple[int, float], ...]:
    """Eq. 1: floor or ceil of L f looks, so that the mean is right. ``((looks, share), ...)``, exact."""
    mean = window_seconds * fps
    more = mean - floor(mean)
    return ((floor(mean), float(1 - more)), (floor(mean) + 1, float(more)))[: 2 if more else 1]


@lru_cache(maxsize=100_000)
def windows(window_seconds: Fraction, fps: Fraction, capture_fps: Fraction) -> tuple[Window, ...]:
    """How the looks of an app of that rate fall into a window of that length, over all phases of its slots."""
    if window_seconds * fps > _LONG_WINDOW_LOOKS:
        return ()
    pattern = _cycle(capture_fps).pattern(fps)
    count: Counter[tuple[int, ...]] = Counter()
    phases = np.unique(np.linspace(0, len(pattern), min(len(pattern), _MOST_PHASES), endpoint=False).astype(int))
    shares: dict[tuple[int, ...], float] = {}
    # A window of L seconds covers floor or ceil of L F frames, depending on where between two frames it begins.
    for length, share in mean_looks(window_seconds, capture_fps):
        count.clear()
        places = (phases[:, None] + np.arange(length)) % len(pattern)
        for row in pattern[places]:
            count[tuple(np.flatnonzero(row).tolist())] += 1
        for looks, times in count.items():
            shares[looks] = shares.get(looks, 0.0) + share * times / len(phases)
    merged: dict[tuple[int, tuple[int, ...]], float] = {}
    for looks, share in shares.items():
        gaps = tuple(later - earlier for earlier, later in pairwise(looks))
        merged[len(looks), gaps] = merged.get((len(looks), gaps), 0.0) + share
    return tuple(Window(gaps, looks, share) for (looks, gaps), share in sorted(merged.items()))


@lru_cache(maxsize=64)
def _cycle(capture_fps: Fraction) -> Cycle:
    return Cycle(capture_fps)


class Runs:
    """Runs of positives for probabilities ``p`` of any shape and votes 1..most, all at once.

    ``state[..., x - 1, r]`` is the probability that the current run is r under x votes; r = x absorbs. The first look is
    positive with probability p.
    """

    def __init__(self, p: Array, most_votes: int) -> None:
        self._p = p[..., None, None]
        self._votes = np.arange(1, most_votes + 1)
        run = np.arange(most_votes + 1)
        self._open = (run[None] < self._votes[:, None]).astype(float)  # runs that have not been detected yet
        self._state = np.zeros((*p.shape, most_votes, most_votes + 1))
        self._state[..., 0] = 1.0
        self._looks = 0

    def look(self, correlation: Array | float) -> None:
        """One more look; ``correlation`` with the look before it (any for the first), of p's shape or a number."""
        rho = np.asarray(correlation, float)
        rho = rho[..., None, None] if rho.ndim else rho
        p = self._p
        hit = np.empty((*np.broadcast_shapes(p.shape[:-2], rho.shape[:-2]), 1, self._state.shape[-1]))
        hit[...] = p + (1 - p) * rho
        hit[..., 0] = (p * (1 - rho) if self._looks else p)[..., 0]
        moving = self._state * self._open
        stays = self._state - moving
        self._state = stays
        self._state[..., 1:] += (moving * hit)[..., :-1]
        self._state[..., 0] += (moving * (1 - hit)).sum(-1)
        self._looks += 1

    def detected(self) -> Array:
        """``(*p.shape, most_votes)``: the probability of x consecutive positives so far."""
        return np.asarray((self._state * (1 - self._open)).sum(-1))


def detection(
    p: Array,
    correlation: Array | float,
    *,
    window_seconds: Fraction,
    fps: Fraction,
    capture_fps: Fraction,
    most_votes: int,
    looks: Looks = "sampled",
) -> Array:
    """Probability of a detection in a window (corrected model), ``(*p.shape, most_votes)`` for 1..most_votes votes.

    ``p`` is the probability of a positive frame, ``correlation`` (of p's shape or a number) that of neighbouring capture
    frames, in [0, 1). Nobody looks: no detection.
    """
    rho = np.asarray(correlation, float)
    stride = float(capture_fps / fps)
    total = np.zeros((*p.shape, most_votes))
    sampled = windows(window_seconds, fps, capture_fps) if looks == "sampled" else ()
    if sampled:
        for window in sampled:
            total += window.share * _after(p, [rho**gap for gap in (1, *window.gaps)][: window.looks], most_votes)
        return total
    runs, done = Runs(p, most_votes), 0
    for count, share in mean_looks(window_seconds, fps):
        while done < count:
            runs.look(rho**stride)
            done += 1
        total += share * runs.detected()
    return total


def _after(p: Array, correlations: Sequence[Array], most_votes: int) -> Array:
    runs = Runs(p, most_votes)
    for correlation in correlations:
        runs.look(correlation)
    return runs.detected()


def legacy_looks(window_seconds: Fraction, fps: Fraction, capture_fps: Fraction) -> tuple[tuple[int, float], ...]:
    """The authors' code: it feeds L f where Eq. 1 has L F, so it counts L f^2 / F looks."""
    return mean_looks(window_seconds * fps / capture_fps, fps)


def legacy_detection(p: float, correlation: float, looks: Sequence[tuple[int, float]], votes: int | None) -> float:
    """The authors' probability of a detection, given the distribution of the number of looks.

    Without voting (``votes`` None) P(miss) = c^(n-1) (1 - p), c = (1 - p) + p rho; with voting P(hit | miss) = p.
    """
    missed = 0.0
    for count, share in looks:
        if votes is None:
            miss = ((1 - p) + p * correlation) ** (count - 1) * (1 - p) if count else 1.0
        else:
            miss = voting_miss(p, p + (1 - p) * correlation, looks=count, votes=votes)
        missed += share * miss
    return 1 - missed


def voting_miss(p_first: float, p_hit_given_hit: float, *, looks: int, votes: int) -> float:
    """Probability of no run of ``votes`` positives in ``looks`` looks, where P(hit | miss) = P(first hit) (legacy)."""
    state = [1.0] + [0.0] * votes
    for _ in range(looks):
        moved = [0.0] * votes + [state[votes]]
        for run in range(votes):
            hit = p_hit_given_hit if run else p_first
            moved[run + 1] += state[run] * hit
            moved[0] += state[run] * (1 - hit)
        state = moved
    return 1 - state[votes]
