"""F1 of an app's candidate at each rate, with the best votes and threshold (paper section 3; model.md, "Precision and F1").

Votes and threshold cost nothing, so they are maximised out before anything is solved: a table holds for each rate the best F1
and the votes and threshold that give it. Of equal F1 the fewest votes win, then the threshold nearest to one half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mainstream.detection import detection, legacy_detection, legacy_looks
from mainstream.events import EventProfile
from mainstream.packages.mpackage import THRESHOLDS
from mainstream.windows import Array, Looks

Model = Literal["corrected", "legacy"]

MOST_VOTES = 8
"""More votes than this are not offered: an event would have to be looked at as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTable:
    """Best F1, and its votes and threshold, at each rate: all of shape ``(rates,)``."""

    f1: Array
    votes: NDArray[np.int64]
    threshold: NDArray[np.int64]


def best_f1(
    true_positive_rate: Sequence[float],
    false_positive_rate: Sequence[float],
    profile: EventProfile,
    *,
    capture_fps: Fraction,
    rates: Sequence[Fraction],
    correlation: float | None = None,
    background_correlation: float | None = None,
    votes: int | Literal["Auto"] = "Auto",
    threshold: int | Literal["Auto"] = "Auto",
    model: Model = "corrected",
    looks: Looks = "sampled",
) -> QualityTable:
    """The table of one candidate: p and q at nine thresholds (``THRESHOLDS``), for each of the ``rates``.

    ``correlation`` (default: the profile's) and ``background_correlation`` (default: the same) are lag-one, per frame
    at ``profile.correlation_fps``; they are carried to the capture rate by rho^(correlation_fps / F).
    """
    chosen = [THRESHOLDS.index(threshold)] if threshold != "Auto" else list(range(len(THRESHOLDS)))
    p = np.asarray(true_positive_rate, float)[chosen]
    q = np.asarray(false_positive_rate, float)[chosen]
    inside = profile.correlation if correlation is None else correlation
    outside = inside if background_correlation is None else background_correlation
    # More votes than an event of mean length has looks could not be had.
    offered = [
        max(1, min(MOST_VOTES, ceil(profile.length_seconds * fps))) if votes == "Auto" else votes for fps in rates
    ]
    table = f1(
        *(p, q, profile), correlations=(inside, outside), capture_fps=capture_fps, rates=rates,
        most_votes=max(offered), model=model, looks=looks,
    )  # fmt: skip
    if votes != "Auto":
        table[..., : votes - 1] = -1.0  # even where nothing else is worth anything
    best = [_best(table[place, :, :most], chosen) for place, most in enumerate(offered)]
    values, x, t = zip(*best, strict=True)
    return QualityTable(f1=np.array(values), votes=np.array(x, np.int64), threshold=np.array(t, np.int64))


def _best(table: Array, chosen: list[int]) -> tuple[float, int, int]:
    """The best of ``(thresholds, votes)``: F1, votes, threshold; near ties (1e-9) to the fewest votes, then one half."""
    near = np.argwhere(table >= table.max() - 1e-9)
    place, column = min(near.tolist(), key=lambda at: (at[1], abs(THRESHOLDS[chosen[at[0]]] - 5), at[0]))
    return float(table[place, column]), column + 1, THRESHOLDS[chosen[place]]


def f1(
    p: Array,
    q: Array,
    profile: EventProfile,
    *,
    correlations: tuple[float, float],
    capture_fps: Fraction,
    rates: Sequence[Fraction],
    most_votes: int,
    model: Model = "corrected",
    looks: Looks = "sampled",
) -> Array:
    """F1 at each rate, for each p and q (``(n,)``) and 1..most_votes votes: ``(rates, n, most_votes)``.

    Recall R is the probability of a detection in an event's length, the mean over the profile's lengths: an event that is
    shorter than the votes take is never detected, however good p is. With a known gap, N is that of a false one in a gap
    and precision R / (R + N): a gap counts once, however many false events it holds. Without, a negative window is as
    long as an event and the frequency is the prior: precision phi R / (phi R + (1 - phi) N).
    """
    if model == "legacy":
        seen = [legacy_looks(profile.length_seconds, fps, capture_fps) for fps in rates]
        recall, false = (_legacy(*side, seen, most_votes) for side in zip((p, q), correlations, strict=True))
        return _harmonic(recall, profile.frequency * recall, (1 - profile.frequency) * false)
    per_frame = float(profile.correlation_fps / capture_fps)
    detected = partial(detection, rates=rates, capture_fps=capture_fps, most_votes=most_votes, looks=looks)
    recall = detected(p, correlations[0] ** per_frame, windows_seconds=profile.lengths)
    between = (profile.gap_seconds or profile.length_seconds,)
    false = detected(q, correlations[1] ** per_frame, windows_seconds=between)
    if profile.gap_seconds:
        return _harmonic(recall, recall, false)
    return _harmonic(recall, profile.frequency * recall, (1 - profile.frequency) * false)


def _legacy(p: Array, correlation: float, seen: Sequence[tuple[tuple[int, float], ...]], most_votes: int) -> Array:
    votes = [None, *range(2, most_votes + 1)]  # one vote is the model without voting
    return np.array(
        [[[legacy_detection(float(value), correlation, looks, x) for x in votes] for value in p] for looks in seen]
    )


def _harmonic(recall: Array, true: Array, false: Array) -> Array:
    """F1 of a recall and the weights of true and false detections; 0 where either recall or precision is."""
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
