"""Schedules: feasible, good, fair to the baselines, explained when something does not fit."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstream.events import EventProfile
from mainstream.quality import f1
from mainstream.sampling import Cycle, rates_on_offer
from mainstream.scheduling.authors import authors_greedy
from mainstream.scheduling.cheapest import cheapest
from mainstream.scheduling.knapsack import best_separate
from mainstream.scheduling.problem import BUDGET_TOLERANCE, AppOptions, Choice, Problem, Sharing, StemGroup
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve

SEEDS = st.integers(0, 10_000)
SHARINGS: tuple[Sharing, ...] = ("Mainstream", "MaxSharing", "NoSharing")


def everything(problem: Problem) -> Iterator[tuple[Choice, ...]]:
    """All schedules in which each app reaches its minimum F1."""
    options = [
        [Choice(candidate=int(c), rate=int(r)) for c, r in np.argwhere(app.f1 >= app.min_f1)] for app in problem.apps
    ]
    return itertools.product(*options)


def scores(problem: Problem, choices: tuple[Choice | None, ...]) -> list[float]:
    return [
        float(app.f1[choice.candidate, choice.rate])
        for app, choice in zip(problem.apps, choices, strict=True)
        if choice is not None
    ]


def mean(problem: Problem, choices: tuple[Choice | None, ...]) -> float:
    return float(np.average(scores(problem, choices), weights=[app.weight for app in problem.apps]))


def test_greedy_is_close_to_the_best_of_all_schedules(make_problem: Any) -> None:
    """On 40 tiny problems of one or two streams: within 0.5 % on average, 8 % at worst."""
    losses = []
    for seed in range(40):
        problem = make_problem(seed, groups=1 + seed % 2)
        fitting = [every for every in everything(problem) if schedule_cost(problem, every) <= problem.budget]
        result = solve(problem)
        if fitting:
            assert not result.rejected
            losses.append(1 - result.mean_f1 / max(mean(problem, every) for every in fitting))
    assert len(losses) > 30
    assert min(losses) > -1e-9
    assert np.mean(losses) <= 0.005
    assert max(losses) <= 0.08


def test_the_worst_app_is_raised_as_far_as_it_can_be(make_problem: Any) -> None:
    """Max-min against all schedules of 30 tiny problems of one or two streams: exact."""
    solved = 0
    for seed in range(30):
        problem = make_problem(seed, groups=1 + seed % 2)
        fitting = [every for every in everything(problem) if schedule_cost(problem, every) <= problem.budget]
        if fitting:
            best = max(min(scores(problem, every)) for every in fitting)
            assert solve(problem, "MaxMinF1").min_f1 == pytest.approx(best)
            assert solve(problem, "MaxMinThenMeanF1").min_f1 == pytest.approx(best)
            solved += 1
    assert solved > 20


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 3), sharing=st.sampled_from(SHARINGS))
def test_what_is_planned_fits_and_respects_minimum_f1(
    make_problem: Any, seed: int, groups: int, sharing: Sharing
) -> None:
    """Cost, mean and minimum are those of the choices; each app has a choice or a reason."""
    problem = make_problem(seed, apps=5, groups=groups, minimum=0.8)
    result = solve(problem, sharing=sharing)
    assert result.cost <= problem.budget + BUDGET_TOLERANCE
    rejected = {rejection.app for rejection in result.rejected}
    for app, choice in zip(problem.apps, result.choices, strict=True):
        assert (choice is None) == (app.name in rejected)
        if choice is not None:
            assert app.f1[choice.candidate, choice.rate] >= app.min_f1 - 1e-9
    if sharing != "NoSharing":
        assert result.cost == pytest.approx(schedule_cost(problem, result.choices))
    assert result.min_f1 == pytest.approx(min(scores(problem, result.choices), default=0.0))


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 2))
def test_mainstream_is_never_planned_worse_than_the_baselines(make_problem: Any, seed: int, groups: int) -> None:
    """Both baselines are schedules that Mainstream could choose, at no higher cost."""
    problem = make_problem(seed, apps=5, groups=groups)
    ours = solve(problem)
    for sharing in ("MaxSharing", "NoSharing"):
        theirs = solve(problem, sharing=sharing)
        if not theirs.rejected:
            assert not ours.rejected
            assert ours.mean_f1 >= theirs.mean_f1 - 1e-9


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, order=st.permutations(range(5)))
def test_the_order_of_the_apps_does_not_matter(make_problem: Any, seed: int, order: list[int]) -> None:
    """The same apps in another order are admitted alike and do equally well."""
    problem = make_problem(seed, apps=5, minimum=0.7)
    result = solve(problem)
    turned = solve(replace(problem, apps=tuple(problem.apps[place] for place in order)))
    assert {rejection.app for rejection in turned.rejected} == {rejection.app for rejection in result.rejected}
    assert turned.mean_f1 == pytest.approx(result.mean_f1, rel=0.02)


def test_equal_input_gives_equal_output(make_problem: Any) -> None:
    """Nothing is left to chance."""
    assert solve(make_problem(3, apps=8)) == solve(make_problem(3, apps=8))


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, groups=st.integers(1, 2))
def test_the_cheapest_schedule_is_the_cheapest_of_all(make_problem: Any, seed: int, groups: int) -> None:
    """Admission stands on it."""
    problem = make_problem(seed, groups=groups, minimum=0.9)
    found = cheapest(problem)
    assert found is not None
    choices, cost = found
    assert min(scores(problem, choices)) >= 0
    assert all(score >= app.min_f1 for score, app in zip(scores(problem, choices), problem.apps, strict=True))
    assert cost == pytest.approx(min(schedule_cost(problem, every) for every in everything(problem)))


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_no_sharing_is_the_best_of_all_its_schedules(make_problem: Any, seed: int) -> None:
    """A baseline must be as good as it can be: whole networks, the cost simply adds up."""
    problem = make_problem(seed, candidates=2, rates=4)
    group = problem.groups[0]
    separate = replace(
        problem,
        groups=(group,) * 3,
        apps=tuple(replace(app, group=place, min_f1=0.0) for place, app in enumerate(problem.apps)),
    )
    fitting = [every for every in everything(separate) if schedule_cost(separate, every) <= problem.budget]
    if fitting:
        found, proven = best_separate(separate, fitting[0])
        assert proven
        assert schedule_cost(separate, found) <= problem.budget + BUDGET_TOLERANCE
        assert mean(separate, found) == pytest.approx(max(mean(separate, every) for every in fitting))


def test_apps_are_admitted_by_priority_then_age() -> None:
    """What does not fit is said, with the cost that would have been needed; a cheaper one behind it is still let in."""
    group = StemGroup(name="s/full", segment_seconds=(0.1,), rates=(Fraction(1), Fraction(2)))

    def app(name: str, seconds: float, *, priority: int, age: int, minimum: float = 0.0) -> AppOptions:
        return AppOptions(
            name=name, group=0, depths=(1,), branch_seconds=(seconds,), f1=np.array([[0.5, 0.8]]),
            votes=np.ones((1, 2), np.int64), threshold=np.full((1, 2), 5), priority=priority, age=age, min_f1=minimum,
        )  # fmt: skip

    apps = (
        app("a/late", 0.1, priority=0, age=2),
        app("a/early", 0.2, priority=0, age=1),
        app("a/first", 0.3, priority=5, age=3),
        app("a/greedy", 0.1, priority=9, age=0, minimum=0.9),
    )
    result = solve(Problem(groups=(group,), apps=apps, budget=0.55))
    assert [choice is not None for choice in result.choices] == [True, False, True, False]
    reasons = {rejection.app: rejection for rejection in result.rejected}
    assert reasons["a/greedy"].reason == "MinF1Unreachable"
    assert reasons["a/greedy"].needed_cost == float("inf")
    assert reasons["a/early"].reason == "RejectedByPriority"
    assert reasons["a/early"].needed_cost == pytest.approx(0.6)


def test_nothing_fits_is_an_answer(make_problem: Any) -> None:
    """No budget at all: every app rejected, nothing chosen, no exception; the same without apps."""
    problem = replace(make_problem(0), budget=0.0)
    for sharing in SHARINGS:
        result = solve(problem, sharing=sharing)
        assert result.choices == (None, None, None)
        assert len(result.rejected) == 3
        assert (result.cost, result.mean_f1, result.min_f1) == (0.0, 0.0, 0.0)
    empty = solve(replace(problem, apps=()))
    assert (empty.choices, empty.rejected) == ((), ())


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, capture=st.sampled_from([Fraction(10), Fraction(25, 2), Fraction(15)]))
def test_the_cost_is_what_the_sampler_lets_run(make_problem: Any, seed: int, capture: Fraction) -> None:
    """Counting segments and branches frame by frame over all cycles gives the planned seconds per second."""
    base = make_problem(seed, apps=4)
    rates = rates_on_offer(capture)
    group = replace(base.groups[0], rates=rates)
    rng = np.random.default_rng(seed)
    places = rng.integers(len(rates), size=4).tolist()
    tables = {name: np.ones((3, len(rates)), np.int64) for name in ("votes", "threshold")}
    apps = tuple(replace(app, f1=np.ones((3, len(rates))), **tables) for app in base.apps)
    problem = replace(base, groups=(group,), apps=apps)
    choices = tuple(Choice(candidate=int(rng.integers(3)), rate=place) for place in places)
    cycle = Cycle(capture)
    slots = cycle.slots * cycle.cycles
    seconds = 0.0
    for slot in range(slots):
        due = [at for at, place in enumerate(places) if cycle.takes(rates[place], slot)]
        deepest = max((apps[at].depths[choices[at].candidate] for at in due), default=0)
        seconds += sum(group.segment_seconds[:deepest])
        seconds += sum(apps[at].branch_seconds[choices[at].candidate] for at in due)
    assert schedule_cost(problem, choices) == pytest.approx(seconds / float(slots / capture))


def workloads(vectors: dict[str, Any], rates: tuple[Fraction, ...]) -> Iterator[tuple[dict[str, Any], Problem]]:
    """The sample's workloads under the legacy model, one vote."""
    cuts, latencies = vectors["base_dnn"]["branchpoints"], np.array(vectors["base_dnn"]["layer_latencies"])
    segments = tuple(float(latencies[cut:end].sum()) for cut, end in itertools.pairwise(cuts))
    for workload in vectors["workloads"]:
        capture, apps = Fraction(workload["stream_fps"]), []
        for place, app in enumerate(workload["apps"]):
            curve = vectors["profiles"][app["profile"]]
            profile = EventProfile(
                length_seconds=Fraction(app["event_length_ms"], 1000), frequency=app["event_frequency"],
                correlation=app["correlation"], correlation_fps=capture,
            )  # fmt: skip
            table = f1(
                np.array(curve["accuracy"]), np.array(curve["prob_fp"]), profile,
                correlations=(app["correlation"],) * 2, capture_fps=capture, rates=rates, most_votes=1, model="legacy",
            )[..., 0].T  # fmt: skip
            ones = np.ones(table.shape, np.int64)
            apps.append(
                AppOptions(
                    name=str(place),
                    group=0,
                    depths=tuple(range(len(cuts))),
                    branch_seconds=tuple(float(latencies[cut:].sum()) for cut in cuts),
                    f1=table,
                    votes=ones,
                    threshold=5 * ones,
                    most_accurate=0,
                )
            )
        group = StemGroup(name="", segment_seconds=segments, rates=rates)
        for expected in workload["expected"]:
            yield expected, Problem(groups=(group,), apps=tuple(apps), budget=expected["budget"])


