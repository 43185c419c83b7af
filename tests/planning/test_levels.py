"""Fewer levels where memory does not hold all: what goes first, and what is kept."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from mainstream.scheduling.greedy import summary
from mainstream.scheduling.levels import fit_levels
from mainstream.scheduling.problem import AppOptions, Choice, Problem, Result, StemGroup

RATES = (Fraction(1), Fraction(2), Fraction(5), Fraction(10))


def app(name: str, *f1: float, group: int = 0, min_f1: float = 0.0) -> AppOptions:
    table = np.array([f1])
    ones = np.ones(table.shape, np.int64)
    return AppOptions(
        name=name,
        group=group,
        depths=(1,),
        branch_seconds=(0.001,),
        f1=table,
        votes=ones,
        threshold=ones,
        min_f1=min_f1,
    )


def problem(*apps: AppOptions) -> Problem:
    groups = tuple(StemGroup(name=f"stream-{place}", segment_seconds=(0.01,), rates=RATES) for place in range(2))
    return Problem(groups=groups, apps=apps, budget=1.0)


def chosen(wanted: Problem, *rates: int | None) -> Result:
    choices = tuple(None if rate is None else Choice(candidate=0, rate=rate) for rate in rates)
    return summary(wanted, choices, solver="Exact")


def levels(wanted: Problem, most: int) -> Callable[[Result], bool]:
    def fits(result: Result) -> bool:
        pairs = zip(wanted.apps, result.choices, strict=True)
        return len({(app.group, choice.rate) for app, choice in pairs if choice is not None}) <= most

    return fits


def rates(result: Result) -> list[int | None]:
    return [choice.rate if choice else None for choice in result.choices]


def test_what_fits_stays() -> None:
    """The very result, and nothing to tell."""
    wanted = problem(app("a", 0.1, 0.2, 0.3, 0.4), app("b", 0.1, 0.2, 0.3, 0.4))
    result = chosen(wanted, 3, 0)
    assert fit_levels(wanted, result, lambda _result: True) == (result, None)


def test_the_level_that_is_worth_least_goes() -> None:
    """b loses 0.01 by going down to a's rate, c 0.2 by going down to b's."""
    wanted = problem(app("a", 0.5, 0.6, 0.7, 0.8), app("b", 0.5, 0.59, 0.6, 0.6), app("c", 0.1, 0.2, 0.4, 0.6))
    result, fewer = fit_levels(wanted, chosen(wanted, 1, 2, 3), levels(wanted, 2))
    assert rates(result) == [1, 1, 3]
    assert fewer is not None
    assert (fewer.before, fewer.after) == (3, 2)
    assert fewer.lost_f1 == pytest.approx(0.01 / 3)
    assert result.cost < chosen(wanted, 1, 2, 3).cost
    assert not result.proven


def test_levels_of_different_stems_are_not_joined() -> None:
    """Two streams have a graph of their own each: one level each is the least."""
    wanted = problem(app("a", 0.1, 0.2, 0.3, 0.4), app("b", 0.1, 0.2, 0.3, 0.4, group=1))
    result, fewer = fit_levels(wanted, chosen(wanted, 3, 1), lambda _result: False)
    assert rates(result) == [3, 1]
    assert fewer is None


def test_a_minimum_f1_is_kept_while_something_else_can_go() -> None:
    """c would lose less, but falls below its minimum; a rejected app stays rejected."""
    wanted = problem(
        app("a", 0.5, 0.6, 0.7, 0.8),
        app("b", 0.4, 0.5, 0.7, 0.7),
        app("c", 0.1, 0.2, 0.59, 0.6, min_f1=0.6),
        app("d", 1, 1, 1, 1),
    )
    result, _ = fit_levels(wanted, chosen(wanted, 1, 2, 3, None), levels(wanted, 2))
    assert rates(result) == [1, 1, 3, None]
    result, fewer = fit_levels(wanted, chosen(wanted, 1, 2, 3, None), levels(wanted, 1))
    assert rates(result) == [1, 1, 1, None]
    assert fewer is not None
    assert fewer.after == 1
