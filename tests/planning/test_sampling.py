"""Which app sees which frame (model.md, "Cost")."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.sampling import Cycle, rates_on_offer, spread_order

CAPTURE = st.sampled_from([Fraction(15), Fraction(10), Fraction(25, 2), Fraction(100, 7), Fraction(1), Fraction(30)])


@settings(deadline=None, max_examples=60)
@given(capture=CAPTURE, data=st.data())
def test_a_slower_app_sees_a_subset_of_what_a_faster_one_sees(capture: Fraction, data: st.DataObject) -> None:
    """Only then is the stem's cost that of the highest rate."""
    slow, fast = sorted(data.draw(st.tuples(*[st.sampled_from(rates_on_offer(capture))] * 2)))
    cycle = Cycle(capture)
    slots = range(cycle.slots * cycle.cycles)
    assert all(cycle.takes(fast, slot) for slot in slots if cycle.takes(slow, slot))


@settings(deadline=None, max_examples=60)
@given(capture=CAPTURE, data=st.data())
def test_rates_are_exact_on_average(capture: Fraction, data: st.DataObject) -> None:
    """Over all cycles an app sees rate times seconds frames, to the frame."""
    fps = data.draw(st.sampled_from(rates_on_offer(capture)))
    cycle = Cycle(capture)
    slots = cycle.slots * cycle.cycles
    assert sum(cycle.takes(fps, slot) for slot in range(slots)) == fps * slots / capture


@settings(deadline=None, max_examples=60)
@given(capture=CAPTURE, data=st.data())
def test_the_pattern_is_what_is_taken(capture: Fraction, data: st.DataObject) -> None:
    """The quality model and the runner see the same slots."""
    fps = data.draw(st.sampled_from(rates_on_offer(capture)))
    cycle = Cycle(capture)
    pattern = cycle.pattern(fps)
    taken = [cycle.takes(fps, slot) for slot in range(3 * cycle.slots * cycle.cycles)]
    assert taken == np.resize(pattern, len(taken)).tolist()


@pytest.mark.parametrize("capture", [Fraction(10), Fraction(15), Fraction(25), Fraction(30), Fraction(25, 2)])
def test_frames_are_spread_well(capture: Fraction) -> None:
    """The worst gap between two looks is about twice the ideal one, at every whole rate."""
    cycle = Cycle(capture)
    for fps in rates_on_offer(capture):
        if fps >= 1:
            taken = np.flatnonzero(cycle.pattern(fps))
            gaps = np.diff(np.append(taken, taken[0] + len(cycle.pattern(fps))))
            assert gaps.max() <= 2 * capture / fps + 1


def test_slow_rates_are_spread_over_cycles() -> None:
    """Half a frame per second at 15 fps: five in ten seconds, never more than three seconds apart."""
    pattern = Cycle(Fraction(15)).pattern(Fraction(1, 2))
    taken = np.flatnonzero(pattern)
    assert len(taken) == 5
    assert np.diff(np.append(taken, taken[0] + len(pattern))).max() <= 3 * 15


def test_the_slots_of_broadcast_rates_last_a_thousandth_longer_than_a_second() -> None:
    """30000/1001 frames per second: 30 slots of 1.001 s in all, every rate still exact."""
    cycle = Cycle(Fraction(30000, 1001))
    assert (cycle.slots, cycle.seconds) == (30, Fraction(1001, 1000))
    for fps in (Fraction(5), Fraction(1, 10), Fraction(29), Fraction(30000, 1001)):
        pattern = cycle.pattern(fps)
        periods = cycle.slots * cycle.cycles // len(pattern)
        assert pattern.sum() * periods == fps * cycle.seconds * cycle.cycles


def test_rates_on_offer() -> None:
    """The capture rate, the whole numbers below it, a half, a fifth and a tenth."""
    slow = (Fraction(1, 10), Fraction(1, 5), Fraction(1, 2))
    assert rates_on_offer(Fraction(3)) == (*slow, Fraction(1), Fraction(2), Fraction(3))
    assert rates_on_offer(Fraction(5, 2)) == (*slow, Fraction(1), Fraction(2), Fraction(5, 2))
    assert rates_on_offer(Fraction(1, 5)) == slow[:2]


def test_a_rate_above_the_capture_rate_is_refused() -> None:
    """Nobody can look at frames that are not there."""
    with pytest.raises(ValueError, match="Expected a rate in"):
        Cycle(Fraction(10)).takes(Fraction(11), 0)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 200))
def test_an_order_holds_every_number_once(count: int) -> None:
    """It is a permutation."""
    assert sorted(spread_order(count)) == list(range(count))