def test_schedules_agree_with_the_vectors(vectors: dict[str, Any]) -> None:
    """The authors' greedy to the schedule; max-min exactly; the optimum within 0.2 %."""
    cuts = vectors["base_dnn"]["branchpoints"]
    for expected, problem in workloads(vectors, tuple(Fraction(rate) for rate in range(1, 11))):
        theirs = authors_greedy(problem, [app.name for app in problem.apps])
        assert [[cuts[choice.candidate], choice.rate + 1] for choice in theirs] == expected["authors_greedy_schedule"]
        assert mean(problem, theirs) == pytest.approx(expected["authors_greedy_mean_f1"], abs=2e-6)
        assert schedule_cost(problem, theirs) == pytest.approx(expected["authors_greedy_cost"])
        optimum = expected["optimal_mean_f1"]
        assert optimum * 0.998 <= solve(problem).mean_f1 <= optimum + 1e-9
        assert solve(problem, "MaxMinF1").min_f1 == pytest.approx(expected["maxmin_f1"], abs=1e-9)
        shared = solve(problem, sharing="MaxSharing").mean_f1
        assert shared == pytest.approx(expected["maxsharing_optimal_mean_f1"], rel=0.002)


def test_no_sharing_agrees_with_the_vectors(vectors: dict[str, Any]) -> None:
    """Whole networks at rates from a tenth up: the proven optimum."""
    rates = (*(Fraction(rate, 10) for rate in range(1, 10)), *(Fraction(rate) for rate in range(1, 11)))
    for expected, problem in workloads(vectors, rates):
        if expected["nosharing_optimal_mean_f1"] is not None:
            result = solve(problem, sharing="NoSharing")
            assert result.proven
            assert result.mean_f1 == pytest.approx(expected["nosharing_optimal_mean_f1"], abs=1e-9)
