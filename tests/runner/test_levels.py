"""Levels: due sets are the first few apps, one level for each different rate."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstream.sampling import Cycle
from mainstream_runner.levels import levels

RATES = st.lists(
    st.sampled_from([Fraction(1, 10), Fraction(1, 2), *map(Fraction, range(1, 16))]), min_size=1, max_size=12
)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [([15], (1,)), ([15, 15, 15], (3,)), ([15, 10, 5], (3, 2, 1)), ([15, 15, 5, 5, 5, 1], (6, 5, 2))],
)
def test_a_level_for_each_rate(rates: list[int], expected: tuple[int, ...]) -> None:
    """Apps of one rate are one level."""
    assert levels([Fraction(rate) for rate in rates]) == expected


@pytest.mark.parametrize("rates", [[], [1, 2]])
def test_rates_that_make_no_levels(rates: list[int]) -> None:
    """None, or slowest first: the caller is wrong."""
    with pytest.raises(ValueError, match="Expected"):
        levels([Fraction(rate) for rate in rates])


@given(RATES)
def test_every_due_set_is_a_level(rates: list[Fraction]) -> None:
    """On no slot of a stream are other apps due together than those of a level."""
    rates = sorted(rates, reverse=True)
    known = {0, *levels(rates)}
    cycle = Cycle(Fraction(15))
    for slot in range(cycle.slots * cycle.cycles):
        due = [cycle.takes(rate, slot) for rate in rates]
        assert due == sorted(due, reverse=True)
        assert sum(due) in known
