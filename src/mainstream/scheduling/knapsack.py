"""The best schedule where nothing is shared: a multiple-choice knapsack, solved exactly.

With every app in a stem group of its own, costs just add up. Options that cannot be part of a schedule better than a known one
are dropped by their reduced value (value minus price times cost; the price is the dual of the linear relaxation); the rest is
merged app by app, keeping of the partial schedules those that no cheaper one beats.
"""

from collections.abc import Sequence

import numpy as np

from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Problem
from mainstream.scheduling.search import Array, Indices

_TOLERANCE = 1e-12

_MOST_PARTIAL = 300_000
"""More partial schedules than this are not kept: then the known schedule stands, unproven."""


def best_separate(problem: Problem, known: Sequence[Choice]) -> tuple[tuple[Choice, ...], bool]:
    """The best schedule of apps that have a stem group each, and whether that is proven; ``known`` is one that fits."""
    if not problem.apps:
        return (), True
    if len({app.group for app in problem.apps}) < len(problem.apps):
        raise ValueError("Expected a stem group for each app")
    rows = []
    for app in problem.apps:
        group = problem.groups[app.group]
        fps = np.array([float(rate) for rate in group.rates])
        whole = np.array(app.branch_seconds) + [sum(group.segment_seconds[:depth]) for depth in app.depths]
        places = np.argwhere(app.f1 >= app.min_f1 - _TOLERANCE)
        rows.append((places, app.weight * app.f1[tuple(places.T)], whole[places[:, 0]] * fps[places[:, 1]]))
    floor = sum(
        app.weight * float(app.f1[choice.candidate, choice.rate])
        for app, choice in zip(problem.apps, known, strict=True)
    )
    found, proven = _knapsack(
        [value for _, value, _ in rows], [cost for _, _, cost in rows], problem.budget + BUDGET_TOLERANCE, floor
    )
    if found is None:
        return tuple(known), proven
    chosen = (places[option].tolist() for (places, _, _), option in zip(rows, found, strict=True))
    return tuple(Choice(candidate=candidate, rate=rate) for candidate, rate in chosen), proven


def _knapsack(values: list[Array], costs: list[Array], budget: float, floor: float) -> tuple[list[int] | None, bool]:
    """An option of each app with more value than ``floor`` (None if there is none) within the budget; is that proven?"""
    price = _price(values, costs, budget)
    reduced = [value - price * cost for value, cost in zip(values, costs, strict=True)]
    most = np.array([row.max() for row in reduced])
    gap = price * budget + most.sum() - floor
    kept = [np.flatnonzero(row >= top - gap) for row, top in zip(reduced, most, strict=True)]
    order = sorted(range(len(values)), key=lambda app: len(kept[app]))
    cheapest = np.array([costs[app][kept[app]].min(initial=np.inf) for app in order])
    later_cost = np.append(np.cumsum(cheapest[::-1])[::-1], 0.0)
    later_most = np.append(np.cumsum(most[order][::-1])[::-1], 0.0)
    cost, value = np.zeros(1), np.zeros(1)
    steps: list[tuple[Indices, Indices]] = []
    for step, app in enumerate(order, start=1):
        options = kept[app]
        costs_here = (cost[:, None] + costs[app][options]).ravel()
        values_here = (value[:, None] + values[app][options]).ravel()
        hope = values_here + later_most[step] + price * (budget - costs_here)
        alive = np.flatnonzero((costs_here + later_cost[step] <= budget) & (hope > floor + _TOLERANCE))
        alive = alive[np.lexsort((-values_here[alive], costs_here[alive]))]
        highest = np.maximum.accumulate(values_here[alive])
        alive = alive[np.append(True, highest[1:] > highest[:-1])[: len(alive)]]
        if len(alive) == 0:
            return None, True
        if len(alive) > _MOST_PARTIAL:
            return None, False
        steps.append((alive // len(options), options[alive % len(options)]))
        cost, value = costs_here[alive], values_here[alive]
    found = [0] * len(values)
    at = len(cost) - 1
    for app, (before, option) in zip(reversed(order), reversed(steps), strict=True):
        found[app] = int(option[at])
        at = int(before[at])
    return found, True


def _price(values: list[Array], costs: list[Array], budget: float) -> float:
    """The price of cost at which the relaxation's bound is lowest, by bisection over its slope."""
    low, high = 0.0, 1.0

    def spent(price: float) -> float:
        return sum(float(cost[int((value - price * cost).argmax())]) for value, cost in zip(values, costs, strict=True))

    if spent(low) <= budget:
        return low
    while spent(high) > budget and high < 1e12:
        high *= 4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > budget else (low, middle)
    return high
