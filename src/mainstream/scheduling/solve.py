"""``solve(problem, ...) -> Result``: admission, then a scheduler by name, under one of three ways of sharing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from mainstream.scheduling.admission import admit
from mainstream.scheduling.baselines import restricted, widened
from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.exact.solver import exact
from mainstream.scheduling.greedy import greedy, summary
from mainstream.scheduling.knapsack import best_separate
from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Objective, Problem, Result, Sharing
from mainstream.scheduling.search import schedule_cost


class Solver(Protocol):
    """A scheduler for a problem whose apps are all admitted."""

    def __call__(
        self,
        problem: Problem,
        objective: Objective,
        *,
        starts: Iterable[tuple[Choice, ...]],
        limits: Limits,
    ) -> Result:
        """A schedule that is no worse than any of ``starts``, which fit."""
        ...


def _greedy(problem: Problem, objective: Objective, *, starts: Iterable[tuple[Choice, ...]], limits: Limits) -> Result:
    del limits
    return greedy(problem, objective, starts=starts)


SOLVERS: dict[str, Solver] = {"Exact": exact, "Greedy": _greedy}
"""Schedulers by name."""

DEFAULT_SOLVER = "Exact"


def solve(
    problem: Problem,
    objective: Objective = "MeanF1",
    *,
    sharing: Sharing = "Mainstream",
    solver: str = DEFAULT_SOLVER,
    limits: Limits | None = None,
) -> Result:
    """The best schedule that the solver finds for the admitted apps. Equal input gives equal output, unless a clock stops it.

    Apps that do not fit are in ``rejected``. Under No-Sharing the cost is that of separate networks.
    """
    narrow = restricted(problem, sharing)
    admission = admit(narrow)
    chosen = replace(narrow, apps=tuple(narrow.apps[place] for place in admission.admitted))
    starts = _baseline_starts(problem, admission.admitted) if sharing == "Mainstream" else ()
    result = SOLVERS[solver](chosen, objective, starts=starts, limits=limits or Limits())
    if sharing == "NoSharing" and objective == "MeanF1" and not result.proven:
        result = _best_separate(chosen, result)
    choices: list[Choice | None] = [None] * len(problem.apps)
    for place, choice in zip(admission.admitted, result.choices, strict=True):
        choices[place] = choice
    return replace(result, choices=widened(problem, tuple(choices), sharing), rejected=admission.rejected)


def _best_separate(problem: Problem, known: Result) -> Result:
    """Nothing is shared, so the best schedule is a knapsack's; a baseline must be as good as it can be."""
    complete = tuple(choice for choice in known.choices if choice is not None)
    choices, proven = best_separate(problem, complete)
    result = summary(problem, choices, solver=known.solver)
    return replace(result, proven=proven, bound=result.mean_f1 if proven else None)


def _baseline_starts(problem: Problem, admitted: tuple[int, ...]) -> Iterator[tuple[Choice, ...]]:
    """What the baselines would do with the same apps, where that fits: Mainstream is never planned worse than they are."""
    apps = replace(problem, apps=tuple(problem.apps[place] for place in admitted))
    sharings: tuple[Sharing, ...] = ("MaxSharing", "NoSharing")
    for sharing in sharings:
        narrow = restricted(apps, sharing)
        if all(app.f1.max() >= app.min_f1 for app in narrow.apps):
            choices = widened(apps, exact(narrow).choices, sharing)
            complete = tuple(choice for choice in choices if choice is not None)
            if schedule_cost(apps, complete) <= problem.budget + BUDGET_TOLERANCE:
                yield complete
