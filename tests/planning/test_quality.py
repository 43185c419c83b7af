"""F1 with the best votes and threshold."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mainstream.events import EventProfile
from mainstream.quality import best_f1, f1
from mainstream.sampling import rates_on_offer

CAPTURE = Fraction(15)
P: list[float] = np.linspace(0.98, 0.6, 9).tolist()
Q: list[float] = np.linspace(0.2, 0.001, 9).tolist()


def profile(**fields: Any) -> EventProfile:
    known = {
        "length_seconds": Fraction(2), "gap_seconds": Fraction(20), "frequency": 0.1, "correlation": 0.4,
        "correlation_fps": CAPTURE,
    }  # fmt: skip
    return EventProfile(**{**known, **fields})


def test_the_best_of_votes_and_thresholds_is_at_least_each_of_them() -> None:
    """Auto is the maximum over what can be fixed, and says where it is."""
    rates = rates_on_offer(CAPTURE)
    best = best_f1(P, Q, profile(), capture_fps=CAPTURE, rates=rates)
    highest = np.zeros(len(rates))
    for votes in range(1, 9):
        for threshold in range(1, 10):
            fixed = best_f1(P, Q, profile(), capture_fps=CAPTURE, rates=rates, votes=votes, threshold=threshold)
            assert set(fixed.votes.tolist()) == {votes}
            assert set(fixed.threshold.tolist()) == {threshold}
            possible = np.array([votes <= max(Fraction(1), 2 * rate) for rate in rates])
            highest = np.maximum(highest, np.where(possible, fixed.f1, 0))
            here = (best.votes == votes) & (best.threshold == threshold)
            assert fixed.f1[here] == pytest.approx(best.f1[here])
    assert best.f1 == pytest.approx(highest, abs=1e-8)


def test_ties_go_to_the_fewest_votes_and_the_threshold_nearest_to_a_half() -> None:
    """A perfect classifier needs neither; equal input gives equal output."""
    best = best_f1([1.0] * 9, [0.0] * 9, profile(), capture_fps=CAPTURE, rates=(Fraction(15),))
    assert (best.f1[0], best.votes[0], best.threshold[0]) == (pytest.approx(1.0), 1, 5)


def test_no_more_votes_than_an_event_has_looks() -> None:
    """One look in two seconds leaves one vote."""
    best = best_f1(P, Q, profile(), capture_fps=CAPTURE, rates=(Fraction(1, 2), Fraction(1)))
    assert best.votes[0] == 1
    assert best.votes[1] <= 2


def test_events_shorter_than_the_votes_take_are_missed() -> None:
    """Eight votes at 15 fps take half a second: of events of 0.2 and 2 s every other one. Their mean would promise them all."""
    kinds = (None, (Fraction(1, 5), Fraction(2)))
    given = [profile(length_seconds=Fraction(11, 10), length_quantiles_seconds=lengths) for lengths in kinds]
    alike, varied = (
        best_f1([1.0] * 9, [0.0] * 9, one, capture_fps=CAPTURE, rates=(CAPTURE,), votes=8).f1[0] for one in given
    )
    assert alike == pytest.approx(1.0)
    assert varied == pytest.approx(2 / 3)  # a recall of one half, a precision of one


def test_lengths_count_as_often_as_they_are_given() -> None:
    """Recall is their mean; one length alone is as good as the mean length."""

    def recall(*lengths: Fraction) -> float:
        one = profile(length_quantiles_seconds=lengths, gap_seconds=None, frequency=1.0)
        score = best_f1(P, Q, one, capture_fps=CAPTURE, rates=(CAPTURE,), votes=4, threshold=5).f1[0]
        return float(score / (2 - score))

    short, long = Fraction(1, 3), Fraction(2)
    assert recall(short, short, long) == pytest.approx((2 * recall(short) + recall(long)) / 3)
    plain = best_f1(P, Q, profile(), capture_fps=CAPTURE, rates=(CAPTURE,), votes=4, threshold=5)
    same = profile(length_quantiles_seconds=(Fraction(2),))
    assert best_f1(P, Q, same, capture_fps=CAPTURE, rates=(CAPTURE,), votes=4, threshold=5).f1 == plain.f1


def test_a_known_gap_counts_false_events_once_in_each() -> None:
    """Precision is R / (R + N) with N over the gap; without one, the prior decides."""
    always = best_f1([1.0] * 9, [1.0] * 9, profile(), capture_fps=CAPTURE, rates=(CAPTURE,))
    assert always.f1[0] == pytest.approx(2 / 3)  # one true event and one false one for each gap
    prior = best_f1([1.0] * 9, [1.0] * 9, profile(gap_seconds=None), capture_fps=CAPTURE, rates=(CAPTURE,))
    assert prior.f1[0] == pytest.approx(2 * 0.1 / 1.1)


def test_correlation_is_carried_to_another_capture_rate() -> None:
    """0.64 between frames at 10 per second is 0.8 at 20 per second, where every second frame is looked at."""
    rates = (Fraction(5),)
    slow = best_f1(P, Q, profile(correlation=0.64, correlation_fps=Fraction(10)), capture_fps=Fraction(20), rates=rates)
    fast = best_f1(P, Q, profile(correlation=0.8, correlation_fps=Fraction(20)), capture_fps=Fraction(20), rates=rates)
    assert slow.f1 == pytest.approx(fast.f1)


def test_the_background_may_have_a_correlation_of_its_own() -> None:
    """False positives that come in bursts make fewer false events."""
    rates = (Fraction(15),)
    same = best_f1(P, Q, profile(), capture_fps=CAPTURE, rates=rates, votes=1, threshold=5)
    bursts = best_f1(
        P, Q, profile(), capture_fps=CAPTURE, rates=rates, votes=1, threshold=5, background_correlation=0.95
    )
    assert bursts.f1[0] > same.f1[0]


def test_a_useless_classifier_is_worth_nothing() -> None:
    """Never positive: F1 0, no division by zero."""
    best = best_f1([0.0] * 9, [0.0] * 9, profile(), capture_fps=CAPTURE, rates=rates_on_offer(CAPTURE))
    assert best.f1.tolist() == [0.0] * len(best.f1)


def test_the_legacy_table_agrees_with_the_authors_code(vectors: dict[str, Any]) -> None:
    """F1 as published, with and without voting."""
    for point in vectors["f1_points"]:
        events = profile(
            length_seconds=Fraction(point["event_length_ms"], 1000), frequency=point["event_frequency"],
            correlation=point["correlation"],
        )  # fmt: skip
        table = f1(
            np.array([point["accuracy"]]), np.array([point["prob_fp"]]), events,
            correlations=(point["correlation"],) * 2, capture_fps=Fraction(point["stream_fps"]),
            rates=(Fraction(point["fps"]),), most_votes=point["x_vote"] or 1, model="legacy",
        )  # fmt: skip
        assert table[0, 0, -1] == pytest.approx(point["f1"], abs=1e-9)
