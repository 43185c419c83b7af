"""One-to-one matching of emitted and true events, and what it makes of apps that cheat."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.evaluation.matching import Interval, match, united

MINUTE = 600
"""Frames of a minute at 10 fps."""

TRUTH = tuple((start, start + 29) for start in range(200, 36_000, MINUTE))
"""An hour with an event of three seconds each minute."""


def test_an_app_that_always_fires_has_the_score_of_one_event() -> None:
    """One event is found, all others are merged into it."""
    result = match(TRUTH, [(0, 35_999)])
    assert len(result.pairs) == 1
    assert len(result.merged) == 59
    assert result.false == ()
    assert result.recall == pytest.approx(1 / 60)
    assert result.precision == 1.0
    assert result.f1 == pytest.approx(2 / 61)


def test_an_app_that_never_fires_scores_nothing() -> None:
    """F1, recall and precision are 0."""
    result = match(TRUTH, [])
    assert (result.f1, result.f1_model, result.recall, result.precision) == (0.0, 0.0, 0.0, 0.0)


def test_an_app_that_fires_once_a_minute_between_events_finds_nothing() -> None:
    """Each is false."""
    result = match(TRUTH, [(start + 300, start + 300) for start, _ in TRUTH])
    assert len(result.false) == 60
    assert result.gaps == 60
    assert result.f1 == 0.0


def test_an_app_that_fires_once_a_minute_by_chance_finds_what_it_hits() -> None:
    """A positive each minute of which every fourth meets the event: 15 found, 45 false."""
    result = match(TRUTH, [(start + (10 if number % 4 == 0 else 300),) * 2 for number, (start, _) in enumerate(TRUTH)])
    assert (len(result.pairs), len(result.false)) == (15, 45)
    assert result.f1 == pytest.approx(0.25)


def test_a_perfect_app_scores_one() -> None:
    """Each event found, nothing else."""
    result = match(TRUTH, TRUTH)
    assert (result.f1, result.f1_model) == (1.0, 1.0)


def test_a_second_event_on_a_found_one_is_a_fragment_and_no_error() -> None:
    """The longer one is matched."""
    result = match([(100, 200)], [(100, 110), (120, 190), (195, 199)])
    assert result.pairs == ((1, 0),)
    assert result.fragments == (0, 2)
    assert result.f1 == 1.0


def test_true_events_that_are_covered_by_one_emitted_are_merged_but_one() -> None:
    """The one with the larger overlap is found."""
    result = match([(0, 9), (20, 49)], [(5, 45)])
    assert result.pairs == ((0, 1),)
    assert result.merged == (0,)
    assert (result.recall, result.precision) == (0.5, 1.0)


def test_true_events_that_overlap_or_touch_are_one() -> None:
    """Two labels of one app, or an event that was labelled in two parts."""
    assert united([(10, 19), (0, 9), (15, 30), (32, 40)]) == ((0, 30), (32, 40))
    assert match([(0, 9), (10, 19)], [(0, 19)]).f1 == 1.0


@pytest.mark.parametrize(
    ("emitted", "found"), [((111, 120), 1), ((112, 120), 1), ((113, 120), 0), ((80, 97), 0), ((80, 98), 1)]
)
def test_two_frames_of_tolerance(emitted: Interval, found: int) -> None:
    """At both ends of a true event, which here lasts from 100 to 110."""
    assert len(match([(100, 110)], [emitted]).pairs) == found


def test_a_false_event_counts_once_for_its_gap_in_the_model_only() -> None:
    """F1 counts each."""
    result = match([(100, 110), (300, 310)], [(100, 110), (150, 151), (200, 201), (300, 310), (400, 401)])
    assert (len(result.false), result.gaps) == (3, 2)
    assert result.precision == pytest.approx(2 / 5)
    assert result.f1_model == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_without_true_events_every_emitted_one_is_false() -> None:
    """And all lie in one gap."""
    result = match([], [(1, 2), (5, 6)])
    assert (result.f1, len(result.false), result.gaps) == (0.0, 2, 1)


@st.composite
def apart(draw: st.DrawFn) -> tuple[Interval, ...]:
    """A few intervals in order, a frame or more between them."""
    intervals, at = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), max_size=6)):
        intervals.append((at + gap, at + gap + length - 1))
        at += gap + length
    return tuple(intervals)


def best_weight(truth: tuple[Interval, ...], emitted: tuple[Interval, ...]) -> int:
    """The highest total overlap of any order-preserving one-to-one matching, by trying all."""
    best = 0
    for size in range(1, min(len(truth), len(emitted)) + 1):
        for trues in combinations(truth, size):
            for events in combinations(emitted, size):
                overlaps = [min(e[1], t[1]) - max(e[0], t[0]) + 1 for e, t in zip(events, trues, strict=True)]
                if min(overlaps) > 0:
                    best = max(best, sum(overlaps))
    return best


@settings(max_examples=200, deadline=None)
@given(truth=apart(), emitted=apart())
def test_the_matching_is_one_to_one_and_of_maximum_overlap(
    truth: tuple[Interval, ...], emitted: tuple[Interval, ...]
) -> None:
    """Against an exhaustive search; and each emitted event is matched, a fragment or false."""
    truth = united(truth)
    result = match(truth, emitted, tolerance_frames=0)
    overlaps = [min(emitted[e][1], truth[t][1]) - max(emitted[e][0], truth[t][0]) + 1 for e, t in result.pairs]
    assert sum(overlaps) == best_weight(truth, emitted)
    assert len({e for e, _ in result.pairs}) == len({t for _, t in result.pairs}) == len(result.pairs)
    places = sorted([e for e, _ in result.pairs] + [*result.fragments, *result.false])
    assert places == list(range(len(emitted)))
