"""Emitted events against true ones (formats, Events, last paragraph). Pure; frames are integers, both ends included.

Rules:

* true events that overlap or touch are one;
* an emitted event may answer a true one if they overlap when the true one is widened by the tolerance at both ends; how much
  they then overlap is the pair's weight;
* the matching is one to one with the highest total weight (of equal totals the one with more pairs). Both kinds of events
  stand in order on a line, so the matching keeps their order, and aligning two sequences finds the best one exactly;
* an unmatched emitted event is a *fragment* if it may answer a true event that is matched, else *false*;
* an unmatched true event is *missed*, and *merged* besides if a matched emitted event may answer it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE_FRAMES = 2

Interval = tuple[int, int]
"""First and last frame, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """``pairs`` are (emitted, true) places; ``gaps`` is the number of gaps between true events that hold a false event."""

    true_events: tuple[Interval, ...]
    emitted: tuple[Interval, ...]
    pairs: tuple[tuple[int, int], ...]
    fragments: tuple[int, ...]
    false: tuple[int, ...]
    merged: tuple[int, ...]
    gaps: int

    @property
    def recall(self) -> float:
        """Found true events of all; 0 if there are none."""
        return len(self.pairs) / len(self.true_events) if self.true_events else 0.0

    @property
    def precision(self) -> float:
        """Matched emitted events of all but fragments; 0 if there are none."""
        return _share(len(self.pairs), len(self.false))

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return _harmonic(self.recall, self.precision)

    @property
    def f1_model(self) -> float:
        """F1 with false events counted at most once for each gap between true events, as the plan predicts it."""
        return _harmonic(self.recall, _share(len(self.pairs), self.gaps))


def united(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """The intervals in order, those that overlap or touch (no frame between them) as one."""
    whole: list[Interval] = []
    for start, end in sorted(intervals):
        if whole and start <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return tuple(whole)


def match(
    true_events: Sequence[Interval], emitted: Sequence[Interval], *, tolerance_frames: int = TOLERANCE_FRAMES
) -> Matching:
    """Match one app's emitted events with its true ones; see the module for the rules."""
    truth, emitted = united(true_events), tuple(sorted(emitted))
    answers = [_answers(event, truth, tolerance_frames) for event in emitted]
    pairs: list[tuple[int, int]] = []
    start = 0
    while start < len(emitted):
        stop, reach = start + 1, max(answers[start], default=-1)
        while stop < len(emitted) and any(true <= reach for true in answers[stop]):
            reach = max(reach, *answers[stop])
            stop += 1
        pairs += _aligned(answers, start, stop)
        start = stop
    found = {true for _, true in pairs}
    matched = {event for event, _ in pairs}
    others = [place for place in range(len(emitted)) if place not in matched]
    fragments = tuple(place for place in others if found & answers[place].keys())
    false = tuple(place for place in others if not found & answers[place].keys())
    starts = [event[0] for event in truth]
    return Matching(
        true_events=truth,
        emitted=emitted,
        pairs=tuple(pairs),
        fragments=fragments,
        false=false,
        merged=tuple(sorted({true for event in matched for true in answers[event]} - found)),
        gaps=len({bisect_right(starts, emitted[place][0]) for place in false}),
    )


def _answers(event: Interval, truth: Sequence[Interval], tolerance: int) -> dict[int, int]:
    """The true events that an emitted one may answer, in order, with the frames of overlap."""
    first = max(0, bisect_right(truth, (event[0] - tolerance, -1)) - 1)
    found = {}
    for place in range(first, len(truth)):
        start, end = truth[place]
        if start - tolerance > event[1]:
            break
        overlap = min(event[1], end + tolerance) - max(event[0], start - tolerance) + 1
        if overlap > 0:
            found[place] = overlap
    return found


def _aligned(answers: Sequence[dict[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
    """The best pairs of the emitted events ``start`` to ``stop``, by dynamic programming over both sequences."""
    trues = sorted({true for event in range(start, stop) for true in answers[event]})
    nothing = (0, 0)  # total weight, number of pairs
    rows = [[nothing] * (len(trues) + 1)]
    for event in range(start, stop):
        row = [nothing]
        for column, true in enumerate(trues):
            best = max(row[column], rows[-1][column + 1])
            if true in answers[event]:
                weight, count = rows[-1][column]
                best = max(best, (weight + answers[event][true], count + 1))
            row.append(best)
        rows.append(row)
    pairs = []
    event, column = stop, len(trues)
    while event > start and column > 0:
        value = rows[event - start][column]
        if value == rows[event - start - 1][column]:
            event -= 1
        elif value == rows[event - start][column - 1]:
            column -= 1
        else:
            event, column = event - 1, column - 1
            pairs.append((event, trues[column]))
    return pairs[::-1]


def _share(good: int, bad: int) -> float:
    return good / (good + bad) if good else 0.0


def _harmonic(recall: float, precision: float) -> float:
    total = recall + precision
    return 2 * recall * precision / total if total else 0.0
