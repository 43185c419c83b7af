"""One stream: the proven optimum is the optimum."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.scheduling.exact.goals import AtPrice, WithinBudget
from mainstream.scheduling.exact.search import Limits, Search
from mainstream.scheduling.exact.table import table_of
from mainstream.scheduling.problem import Choice, Problem
from mainstream.scheduling.search import schedule_cost


def everything(problem: Problem) -> list[tuple[float, float]]:
    """Value and cost of all schedules in which each app reaches its minimum F1."""
    options = [
        [Choice(candidate=int(c), rate=int(r)) for c, r in np.argwhere(app.f1 >= app.min_f1)] for app in problem.apps
    ]
    return [
        (
            sum(
                app.weight * float(app.f1[choice.candidate, choice.rate])
                for app, choice in zip(problem.apps, every, strict=True)
            ),
            schedule_cost(problem, every),
        )
        for every in itertools.product(*options)
    ]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), apps=st.integers(1, 4))
def test_nothing_is_better_within_the_budget(make_instance: Any, seed: int, apps: int) -> None:
    """Brute force over all schedules; some F1 are equal, some branches cost more the deeper they are."""
    problem = make_instance(seed, apps=apps)
    best = max((value for value, cost in everything(problem) if cost <= problem.budget), default=None)
    table = table_of(problem.groups[0], problem.apps)
    found = Search(table, WithinBudget(problem.budget), tolerance=1e-9, limits=Limits()).run()
    if best is None:
        assert found.places is None
    else:
        assert found.places is not None
        assert found.worth == pytest.approx(best, abs=1e-9)
        choices = tuple(table.choice(place) for place in found.places)
        assert schedule_cost(problem, choices) <= problem.budget + 1e-12


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), price=st.floats(0, 10))
def test_nothing_is_worth_more_at_a_price(make_instance: Any, seed: int, price: float) -> None:
    """Value less priced cost, by brute force; with no values and price one it is the cheapest schedule."""
    problem = make_instance(seed, apps=3)
    every = everything(problem)
    table = table_of(problem.groups[0], problem.apps)
    found = Search(table, AtPrice(price), tolerance=1e-9, limits=Limits()).run()
    assert found.worth == pytest.approx(max(value - price * cost for value, cost in every), abs=1e-8)


def test_cut_off_it_says_what_is_left(make_instance: Any) -> None:
    """After one box the bound is above the optimum, and what is found is not above it."""
    cut = 0
    for seed in range(30):
        problem = make_instance(seed, apps=8, candidates=6, rates=6)
        problem = replace(problem, budget=0.6 * problem.budget)
        table = table_of(problem.groups[0], problem.apps)
        goal = WithinBudget(problem.budget)
        whole = Search(table, goal, tolerance=1e-9, limits=Limits()).run()
        part = Search(table, goal, tolerance=1e-9, limits=Limits(boxes=1)).run()
        assert part.worth <= whole.worth + 1e-9 <= part.bound + 2e-9
        cut += part.bound > part.worth + 1e-6
    assert cut
