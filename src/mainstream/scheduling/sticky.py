"""Keeping assignments: a schedule is not turned over for a gain that nobody notices (formats, "Who holds what").

The old assignments are kept if they are still possible under the new problem (every admitted app has one, they fit the budget
and reach the minimum F1s) and are, by the new problem's figures, within a margin of the new optimum. If not, of the schedules
within the margin one that changes few apps is taken. Pure functions: what was assigned is passed in.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mainstream.scheduling.exact.search import Limits
from mainstream.scheduling.exact.solver import exact
from mainstream.scheduling.greedy import summary
from mainstream.scheduling.problem import (
    BUDGET_TOLERANCE,
    AppOptions,
    Choice,
    Objective,
    Problem,
    Result,
    Sharing,
)
from mainstream.scheduling.search import schedule_cost

MARGIN = 0.005
"""Of the objective, absolute: less than one event in a hundred."""

_BONUSES = 6
_ROUNDING = 1e-12


def input_digest(problem: Problem, objective: Objective, sharing: Sharing) -> str:
    """The same for problems that are equal to the last bit: then what was decided holds, and nothing need be solved."""
    plain = {
        "objective": objective,
        "sharing": sharing,
        "budget": problem.budget.hex(),
        "groups": [
            [group.name, [seconds.hex() for seconds in group.segment_seconds], [str(rate) for rate in group.rates]]
            for group in problem.groups
        ],
        "apps": [_plain(app) for app in problem.apps],
    }
    return "sha256:" + hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def sticky(
    problem: Problem,
    result: Result,
    previous: Mapping[str, Choice],
    *,
    objective: Objective = "MeanF1",
    margin: float = MARGIN,
    limits: Limits | None = None,
) -> Result:
    """``result`` (of that problem, with stems shared), or one within ``margin`` of it that changes fewer apps, or none.

    ``previous`` are the assignments that run now, by app, as places in the tables of this problem; an app whose candidate or
    rate is gone is left out. ``changed`` names the admitted apps whose assignment is another; ``bound`` stays the optimum's.
    Fewer changes are only looked for with ``MeanF1``; with the others it is the old assignments or the optimum.
    """
    admitted = [place for place, choice in enumerate(result.choices) if choice is not None]
    apps = replace(problem, apps=tuple(problem.apps[place] for place in admitted))
    optimum = tuple(choice for choice in result.choices if choice is not None)
    old = tuple(previous.get(app.name) for app in apps.apps)
    candidates = [optimum]
    kept = tuple(choice for choice in old if choice is not None)
    if len(kept) == len(old) and _possible(apps, kept) and _near(apps, kept, result, objective, margin):
        candidates = [kept]
    elif objective == "MeanF1":
        candidates += _with_bonus(apps, old, result.mean_f1 - margin, limits)
    fewest = min(candidates, key=lambda choices: (len(_changed(apps, choices, old)), -_mean(apps, choices)))
    if objective == "MeanF1":
        fewest = _restored(apps, fewest, old, result.mean_f1 - margin, limits)
    choices: list[Choice | None] = [None] * len(problem.apps)
    for place, choice in zip(admitted, fewest, strict=True):
        choices[place] = choice
    named = summary(problem, tuple(choices), solver=result.solver)
    return replace(
        result,
        choices=tuple(choices),
        cost=named.cost,
        mean_f1=named.mean_f1,
        min_f1=named.min_f1,
        proven=result.proven and fewest == optimum,
        changed=tuple(apps.apps[place].name for place in _changed(apps, fewest, old)),
    )


def _with_bonus(
    problem: Problem, old: Sequence[Choice | None], floor: float, limits: Limits | None
) -> list[tuple[Choice, ...]]:
    """The best schedules if keeping an app is worth something, for several prices of a change; those above the floor.

    The higher the bonus, the fewer apps change and the lower the mean: the highest that stays above the floor is searched by
    halves, from as much as the whole margin is worth.
    """
    total = sum(app.weight for app in problem.apps)
    found = []
    low, high = 0.0, max(exact(problem, limits=limits).mean_f1 - floor, 0.0) * total
    bonus = high
    for _ in range(_BONUSES):
        apps = tuple(_favoured(app, choice, bonus) for app, choice in zip(problem.apps, old, strict=True))
        answer = exact(replace(problem, apps=apps), limits=limits)
        choices = tuple(choice for choice in answer.choices if choice is not None)
        if _mean(problem, choices) >= floor - _ROUNDING:
            found.append(choices)
            low = bonus
        else:
            high = bonus
        bonus = (low + high) / 2
        if low == high:
            break
    return found


def _restored(
    problem: Problem,
    choices: tuple[Choice, ...],
    old: Sequence[Choice | None],
    floor: float,
    limits: Limits | None,
) -> tuple[Choice, ...]:
    """Give back one changed app after the other what it had, if the others can make up for it without changing."""
    pinned = [choice if choice == before else None for choice, before in zip(choices, old, strict=True)]
    for place, before in enumerate(old):
        if before is None or pinned[place] is not None or not _reaches(problem.apps[place], before):
            continue
        tried = [*pinned[:place], before, *pinned[place + 1 :]]
        apps = tuple(_pinned(app, choice) for app, choice in zip(problem.apps, tried, strict=True))
        answer = exact(replace(problem, apps=apps), limits=limits)
        again = tuple(choice for choice in answer.choices if choice is not None)
        if _possible(problem, again) and _mean(problem, again) >= floor - _ROUNDING:
            choices, pinned = again, tried
    return choices


def _favoured(app: AppOptions, choice: Choice | None, bonus: float) -> AppOptions:
    if choice is None or app.weight <= 0 or not _reaches(app, choice):
        return app
    f1 = app.f1.copy()
    f1[choice.candidate, choice.rate] += bonus / app.weight
    return replace(app, f1=f1)


def _pinned(app: AppOptions, choice: Choice | None) -> AppOptions:
    """The app without any other option."""
    if choice is None:
        return app
    f1 = np.full(app.f1.shape, -np.inf)
    f1[choice.candidate, choice.rate] = app.f1[choice.candidate, choice.rate]
    return replace(app, f1=f1)


def _reaches(app: AppOptions, choice: Choice) -> bool:
    return float(app.f1[choice.candidate, choice.rate]) >= app.min_f1 - _ROUNDING


def _possible(problem: Problem, choices: tuple[Choice, ...]) -> bool:
    reached = all(_reaches(app, choice) for app, choice in zip(problem.apps, choices, strict=True))
    return reached and schedule_cost(problem, choices) <= problem.budget + BUDGET_TOLERANCE


def _near(problem: Problem, choices: tuple[Choice, ...], best: Result, objective: Objective, margin: float) -> bool:
    mean, worst = _mean(problem, choices), min(_scores(problem, choices), default=0.0)
    return (objective == "MaxMinF1" or mean >= best.mean_f1 - margin) and (
        objective == "MeanF1" or worst >= best.min_f1 - margin
    )


def _changed(problem: Problem, choices: tuple[Choice, ...], old: Sequence[Choice | None]) -> list[int]:
    return [place for place in range(len(problem.apps)) if choices[place] != old[place]]


def _mean(problem: Problem, choices: tuple[Choice, ...]) -> float:
    total = sum(app.weight for app in problem.apps)
    scores = zip(problem.apps, _scores(problem, choices), strict=True)
    return sum(app.weight * score for app, score in scores) / total if total else 0.0


def _scores(problem: Problem, choices: tuple[Choice, ...]) -> list[float]:
    return [float(app.f1[choice.candidate, choice.rate]) for app, choice in zip(problem.apps, choices, strict=True)]


def _plain(app: AppOptions) -> list[object]:
    tables = [app.f1.tobytes().hex(), app.votes.tobytes().hex(), app.threshold.tobytes().hex()]
    numbers = [seconds.hex() for seconds in app.branch_seconds]
    return [
        *(app.name, app.group, app.depths, numbers, tables, list(app.f1.shape)),
        *(app.weight.hex(), app.min_f1.hex(), app.priority, app.age, app.most_accurate),
    ]
