"""The Pareto rule, by hand and by its definition."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstream.packages.modelset import model_set
from mainstream.packages.mpackage import Candidate

ENDS = ("input", "conv1", "conv_pw_1", "conv_pw_2")


def _names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.branchpoint for candidate in candidates]


def test_deeper_and_as_accurate_beats(candidate: Callable[..., Candidate]):
    """A shallower candidate stays only if it is better at some threshold."""
    deep = candidate("conv_pw_1", b"deep", p=[0.9] * 9, q=[0.1] * 9)
    same = candidate("conv1", b"same", p=[0.9] * 9, q=[0.1] * 9)
    better_once = candidate("input", b"better", p=[0.5] * 8 + [0.91], q=[0.2] * 9)
    assert _names(model_set([same, better_once, deep], ENDS.index)) == ["input", "conv_pw_1"]


def test_fewer_false_positives_at_one_threshold_suffice(candidate: Callable[..., Candidate]):
    """q counts as p does."""
    deep = candidate("conv1", b"deep", p=[0.9] * 9, q=[0.1] * 9)
    shallow = candidate("input", b"shallow", p=[0.8] * 9, q=[0.2] * 8 + [0.09])
    assert _names(model_set([deep, shallow], ENDS.index)) == ["input", "conv1"]


def test_a_better_one_at_the_same_place_beats(candidate: Callable[..., Candidate]):
    """Whatever the order in which they come."""
    worse = candidate("conv1", b"worse", p=[0.8] * 9, q=[0.1] * 9)
    better = candidate("conv1", b"better", p=[0.9] * 9, q=[0.1] * 9)
    assert model_set([worse, better], ENDS.index) == model_set([better, worse], ENDS.index) == (better,)


def test_of_equals_the_deepest_stays_once(candidate: Callable[..., Candidate]):
    """Three that are equally accurate, two of them at the same place: one stays."""
    equals = [candidate(end, f"{n}".encode(), p=[0.9] * 9, q=[0.1] * 9) for n, end in enumerate((*ENDS, ENDS[-1]))]
    assert model_set(equals, ENDS.index) == (equals[3],)


RATES = st.lists(st.sampled_from([0.25, 0.5, 0.75]), min_size=2, max_size=2)


@given(st.lists(st.tuples(st.sampled_from(ENDS), RATES, RATES), min_size=1, max_size=12))
def test_the_model_set_is_what_the_rule_says(candidate: Any, drawn: list[tuple[str, list[float], list[float]]]):
    """Nothing that stays is beaten by another that stays; whatever went is beaten by one that stays; by depth."""

    def nine(two: list[float]) -> list[float]:
        return [*two, *[0.5] * 7]

    candidates = [candidate(end, f"{n}".encode(), p=nine(p), q=nine(q)) for n, (end, p, q) in enumerate(drawn)]

    def beats(one: Candidate, other: Candidate) -> bool:
        return (
            ENDS.index(one.branchpoint) >= ENDS.index(other.branchpoint)
            and all(a >= b for a, b in zip(one.true_positive_rate, other.true_positive_rate, strict=True))
            and all(a <= b for a, b in zip(one.false_positive_rate, other.false_positive_rate, strict=True))
        )

    kept = model_set(candidates, ENDS.index)
    assert not any(beats(one, other) for one in kept for other in kept if one is not other)
    gone = [one for one in candidates if all(one is not other for other in kept)]
    assert all(any(beats(one, other) for one in kept) for other in gone)
    depths = [ENDS.index(one.branchpoint) for one in kept]
    assert depths == sorted(depths)
