"""Accuracy, event profiles and correlations are what their definitions say."""

from fractions import Fraction

import numpy as np
import pytest

from mainstream.events import (
    MOST_CORRELATION,
    USUAL_CORRELATION,
    false_positive_correlation,
    measured_profile,
    united,
    verdict_correlation,
)
from mainstream_trainer.measure import Scored, measure

FPS = Fraction(15)


def scored(scores: list[float], inside: list[bool]) -> Scored:
    """Frames in a row with the given score of the one event."""
    probabilities = np.array([[score, 1 - score] for score in scores], np.float32)
    count = len(scores)
    return Scored(
        probabilities=probabilities,
        classes=np.where(inside, 0, 1),
        source=np.zeros(count, np.int64),
        number=np.arange(count),
    )


def test_rates_at_nine_thresholds_are_never_quite_certain() -> None:
    """(hits + 1/2) / (frames + 1); p and q fall with the threshold."""
    accuracy = measure([scored([0.95, 0.55, 0.15, 0.05], [True, True, False, False])], 1, fps=Fraction(15))
    assert accuracy.true_positive_rate[4] == pytest.approx(2.5 / 3, abs=1e-6)
    assert accuracy.true_positive_rate[8] == pytest.approx(1.5 / 3, abs=1e-6)
    assert accuracy.false_positive_rate[0] == pytest.approx(1.5 / 3, abs=1e-6)
    assert accuracy.false_positive_rate[4] == pytest.approx(0.5 / 3, abs=1e-6)
    assert list(accuracy.true_positive_rate) == sorted(accuracy.true_positive_rate, reverse=True)
    assert accuracy.confusion == ((2, 0), (0, 2))
    assert (accuracy.event_frames, accuracy.background_frames) == (2, 2)


def test_the_correlation_of_a_markov_chain_is_found_again() -> None:
    """Verdicts of a two-state chain with lag-one correlation 0.6 are measured as 0.6."""
    rng = np.random.default_rng(3)
    runs = []
    for _ in range(400):
        state, run = rng.random() < 0.7, []
        for _ in range(30):
            run.append(state)
            state = rng.random() < 0.7 + 0.3 * 0.6 if state else rng.random() < 0.7 * 0.4
        runs.append(np.array(run))
    assert verdict_correlation(runs) == pytest.approx(0.6, abs=0.03)


def test_false_positives_that_are_few_are_taken_to_come_in_runs() -> None:
    """The more of them there are, the more counts what they show."""
    single = np.arange(2000) % 20 == 0
    few, many = (false_positive_correlation(runs, FPS) for runs in ([single[:200]], [single] * 20))
    assert USUAL_CORRELATION > few > 0.5
    assert many < 0.05
    assert (
        false_positive_correlation([], FPS)
        == false_positive_correlation([np.zeros(50, bool)], FPS)
        == USUAL_CORRELATION
    )
    assert false_positive_correlation([np.repeat([False, True], 4000)], FPS) > 0.95
    assert false_positive_correlation([], Fraction(5)) == pytest.approx(
        USUAL_CORRELATION**3
    )  # frames are further apart


def test_rare_verdicts_say_nothing_about_their_correlation() -> None:
    """A classifier that is never wrong has no measurable correlation; one that never changes its mind is capped."""
    assert verdict_correlation([np.ones(50, bool)]) is None
    assert verdict_correlation([]) is None
    assert verdict_correlation([np.ones(50, bool), np.zeros(50, bool)]) == MOST_CORRELATION


def test_events_that_touch_are_one() -> None:
    """Overlapping or touching spans unite; a gap of one frame keeps them apart."""
    assert united([(10, 12), (0, 4), (5, 6), (14, 20)]) == ((0, 6), (10, 12), (14, 20))


def test_the_event_profile_of_a_labelled_video() -> None:
    """Two events of 2 s in 20 s at 10 fps: gap 8 s, frequency 0.2."""
    profile = measured_profile([(200, Fraction(10), [(20, 39), (100, 119)])], correlation=0.3)
    assert profile is not None
    assert (profile.length_seconds, profile.gap_seconds) == (Fraction(2), Fraction(8))
    assert (profile.frequency, profile.correlation, profile.correlation_fps) == (0.2, 0.3, Fraction(10))
    assert profile.length_quantiles_seconds is None  # the mean says it already
    assert profile.lengths == (Fraction(2),)
    assert measured_profile([(200, Fraction(10), [])], correlation=0.3) is None


def test_the_lengths_of_events_are_measured() -> None:
    """Five lengths of ten events: those that a tenth of them does not reach, three tenths, and so on."""
    spans = [(100 * place, 100 * place + 10 * place - 1) for place in (3, 10, 1, 5, 2, 4, 9, 7, 6, 8)]
    profile = measured_profile([(1200, Fraction(10), sorted(spans))], correlation=0.3)
    assert profile is not None
    assert profile.length_seconds == Fraction(11, 2)
    assert profile.length_quantiles_seconds == (2, 4, 6, 8, 10)
