"""What must hold for every problem, whatever the optimum is."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.problem import AppOptions, Problem, Result, StemGroup
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve

SEEDS = st.integers(0, 100_000)


def weighted(problem: Problem, result: Result) -> float:
    return sum(
        app.weight * float(app.f1[choice.candidate, choice.rate])
        for app, choice in zip(problem.apps, result.choices, strict=True)
        if choice is not None
    )


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 3), more=st.floats(1.0, 2.0))
def test_more_budget_never_hurts(make_instance: Any, seed: int, groups: int, more: float) -> None:
    """Neither the mean nor the lowest F1; all apps admitted under the smaller one."""
    problem = make_instance(seed, apps=6, groups=groups)
    small, large = solve(problem), solve(replace(problem, budget=more * problem.budget))
    if not small.rejected:
        assert large.mean_f1 >= small.mean_f1 - 1e-9
        fair = solve(problem, "MaxMinF1"), solve(replace(problem, budget=more * problem.budget), "MaxMinF1")
        assert fair[1].min_f1 >= fair[0].min_f1 - 1e-9


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 3))
def test_one_app_more_never_raises_the_optimum_of_the_others(make_instance: Any, seed: int, groups: int) -> None:
    """It can only take budget from them."""
    problem = make_instance(seed, apps=6, groups=groups)
    fewer = replace(problem, apps=problem.apps[:-1])
    together = solve(problem)
    if not together.rejected:
        last = together.choices[-1]
        assert last is not None
        others = weighted(problem, together) - problem.apps[-1].weight * problem.apps[-1].f1[last.candidate, last.rate]
        assert others <= weighted(fewer, solve(fewer)) + 1e-8


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, order=st.permutations(range(6)), objective=st.sampled_from(["MeanF1", "MaxMinF1"]))
def test_the_order_of_the_apps_changes_nothing(make_instance: Any, seed: int, order: list[int], objective: Any) -> None:
    """Not even which of several optima is taken."""
    problem = make_instance(seed, apps=6, groups=2, minimum=0.5)
    turned = replace(problem, apps=tuple(problem.apps[place] for place in order))
    result, other = solve(problem, objective), solve(turned, objective)
    assert other.choices == tuple(result.choices[place] for place in order)
    assert other.boxes == result.boxes


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_options_that_others_beat_never_matter(make_instance: Any, seed: int) -> None:
    """A candidate as deep as another, dearer and no better, changes no optimum."""
    problem = make_instance(seed, apps=4)
    rng = np.random.default_rng(seed)

    def worsened(app: AppOptions) -> AppOptions:
        at = int(rng.integers(len(app.depths)))
        f1 = np.insert(app.f1, at, np.maximum(app.f1[at] - rng.uniform(0, 0.1, app.f1.shape[1]), 0), axis=0)
        seconds = [*app.branch_seconds[:at], app.branch_seconds[at] * 1.1, *app.branch_seconds[at:]]
        return replace(
            app,
            depths=(*app.depths[:at], app.depths[at], *app.depths[at:]),
            branch_seconds=tuple(seconds),
            f1=f1,
            votes=np.ones(f1.shape, np.int64),
            threshold=np.full(f1.shape, 5, np.int64),
        )

    more = replace(problem, apps=tuple(worsened(app) for app in problem.apps))
    assert solve(more).mean_f1 == pytest.approx(solve(problem).mean_f1, abs=2e-9)


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 3), objective=st.sampled_from(["MeanF1", "MaxMinF1", "MaxMinThenMeanF1"]))
def test_cut_off_it_answers_with_an_honest_gap(make_instance: Any, seed: int, groups: int, objective: Any) -> None:
    """A schedule that fits, no worse than the baselines, and a bound that holds."""
    problem = make_instance(seed, apps=6, groups=groups, candidates=5, rates=5)
    whole = solve(problem, objective)
    assume(len(whole.rejected) < len(problem.apps))  # of no app there is nothing to bound
    for limits in (Limits(boxes=1), Limits(stop=lambda: True)):
        part = solve(problem, objective, limits=limits)
        assert len(part.rejected) == len(whole.rejected)
        assert schedule_cost(problem, part.choices) <= problem.budget + 1e-7
        assert part.bound is not None
        assert whole.bound is not None
        reached = [result.min_f1 if objective == "MaxMinF1" else result.mean_f1 for result in (part, whole)]
        if objective != "MaxMinThenMeanF1" or part.min_f1 >= whole.min_f1 - 1e-9:
            assert reached[0] <= reached[1] + 2e-9
            assert part.bound >= reached[1] - 2e-9
    for sharing in ("MaxSharing", "NoSharing"):
        baseline = solve(problem, sharing=sharing)
        if not baseline.rejected and not whole.rejected:
            assert solve(problem, limits=Limits(boxes=1)).mean_f1 >= baseline.mean_f1 - 1e-9


def test_the_price_of_budget_is_what_a_little_more_is_worth(make_paper_problem: Any) -> None:
    """Mean F1 per unit of budget: about the slope where budgets are tight, nothing where all have what they want."""
    slopes = []
    for budget in np.arange(90.0, 220.0, 10.0):
        result = solve(make_paper_problem(30, budget=float(budget)))
        wider = solve(make_paper_problem(30, budget=float(budget) + 10))
        assert result.price is not None
        assert result.price >= 0
        slopes.append((result.price, (wider.mean_f1 - result.mean_f1) / 10))
    price, slope = np.array(slopes).T
    assert np.corrcoef(price, slope)[0, 1] > 0.9
    assert solve(make_paper_problem(5, budget=1e6)).price == 0


def test_equal_input_gives_equal_output(make_paper_problem: Any) -> None:
    """To the last bit, the effort too; on one stream and on several, for each objective."""
    for groups in (1, 3):
        for objective in ("MeanF1", "MaxMinF1", "MaxMinThenMeanF1"):
            first, second = (solve(make_paper_problem(12, groups=groups, budget=150.0), objective) for _ in range(2))
            assert first == second
            assert first.proven


def test_apps_alike_and_apps_of_no_weight_do_no_harm(make_paper_problem: Any) -> None:
    """Twelve twins tie at every level; a weight of zero is a weight."""
    problem = make_paper_problem(1, budget=100.0)
    twins = tuple(replace(problem.apps[0], name=f"ns/twin-{at:02d}", weight=float(at > 0)) for at in range(12))
    for objective in ("MeanF1", "MaxMinF1", "MaxMinThenMeanF1"):
        assert solve(replace(problem, apps=twins), objective).proven


def test_wrong_input_has_a_clear_answer() -> None:
    """A minimum that nothing reaches and a budget of nothing are answers with reasons; no apps are no problem."""
    group = StemGroup(name="s", segment_seconds=(0.1,), rates=(Fraction(1),))
    ones = np.ones((1, 1), np.int64)

    def app(minimum: float) -> AppOptions:
        return AppOptions(
            name="a", group=0, depths=(1,), branch_seconds=(0.1,), f1=np.array([[0.5]]), votes=ones, threshold=ones,
            min_f1=minimum,
        )  # fmt: skip

    unreachable = solve(Problem(groups=(group,), apps=(app(0.9),), budget=1.0))
    assert [(one.reason, one.needed_cost) for one in unreachable.rejected] == [("MinF1Unreachable", float("inf"))]
    nothing = solve(Problem(groups=(group,), apps=(app(0.0),), budget=0.0))
    assert [one.reason for one in nothing.rejected] == ["RejectedByPriority"]
    assert nothing.rejected[0].needed_cost == pytest.approx(0.2)
    empty = solve(Problem(groups=(group,), apps=(), budget=1.0))
    assert (empty.choices, empty.proven) == ((), True)
