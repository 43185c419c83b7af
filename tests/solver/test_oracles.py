"""The exact solver beside two that share nothing with it: a plain integer program (HiGHS), and trying everything."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Problem, Result
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve

SEEDS = st.integers(0, 100_000)


def scores(problem: Problem, choices: tuple[Choice | None, ...]) -> list[float]:
    return [
        float(app.f1[choice.candidate, choice.rate])
        for app, choice in zip(problem.apps, choices, strict=True)
        if choice is not None
    ]


def weighted(problem: Problem, choices: tuple[Choice | None, ...]) -> float:
    return sum(app.weight * score for app, score in zip(problem.apps, scores(problem, choices), strict=True))


def fitting(problem: Problem) -> list[tuple[Choice, ...]]:
    """All schedules that fit and respect the minimum F1s."""
    options = [
        [Choice(candidate=int(c), rate=int(r)) for c, r in np.argwhere(app.f1 >= app.min_f1)] for app in problem.apps
    ]
    return [every for every in itertools.product(*options) if schedule_cost(problem, every) <= problem.budget]


def sound(problem: Problem, result: Result) -> None:
    assert result.proven
    assert schedule_cost(problem, result.choices) <= problem.budget + BUDGET_TOLERANCE
    assert all(
        score >= app.min_f1 - 1e-9 for app, score in zip(problem.apps, scores(problem, result.choices), strict=True)
    )


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, groups=st.integers(1, 4), minimum=st.sampled_from([0.0, 0.7]))
def test_no_schedule_has_a_higher_mean(make_instance: Any, seed: int, groups: int, minimum: float) -> None:
    """Weighted, with minimum F1s, on one to four streams, by brute force."""
    problem = make_instance(seed, apps=4, groups=groups, minimum=minimum)
    every = fitting(problem)
    result = solve(problem)
    if not every:
        assert result.rejected
        return
    sound(problem, result)
    assert weighted(problem, result.choices) == pytest.approx(max(weighted(problem, one) for one in every), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, groups=st.integers(1, 3), minimum=st.sampled_from([0.0, 0.7]))
def test_no_schedule_is_fairer(make_instance: Any, seed: int, groups: int, minimum: float) -> None:
    """The sorted F1, lowest first, by brute force; with twins and many equal F1, so that there are ties."""
    problem = make_instance(seed, apps=4, groups=groups, minimum=minimum)
    every = fitting(problem)
    if not every:
        return
    best = max(sorted(np.round(scores(problem, one), 10).tolist()) for one in every)
    result = solve(problem, "MaxMinF1")
    sound(problem, result)
    assert sorted(scores(problem, result.choices)) == pytest.approx(best, abs=1e-9)
    assert result.bound == pytest.approx(best[0], abs=1e-9)
    fair = [one for one in every if min(scores(problem, one)) >= best[0] - 1e-9]
    then_mean = solve(problem, "MaxMinThenMeanF1")
    sound(problem, then_mean)
    assert then_mean.min_f1 == pytest.approx(best[0], abs=1e-9)
    assert weighted(problem, then_mean.choices) == pytest.approx(max(weighted(problem, one) for one in fair), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, groups=st.integers(1, 3), tight=st.sampled_from([0.3, 1.0, 2.0]))
def test_an_integer_program_finds_nothing_better(
    make_instance: Any, integer_program: Any, seed: int, groups: int, tight: float
) -> None:
    """Eight apps, six candidates, six rates: too many schedules to try."""
    problem = make_instance(seed, apps=8, groups=groups, candidates=6, rates=6, minimum=0.3)
    problem = replace(problem, budget=tight * problem.budget)
    theirs = integer_program(problem).solve()
    result = solve(problem)
    assert theirs.proven
    if theirs.choices is None:
        assert result.rejected
        return
    sound(problem, result)
    assert weighted(problem, result.choices) >= weighted(problem, theirs.choices) - 1e-8
    # Ours may use the tolerance of the budget, theirs that of the program.
    assert weighted(problem, result.choices) <= theirs.bound + 1e-5


@settings(deadline=None, max_examples=10)
@given(seed=SEEDS, groups=st.integers(1, 2))
def test_an_integer_program_raises_the_lowest_no_higher(
    make_instance: Any, integer_program: Any, seed: int, groups: int
) -> None:
    """Max-min of eight apps."""
    problem = make_instance(seed, apps=8, groups=groups, candidates=5, rates=5)
    theirs = integer_program(problem, lowest=True).solve()
    result = solve(problem, "MaxMinF1")
    if theirs.choices is not None:
        sound(problem, result)
        assert result.min_f1 == pytest.approx(min(scores(problem, theirs.choices)), abs=1e-6)


def test_on_a_real_stem_an_integer_program_agrees(integer_program: Any, make_paper_problem: Any) -> None:
    """MobileNet's costs and the authors' accuracy curves: five apps on two streams, at three budgets."""
    for budget in (50.0, 120.0, 250.0):
        problem = make_paper_problem(5, groups=2, budget=budget)
        theirs = integer_program(problem, undominated=True).solve()
        result = solve(problem)
        assert theirs.proven
        sound(problem, result)
        assert weighted(problem, result.choices) == pytest.approx(theirs.value, abs=1e-6)
