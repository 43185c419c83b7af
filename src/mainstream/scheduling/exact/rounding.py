"""Schedules that fit, near a relaxed one."""

import numpy as np

from mainstream.scheduling.exact.boxes import allowed
from mainstream.scheduling.exact.goals import Goal
from mainstream.scheduling.exact.table import Array, Indices, Options, Table

_MOST_FILLS = 8


def under_staircase(
    table: Table, options: Options, staircase: Indices, goal: Goal, *, price: float, floor: float
) -> Indices | None:
    """A good choice under the staircase, or one that is lowered until it fits; None if it cannot be worth more than floor."""
    staircase = _affordable(table, options, staircase, goal)
    value = np.where(allowed(options, staircase), options.value, -np.inf)
    if not np.isfinite(value.max(1)).all():
        return None
    paid = table.stem_cost(staircase)
    relaxed = goal.relax(value, options.branch, paid=paid, price=price)
    if relaxed is None or relaxed.bound <= floor:
        return None
    return filled(value, options.branch, relaxed.fitting, goal.room(paid)) if not goal.attained else relaxed.fitting


def filled(value: Array, cost: Array, chosen: Indices, room: float) -> Indices:
    """Spend what is left of the room on single options, the best gain first."""
    apps = np.arange(len(value))
    chosen = chosen.copy()
    for _ in range(_MOST_FILLS):
        left = room - cost[apps, chosen].sum()
        gain = value - value[apps, chosen][:, None]
        gain[cost - cost[apps, chosen][:, None] > left] = -np.inf
        app, option = divmod(int(gain.argmax()), gain.shape[1])
        if gain[app, option] <= 0:
            break
        chosen[app] = option
    return chosen


def _affordable(table: Table, options: Options, staircase: Indices, goal: Goal) -> Indices:
    """The staircase, its rates lowered in proportion until it fits beside the cheapest branches."""
    room = goal.room(options.cheapest_branches())
    rungs = staircase
    for shrunk in range(len(table.fps), 0, -1):
        rungs = np.searchsorted(table.fps, table.fps[staircase] * (shrunk / len(table.fps)), side="right") - 1
        if table.stem_cost(rungs) <= room:
            break
    return rungs
