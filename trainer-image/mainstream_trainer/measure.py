"""What a candidate is worth, measured on frames that took no part in its training (formats, M-Package).

p and q are estimated as (hits + 1/2) / (frames + 1): a rate of 1.0 on eighty frames is no promise, and plans made with it come
out too hopeful (Jeffreys' prior).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mainstream.events import false_positive_correlation, verdict_correlation
from mainstream.packages.mpackage import THRESHOLDS
from mainstream_trainer.features import Features
from mainstream_trainer.tflite import Chain

UNKNOWN_CORRELATION = 0.5
"""Where one verdict is so rare that its correlation cannot be measured; recall then hardly depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Scores of held-out frames: ``probabilities`` ``(n, classes)``, true ``classes``, and where each frame is from."""

    probabilities: NDArray[np.float32]
    classes: NDArray[np.int64]
    source: NDArray[np.int64]
    number: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """p and q at nine thresholds, and what else a candidate says of itself."""

    true_positive_rate: tuple[float, ...]
    false_positive_rate: tuple[float, ...]
    event_frames: int
    background_frames: int
    interval: float
    correlation: float
    background_correlation: float | None
    confusion: tuple[tuple[int, ...], ...]


def score(branch: bytes, features: Features, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """``(n, classes)`` probabilities by the exported branch, in the runner's engine, on the frames as they are."""
    chain = Chain([branch])
    return np.concatenate([chain(features.given(row))[-1] for row in rows.tolist()])


def measure(scored: Sequence[Scored], events: int, *, fps: Fraction | None) -> Accuracy:
    """Accuracy over all scored parts; classes below ``events`` are events, the rest is background.

    ``fps``: of the videos; None for pictures, which have no neighbours.
    """
    classes = np.concatenate([part.classes for part in scored])
    probabilities = np.concatenate([part.probabilities for part in scored])
    summed = probabilities[:, :events].sum(1)
    inside = classes < events
    hits = np.array([summed >= threshold / 10 for threshold in THRESHOLDS])
    p = [_rate(hit[inside]) for hit in hits]
    q = [_rate(hit[~inside]) for hit in hits]
    half = THRESHOLDS.index(5)
    width = 1.96 * sqrt(_variance(p[half], int(inside.sum())) + _variance(q[half], int((~inside).sum())))
    confusion = np.zeros((probabilities.shape[1],) * 2, np.int64)
    np.add.at(confusion, (classes, probabilities.argmax(1)), 1)
    runs = [run for part in scored for run in _runs(part, events, inside=True)]
    outside = [run for part in scored for run in _runs(part, events, inside=False)]
    correlation = verdict_correlation(runs)
    return Accuracy(
        true_positive_rate=tuple(p),
        false_positive_rate=tuple(q),
        event_frames=int(inside.sum()),
        background_frames=int((~inside).sum()),
        interval=round(min(1.0, width), 6),
        correlation=UNKNOWN_CORRELATION if correlation is None else correlation,
        background_correlation=None if fps is None else false_positive_correlation(outside, fps),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def _rate(hits: NDArray[np.bool_]) -> float:
    return round((float(hits.sum()) + 0.5) / (len(hits) + 1), 6)


def _variance(rate: float, frames: int) -> float:
    return rate * (1 - rate) / max(1, frames)


def _runs(part: Scored, events: int, *, inside: bool) -> list[NDArray[np.bool_]]:
    """Verdicts at one half of runs of neighbouring frames that all are (or all are not) in events."""
    order = np.lexsort((part.number, part.source))
    verdicts = part.probabilities[order, :events].sum(1) >= 0.5
    here = (part.classes[order] < events) == inside
    source, number = part.source[order], part.number[order]
    breaks = np.flatnonzero((np.diff(source) != 0) | (np.diff(number) != 1) | (here[1:] != here[:-1])) + 1
    pieces = np.split(np.arange(len(order)), breaks)
    return [verdicts[piece] for piece in pieces if len(piece) and here[piece[0]]]
