"""Who is admitted (architecture, decision 10): in the order of priority, then age, then name.

An app is admitted if the cheapest schedule in which it and all that were admitted before it reach their minimum F1 still
fits the budget. The others are told why, and what cost would have been needed.
"""

from dataclasses import dataclass, replace

import numpy as np

from mainstream.scheduling.cheapest import cheapest
from mainstream.scheduling.problem import BUDGET_TOLERANCE, Problem, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Places of the admitted apps in the problem, ascending, and the others' reasons."""

    admitted: tuple[int, ...]
    rejected: tuple[Rejection, ...]


def admit(problem: Problem) -> Admission:
    """Decide for each app of the problem; never raises: that nothing fits is an answer."""
    order = sorted(range(len(problem.apps)), key=lambda place: _rank(problem, place))
    everybody = _needed(problem, [place for place in order if _reachable(problem, place)])
    if everybody <= problem.budget + BUDGET_TOLERANCE and all(_reachable(problem, place) for place in order):
        return Admission(admitted=tuple(sorted(order)), rejected=())
    admitted: list[int] = []
    rejected = []
    for place in order:
        app = problem.apps[place]
        if not _reachable(problem, place):
            rejected.append(
                Rejection(
                    app=app.name,
                    reason="MinF1Unreachable",
                    message=f"minF1 {app.min_f1:g} cannot be reached: the best that its candidates give at the highest "
                    f"rate is {float(app.f1.max()):.3f}",
                    needed_cost=float("inf"),
                )
            )
            continue
        needed = _needed(problem, [*admitted, place])
        if needed <= problem.budget + BUDGET_TOLERANCE:
            admitted.append(place)
            continue
        rejected.append(
            Rejection(
                app=app.name,
                reason="RejectedByPriority",
                message=f"the cheapest schedule with it and the {len(admitted)} admitted before it costs {needed:.4f} of "
                f"the engine's time, the budget is {problem.budget:.4f}",
                needed_cost=needed,
            )
        )
    return Admission(admitted=tuple(sorted(admitted)), rejected=tuple(rejected))


def _rank(problem: Problem, place: int) -> tuple[int, int, str]:
    app = problem.apps[place]
    return -app.priority, app.age, app.name


def _reachable(problem: Problem, place: int) -> bool:
    app = problem.apps[place]
    return bool(np.max(app.f1, initial=-np.inf) >= app.min_f1 - 1e-12)


def _needed(problem: Problem, places: list[int]) -> float:
    """Cost of the cheapest schedule of those apps, each of which can reach its minimum F1."""
    found = cheapest(replace(problem, apps=tuple(problem.apps[place] for place in places)))
    return float("inf") if found is None else found[1]
