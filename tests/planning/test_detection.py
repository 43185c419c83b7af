"""The probability of a detection in a window: closed form against simulation, real slots against all phases."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.detection import detection, legacy_detection, legacy_looks, voting_miss
from mainstream.sampling import Cycle, rates_on_offer
from mainstream.windows import mean_looks, windows


def test_the_corrected_model_agrees_with_a_simulation_of_the_real_slots() -> None:
    """30 random configurations, 4,000 windows each: mean error at most 0.01."""
    rng = np.random.default_rng(0)
    errors = []
    for number in range(30):
        capture = [Fraction(15), Fraction(10), Fraction(25, 2), Fraction(30)][number % 4]
        rates = rates_on_offer(capture)
        fps = rates[rng.integers(len(rates))]
        length = Fraction(int(rng.integers(3, 60)), 10)
        p, rho, votes = rng.uniform(0.05, 0.95), rng.uniform(0, 0.9), int(rng.integers(1, 5))
        expected = detection(
            np.array([p]), rho, windows_seconds=(length,), rates=(fps,), capture_fps=capture, most_votes=votes
        )
        errors.append(abs(_simulated(rng, p, rho, length, fps, capture, votes) - expected[0, 0, -1]))
    assert np.mean(errors) <= 0.01


def _simulated(
    rng: np.random.Generator, p: float, rho: float, length: Fraction, fps: Fraction, capture: Fraction, votes: int
) -> float:
    """The share of 4,000 windows, each beginning at a random moment, in which a run of positives is long enough."""
    pattern = Cycle(capture).pattern(fps)
    count = 4000
    begins = rng.uniform(0, len(pattern), count)
    frame, end = np.ceil(begins).astype(int), np.ceil(begins + float(length * capture)).astype(int)
    positive = rng.random(count) < p
    run, found = np.zeros(count, int), np.zeros(count, bool)
    while (frame < end).any():
        looks = (frame < end) & pattern[frame % len(pattern)]
        run = np.where(looks, np.where(positive, run + 1, 0), run)
        found |= run >= votes
        hit = np.where(positive, p + (1 - p) * rho, p * (1 - rho))
        positive = rng.random(count) < hit
        frame = frame + 1
    return float(found.mean())


@settings(deadline=None, max_examples=60)
@given(
    capture=st.sampled_from([Fraction(10), Fraction(15), Fraction(25, 2), Fraction(7)]),
    tenths=st.integers(1, 60),
    data=st.data(),
)
def test_windows_hold_as_many_looks_as_the_rate_says(capture: Fraction, tenths: int, data: st.DataObject) -> None:
    """Shares sum to one and the mean number of looks is exactly L f, however the slots lie."""
    length, fps = Fraction(tenths, 10), data.draw(st.sampled_from(rates_on_offer(capture)))
    seen = windows((length,), (fps,), capture, "sampled")
    assert seen.share.sum() == pytest.approx(1)
    assert float(seen.share @ seen.looks) == pytest.approx(float(length * fps))


@settings(deadline=None, max_examples=60)
@given(p=st.floats(0.01, 0.99), rho=st.floats(0, 0.95), tenths=st.integers(1, 300))
def test_more_votes_are_harder_and_all_is_a_probability(p: float, rho: float, tenths: int) -> None:
    """Detections fall with votes, at every rate."""
    capture = Fraction(15)
    found = detection(
        np.array([p]), rho, windows_seconds=(Fraction(tenths, 10),), rates=rates_on_offer(capture),
        capture_fps=capture, most_votes=6,
    )  # fmt: skip
    assert found.min() >= -1e-12
    assert found.max() <= 1 + 1e-12
    assert (np.diff(found, axis=-1) <= 1e-12).all()


@pytest.mark.parametrize(("rho", "votes"), [(0.0, 1), (0.6, 3), (0.95, 5)])
def test_long_windows_shrink_as_if_followed_to_the_end(rho: float, votes: int) -> None:
    """What is extrapolated after 48 looks agrees with the chain along all of a minute's looks."""
    capture, p = Fraction(15), 0.2
    for fps in (Fraction(1), Fraction(5), Fraction(11), Fraction(15)):
        taken = np.flatnonzero(np.resize(Cycle(capture).pattern(fps), 900))
        state = np.zeros(votes + 1)
        state[0] = 1.0
        last = None
        for slot in taken:
            rho_s = 0.0 if last is None else rho ** (slot - last)
            hits = np.where(np.arange(votes) > 0, p + (1 - p) * rho_s, p * (1 - rho_s))
            moved = np.zeros_like(state)
            moved[1:] = state[:-1] * hits
            moved[0] = (state[:-1] * (1 - hits)).sum()
            moved[votes] += state[votes]
            state, last = moved, slot
        found = detection(
            np.array([p]), rho, windows_seconds=(Fraction(60),), rates=(fps,), capture_fps=capture, most_votes=votes
        )
        assert found[0, 0, -1] == pytest.approx(state[votes], abs=0.003)


def test_who_never_looks_detects_nothing() -> None:
    """A tenth of a frame per second sees a tenth of the events of a second."""
    found = detection(
        np.array([1.0]),
        0.0,
        windows_seconds=(Fraction(1),),
        rates=(Fraction(1, 10),),
        capture_fps=Fraction(10),
        most_votes=2,
    )
    assert found[0, 0].tolist() == pytest.approx([0.1, 0.0])


def test_an_event_shorter_than_a_frame_may_fall_between_two() -> None:
    """50 ms at 10 frames per second are seen every other time."""
    found = detection(
        np.array([1.0]), 0.0, windows_seconds=(Fraction(1, 20),), rates=(Fraction(10),), capture_fps=Fraction(10),
        most_votes=1,
    )  # fmt: skip
    assert found[0, 0, 0] == pytest.approx(0.5)


def test_ideal_looks_are_those_of_equation_1() -> None:
    """2.5 looks on average: two or three, half of the time each."""
    assert mean_looks(Fraction(1, 2), Fraction(5)) == ((2, 0.5), (3, 0.5))
    assert mean_looks(Fraction(2), Fraction(5)) == ((10, 1.0),)
    found = detection(
        np.array([0.3]), 0.0, windows_seconds=(Fraction(1, 2),), rates=(Fraction(5),), capture_fps=Fraction(10),
        most_votes=1, looks="ideal",
    )  # fmt: skip
    assert found[0, 0, 0] == pytest.approx(1 - (0.7**2 + 0.7**3) / 2)


def test_the_legacy_model_agrees_with_the_authors_code(vectors: dict[str, Any]) -> None:
    """Recall as published, and with the right number of looks."""
    for point in vectors["f1_points"]:
        length, fps = Fraction(point["event_length_ms"], 1000), Fraction(point["fps"])
        for looks, name in (
            (legacy_looks(length, fps, Fraction(point["stream_fps"])), "recall"),
            (mean_looks(length, fps), "paperN_recall"),
        ):
            recall = legacy_detection(point["accuracy"], point["correlation"], looks, point["x_vote"])
            assert recall == pytest.approx(point[name], abs=1e-9)


def test_the_voting_chain_agrees_with_the_authors_enumeration(vectors: dict[str, Any]) -> None:
    """Their exponential enumeration of all sequences."""
    for point in vectors["voting_points"]:
        missed = voting_miss(point["p_first"], point["p_hit_given_hit"], looks=point["hops"], votes=point["x"])
        assert missed == pytest.approx(point["miss"], abs=1e-9)
