"""Fewer levels, where memory does not hold all: a rate is given up and its apps go down to the next one of their stem.

Apps of a stem that have one rate are a level, and each level takes memory (``mainstream.memory``). The solver knows nothing of
it: a schedule is solved for, and then made to fit by the rule that loses the least mean F1 with each level that goes. What is
"proven" is the schedule before; the loss is told.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from mainstream.scheduling.greedy import summary
from mainstream.scheduling.problem import Choice, Problem, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fewer:
    """What was given up for memory: levels before and after, over all stems, and the mean F1 that it cost."""

    before: int
    after: int
    lost_f1: float


def fit_levels(problem: Problem, result: Result, fits: Callable[[Result], bool]) -> tuple[Result, Fewer | None]:
    """The result with as few levels given up as it takes; None where all fit. With one level a stem it may still not fit."""
    fitted = result
    while not fits(fitted) and (lowered := _one_fewer(problem, fitted)) is not None:
        fitted = lowered
    if fitted is result:
        return result, None
    lost = result.mean_f1 - fitted.mean_f1
    return fitted, Fewer(before=_levels(problem, result), after=_levels(problem, fitted), lost_f1=lost)


def _levels(problem: Problem, result: Result) -> int:
    return sum(len(rates) for rates in _rates(problem, result.choices).values())


def _rates(problem: Problem, choices: tuple[Choice | None, ...]) -> dict[int, list[int]]:
    """The rates in use by stem group, ascending."""
    used: dict[int, set[int]] = {}
    for app, choice in zip(problem.apps, choices, strict=True):
        if choice is not None:
            used.setdefault(app.group, set()).add(choice.rate)
    return {group: sorted(rates) for group, rates in used.items()}


def _one_fewer(problem: Problem, result: Result) -> Result | None:
    """The best of all ways to lower one level onto the next; minimum F1s are kept as long as some way keeps them."""
    ways = []
    for group, rates in _rates(problem, result.choices).items():
        for lower, upper in pairwise(rates):
            choices = tuple(
                replace(choice, rate=lower)
                if choice is not None and app.group == group and choice.rate == upper
                else choice
                for app, choice in zip(problem.apps, result.choices, strict=True)
            )
            ways.append((_kept(problem, choices), summary(problem, choices, solver=result.solver)))
    if not ways:
        return None
    _, best = max(ways, key=lambda way: (way[0], way[1].mean_f1))
    return replace(best, rejected=result.rejected, boxes=result.boxes, price=result.price, changed=result.changed)


def _kept(problem: Problem, choices: tuple[Choice | None, ...]) -> int:
    """How many apps reach their minimum F1."""
    return sum(
        choice is not None and app.f1[choice.candidate, choice.rate] >= app.min_f1
        for app, choice in zip(problem.apps, choices, strict=True)
    )
