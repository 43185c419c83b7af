"""EventProfile: what an application's events look like in time (paper section 3, "Impact of sampling rate")."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mainstream.documents import Document, Number, Rate

MOST_QUANTILES = 9
MEASURED_QUANTILES = 5


class EventProfile(Document):
    """Event length, gap, frequency and correlation.

    * ``length_seconds``: mean length of an event;
    * ``length_quantiles_seconds``: lengths that stand for equally many events each, where they are known: of five, those that
      10, 30, 50, 70 and 90 per cent of the events do not exceed. Without, all events are as long as the mean;
    * ``gap_seconds``: mean length of the time between two events, where it is known;
    * ``frequency``: fraction of event-length windows that are events, in (0, 1];
    * ``correlation``: lag-one correlation of the classifier's verdicts inside events, in [0, 1), per frame at
      ``correlation_fps``.
    """

    length_seconds: Annotated[Rate, Field(gt=0)]
    length_quantiles_seconds: (
        Annotated[tuple[Annotated[Rate, Field(gt=0)], ...], Field(min_length=1, max_length=MOST_QUANTILES)] | None
    ) = None
    gap_seconds: Annotated[Rate, Field(gt=0)] | None = None
    frequency: Annotated[Number, Field(gt=0, le=1)]
    correlation: Annotated[Number, Field(ge=0, lt=1)]
    correlation_fps: Annotated[Rate, Field(gt=0)]

    @property
    def lengths(self) -> tuple[Fraction, ...]:
        """Lengths that stand for equally many events each."""
        return self.length_quantiles_seconds or (self.length_seconds,)


MOST_CORRELATION = 0.98
"""A measured correlation is kept below this: at 1 a single look would be worth as much as all of an event's."""

USUAL_CORRELATION, USUAL_FPS, USUAL_PAIRS = 0.7, 15, 50
"""Of verdicts outside events: .6 to .7 were measured with objects that training had not seen (docs/design/votes.md)."""

_FEWEST_PAIRS = 20
"""Fewer expected pairs of rare verdicts say nothing about how they depend on each other."""

Span = tuple[int, int]
"""First and last frame of an event, both included."""


def united(events: Iterable[Span]) -> tuple[Span, ...]:
    """Events in order, those that overlap or touch made one (formats, Events)."""
    spans: list[Span] = []
    for start, end in sorted(events):
        if spans and start <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return tuple(spans)


def measured_profile(
    videos: Sequence[tuple[int, Fraction, Sequence[Span]]], *, correlation: float
) -> EventProfile | None:
    """The event profile of labelled videos: ``(frames, frames per second, united events)`` each. None without an event.

    Each event has one gap: the mean gap is the time outside events for each event. The correlation counts per frame of
    the first video's rate.
    """
    count = sum(len(events) for _, _, events in videos)
    if not count:
        return None
    lengths = sorted(Fraction(end - start + 1) / fps for _, fps, events in videos for start, end in events)
    inside = sum(lengths, Fraction(0))
    whole = sum((Fraction(frames) / fps for frames, fps, _ in videos), Fraction(0))
    gap = (whole - inside) / count
    return EventProfile(
        length_seconds=_short(inside / count),
        length_quantiles_seconds=_quantiles(lengths),
        gap_seconds=_short(gap) if gap > 0 else None,
        frequency=round(max(1e-6, min(1.0, float(inside / whole))), 6),
        correlation=correlation,
        correlation_fps=videos[0][1],
    )


def _quantiles(lengths: Sequence[Fraction]) -> tuple[Fraction, ...] | None:
    """Of ascending lengths; None where all are the same, which the mean says already."""
    count = 2 * MEASURED_QUANTILES
    found = tuple(_short(lengths[place * len(lengths) // count]) for place in range(1, count, 2))
    return found if len(set(found)) > 1 else None


def _short(seconds: Fraction) -> Fraction:
    """Milliseconds are exact enough for a mean, and keep the fraction readable."""
    return max(Fraction(round(seconds * 1000), 1000), Fraction(1, 1000))


def verdict_correlation(runs: Sequence[NDArray[np.bool_]]) -> float | None:
    """Lag-one correlation of verdicts within runs of neighbouring frames, in [0, ``MOST_CORRELATION``].

    None where one verdict is so rare that the pairs at hand say nothing.
    """
    correlation, rare = _lag_one(runs)
    return None if rare < _FEWEST_PAIRS / 4 else correlation


def false_positive_correlation(runs: Sequence[NDArray[np.bool_]], fps: Fraction) -> float:
    """Lag-one correlation of verdicts outside events, as is to be expected elsewhere: in [0, ``MOST_CORRELATION``].

    A background object that a classifier takes for an event is taken for one as long as it is seen. Held-out minutes hold few
    that training did not, so what they show is drawn towards the usual, by the weight of ``USUAL_PAIRS`` pairs of frames.
    """
    correlation, rare = _lag_one(runs)
    usual: float = USUAL_CORRELATION ** float(USUAL_FPS / fps)
    return round((correlation * rare + usual * USUAL_PAIRS) / (rare + USUAL_PAIRS), 6)


def _lag_one(runs: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """The correlation, and how many pairs of the rarer verdict are to be expected among those at hand."""
    verdicts = np.concatenate(runs) if runs else np.zeros(0, bool)
    mean = float(verdicts.mean()) if len(verdicts) else 0.0
    pairs = sum(max(0, len(run) - 1) for run in runs)
    rare = pairs * min(mean, 1 - mean)
    if not rare:
        return 0.0, 0.0
    together = sum(float(((run[1:] - mean) * (run[:-1] - mean)).sum()) for run in (r.astype(float) for r in runs))
    return round(min(MOST_CORRELATION, max(0.0, together / pairs / (mean * (1 - mean)))), 6), rare
