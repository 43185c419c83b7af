"""What runs is kept unless something is gained by changing it."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Problem, Result
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve
from mainstream.scheduling.sticky import MARGIN, input_digest, sticky

SEEDS = st.integers(0, 10_000)


def assigned(problem: Problem, result: Result) -> dict[str, Choice]:
    return {app.name: choice for app, choice in zip(problem.apps, result.choices, strict=True) if choice is not None}


def mean(problem: Problem, choices: tuple[Choice, ...]) -> float:
    scores = [app.f1[choice.candidate, choice.rate] for app, choice in zip(problem.apps, choices, strict=True)]
    return float(np.average(scores, weights=[app.weight for app in problem.apps]))


def shaken(problem: Problem, seed: int, by: float) -> Problem:
    """The same apps after a new measurement."""
    rng = np.random.default_rng(seed)
    return replace(
        problem,
        apps=tuple(replace(app, f1=app.f1 * rng.uniform(1 - by, 1 + by, app.f1.shape)) for app in problem.apps),
    )


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_the_same_problem_changes_nothing(make_instance: Any, seed: int) -> None:
    """And says so."""
    problem = make_instance(seed, apps=5)
    result = solve(problem)
    again = sticky(problem, result, assigned(problem, result))
    assert again.choices == result.choices
    assert again.changed == ()


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, by=st.sampled_from([0.001, 0.05]))
def test_what_is_taken_is_within_the_margin_and_names_what_changes(make_instance: Any, seed: int, by: float) -> None:
    """It fits, is at most the margin below the new optimum, and changes no more apps than the optimum does."""
    problem = make_instance(seed, apps=5, groups=2, minimum=0.5)
    old = assigned(problem, solve(problem))
    new = shaken(problem, seed, by)
    optimum = solve(new)
    result = sticky(new, optimum, old)
    assert [choice is None for choice in result.choices] == [choice is None for choice in optimum.choices]
    assert result.cost <= new.budget + BUDGET_TOLERANCE
    assert result.mean_f1 >= optimum.mean_f1 - MARGIN - 1e-9
    now = assigned(new, result)
    assert set(result.changed or ()) == {name for name, choice in now.items() if choice != old.get(name)}
    assert len(result.changed or ()) <= sum(choice != old.get(name) for name, choice in assigned(new, optimum).items())


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_old_assignments_that_are_near_the_optimum_stay(make_instance: Any, seed: int) -> None:
    """All of them, if they are still possible."""
    problem = make_instance(seed, apps=4)
    result = solve(problem)
    if result.rejected:
        return
    new = shaken(problem, seed, 0.002)
    kept = sticky(new, solve(new), assigned(problem, result))
    assert kept.changed == ()
    assert kept.choices == result.choices


def test_one_app_more_disturbs_few_others(make_instance: Any) -> None:
    """On tiny problems by brute force: nearly always the fewest changes that the margin allows, never fewer."""
    more, cases = 0, 0
    for seed in range(40):
        problem = make_instance(seed, apps=4, candidates=3, rates=3)
        before = replace(problem, apps=problem.apps[:-1])
        old = assigned(before, solve(before))
        optimum = solve(problem)
        if optimum.rejected:
            continue
        result = sticky(problem, optimum, old, margin=0.01)
        options = [[Choice(candidate=int(c), rate=int(r)) for c, r in np.argwhere(app.f1 >= 0)] for app in problem.apps]
        fewest = min(
            sum(choice != old.get(app.name) for app, choice in zip(problem.apps, every, strict=True))
            for every in product(*options)
            if mean(problem, every) >= optimum.mean_f1 - 0.01 and schedule_cost(problem, every) <= problem.budget
        )
        assert len(result.changed or ()) >= fewest
        more += len(result.changed or ()) > fewest
        cases += 1
    assert cases > 20
    assert more <= cases // 10


def test_a_minimum_that_the_old_assignment_misses_is_a_reason_to_change(make_instance: Any) -> None:
    """The old schedule may be near the optimum of the mean and still not be allowed."""
    seen = 0
    for seed in range(10):
        problem = make_instance(seed, apps=3)
        old = assigned(problem, solve(problem))
        for place, app in enumerate(problem.apps):
            choice = old.get(app.name)
            if choice is None or app.f1[choice.candidate, choice.rate] > app.f1.max() - 1e-6:
                continue
            apps = list(problem.apps)
            apps[place] = replace(app, min_f1=float(app.f1.max()))
            strict = replace(problem, apps=tuple(apps), budget=10.0)
            changed = sticky(strict, solve(strict), old, margin=1.0).changed
            assert changed is not None
            assert app.name in changed
            seen += 1
    assert seen


@pytest.mark.parametrize("objective", ["MaxMinF1", "MaxMinThenMeanF1"])
def test_fair_schedules_are_kept_by_their_lowest_f1(make_instance: Any, objective: Any) -> None:
    """Within the margin they stay."""
    problem = make_instance(11, apps=4)
    old = assigned(problem, solve(problem, objective))
    new = shaken(problem, 1, 0.001)
    assert sticky(new, solve(new, objective), old, objective=objective).changed == ()


def test_the_digest_is_of_everything_that_matters(make_instance: Any) -> None:
    """Equal problems have equal digests; a number, a name or the objective changes them."""
    problem = make_instance(1, apps=3)
    digest = input_digest(problem, "MeanF1", "Mainstream")
    assert digest == input_digest(make_instance(1, apps=3), "MeanF1", "Mainstream")
    first = problem.apps[0]
    f1 = first.f1.copy()
    f1[0, 0] = np.nextafter(f1[0, 0], 1)
    others = [
        replace(problem, budget=problem.budget * 2),
        *(
            replace(problem, apps=(app, *problem.apps[1:]))
            for app in (replace(first, f1=f1), replace(first, name="x"), replace(first, weight=9.0))
        ),
    ]
    digests = {input_digest(other, "MeanF1", "Mainstream") for other in others}
    digests |= {input_digest(problem, "MaxMinF1", "Mainstream"), input_digest(problem, "MeanF1", "NoSharing")}
    assert len(digests | {digest}) == 7
