"""``exact(problem, objective)``: the best schedule of all apps of the problem, with its proof or the gap that is left.

Apps are taken in the order of their names, so the order in which a problem lists them does not matter. Sums are numpy's own, in
a fixed order, and no result depends on a clock unless one is passed in: equal input gives equal output on every machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from mainstream.scheduling.cheapest import cheapest
from mainstream.scheduling.exact.fair import highest_level, leximin
from mainstream.scheduling.exact.floors import DECIMALS, Floors, OutOfBoxesError
from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.exact.streams import best_combination
from mainstream.scheduling.exact.table import table_of
from mainstream.scheduling.greedy import summary
from mainstream.scheduling.problem import BUDGET_TOLERANCE, AppOptions, Choice, Objective, Problem, Result

NAME = "Exact"
PROVEN = 1e-9
"""A mean F1 is proven best if no other is better by more than this."""


def exact(
    problem: Problem,
    objective: Objective = "MeanF1",
    *,
    starts: Iterable[tuple[Choice, ...]] = (),
    limits: Limits | None = None,
) -> Result:
    """The schedule whose weighted mean F1 (or whose sorted F1, the lowest first) no other exceeds.

    The minimum F1s must fit the budget (``admission`` sees to it). Without proof it is the best found, no worse than any of
    ``starts``, which must fit and are not looked at otherwise.
    """
    if not problem.apps:
        return replace(summary(problem, (), solver=NAME), proven=True)
    order = sorted(range(len(problem.apps)), key=lambda at: (problem.apps[at].name, at))
    ordered = replace(problem, apps=tuple(problem.apps[at] for at in order))
    known = (tuple(start[at] for at in order) for start in starts)
    answer = _ANSWERS[objective](ordered, known, limits or Limits())
    choices = [Choice(candidate=0, rate=0)] * len(order)
    for at, choice in zip(order, answer.choices, strict=True):
        choices[at] = choice
    result = summary(problem, tuple(choices), solver=NAME)
    reached = result.min_f1 if objective == "MaxMinF1" else result.mean_f1
    return replace(
        result,
        bound=reached if answer.proven else max(answer.bound, reached),
        proven=answer.proven,
        boxes=answer.boxes,
        price=answer.price,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    choices: tuple[Choice, ...]
    bound: float
    proven: bool
    boxes: int
    price: float | None = None


def _mean(problem: Problem, known: Iterable[tuple[Choice, ...]], limits: Limits) -> _Answer:
    total = sum(app.weight for app in problem.apps)
    capacity = problem.budget + BUDGET_TOLERANCE
    members: dict[int, list[int]] = {}
    for at, app in enumerate(problem.apps):
        members.setdefault(app.group, []).append(at)
    used = sorted(members)
    tables = [table_of(problem.groups[group], [problem.apps[at] for at in members[group]]) for group in used]
    best = best_combination(tables, capacity, tolerance=PROVEN * total, limits=limits)
    candidates = []
    if best is not None and best.places:
        choices: dict[int, Choice] = {}
        for group, table, places in zip(used, tables, best.places, strict=True):
            choices.update(zip(members[group], (table.choice(place) for place in places), strict=True))
        candidates.append(tuple(choices[at] for at in range(len(problem.apps))))
    bound = best.bound if best is not None else sum(app.weight * float(app.f1.max()) for app in problem.apps)
    if best is None or bound > best.value + 2 * PROVEN * total:
        candidates += known
    if not candidates:
        candidates.append(_cheapest(problem))
    values = [_value(problem, choices) for choices in candidates]
    value = max(values)
    return _Answer(
        choices=candidates[values.index(value)],
        bound=bound / total,
        proven=bound <= value + 2 * PROVEN * total,
        boxes=best.boxes if best is not None else 0,
        price=best.price / total if best is not None else None,
    )


def _lowest(problem: Problem, known: Iterable[tuple[Choice, ...]], limits: Limits) -> _Answer:
    """The sorted F1, the lowest first."""
    floors = Floors(problem, problem.budget + BUDGET_TOLERANCE, limits)
    fair = leximin(floors, lambda one, other: _alike(problem.apps[one], problem.apps[other]))
    if fair is None:
        return _Answer(choices=_cheapest(problem), bound=1.0, proven=False, boxes=floors.boxes)
    candidates = [fair.choices, *(() if fair.proven else known)]
    best = max(candidates, key=lambda choices: sorted(floors.scores(choices).tolist()))
    return _Answer(choices=best, bound=fair.bound, proven=fair.proven, boxes=floors.boxes)


def _lowest_then_mean(problem: Problem, known: Iterable[tuple[Choice, ...]], limits: Limits) -> _Answer:
    """The best mean among the schedules whose lowest F1 is the highest."""
    floors = Floors(problem, problem.budget + BUDGET_TOLERANCE, limits)
    try:
        found = highest_level(floors)
    except OutOfBoxesError:
        return replace(_lowest(problem, known, limits), proven=False)
    if found is None:
        return _Answer(choices=_cheapest(problem), bound=1.0, proven=False, boxes=floors.boxes)
    level, choices = found
    floor = level - 0.6 * 10.0**-DECIMALS
    raised = tuple(replace(app, min_f1=max(app.min_f1, floor)) for app in problem.apps)
    others = (start for start in chain([choices], known) if floors.scores(start).min() >= level)
    answer = _mean(replace(problem, apps=raised), others, limits)
    return replace(answer, boxes=answer.boxes + floors.boxes)


_ANSWERS = {"MeanF1": _mean, "MaxMinF1": _lowest, "MaxMinThenMeanF1": _lowest_then_mean}


def _cheapest(problem: Problem) -> tuple[Choice, ...]:
    found = cheapest(problem)
    if found is None:
        raise ValueError("Expected a minimum F1 of each app that one of its options reaches")
    return found[0]


def _value(problem: Problem, choices: tuple[Choice, ...]) -> float:
    return sum(
        app.weight * float(app.f1[choice.candidate, choice.rate])
        for app, choice in zip(problem.apps, choices, strict=True)
    )


def _alike(one: AppOptions, other: AppOptions) -> bool:
    """Whether they may stand for each other."""
    return (
        one.group == other.group
        and one.depths == other.depths
        and one.branch_seconds == other.branch_seconds
        and one.min_f1 == other.min_f1
        and np.array_equal(one.f1, other.f1)
    )
