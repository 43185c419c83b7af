"""All schedules of a few options, app by app."""

from dataclasses import dataclass

import numpy as np

from mainstream.scheduling.exact.goals import Goal
from mainstream.scheduling.exact.table import Array, Indices, Options, Table

MOST_LISTED = 6000
"""Listing that many schedules costs about as much as bounding a few boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Schedules: ``chosen`` is ``(schedules, apps)``."""

    chosen: Indices
    value: Array
    cost: Array


def listed(
    table: Table, options: Options, *, most: int = MOST_LISTED, slack: Array | None = None, most_slack: float = np.inf
) -> Listed | None:
    """All schedules of those options whose apps' slack adds up to at most ``most_slack``; None if more than ``most``."""
    alive = options.alive
    counts = alive.sum(1)
    if slack is None:
        slack = np.zeros(options.value.shape)
        total = 1
        for count in counts.tolist():
            total *= count
            if total > most:
                return None
    single = np.flatnonzero(counts == 1)
    only = alive.argmax(1)
    segments = np.arange(len(table.segments))
    chosen = only[None]
    value = np.full(1, options.value[single, only[single]].sum())
    branch = np.full(1, options.branch[single, only[single]].sum())
    spent = np.full(1, slack[single, only[single]].sum())
    stairs = table.staircase(options.depth[single, only[single]], options.rung[single, only[single]])[None]
    order = np.argsort(counts, kind="stable")[len(single) :]
    for app in order:
        here = np.flatnonzero(alive[app])
        slacks = np.add.outer(spent, slack[app, here]).ravel()
        kept = np.flatnonzero(slacks <= most_slack)
        if len(kept) > most:
            return None
        before, option = kept // len(here), here[kept % len(here)]
        needs = np.where(segments < options.depth[app, option, None], options.rung[app, option, None], 0)
        value, branch, spent = (
            value[before] + options.value[app, option],
            branch[before] + options.branch[app, option],
            slacks[kept],
        )
        stairs = np.maximum(stairs[before], needs)
        chosen = chosen[before]
        chosen[:, app] = option
    return Listed(chosen=chosen, value=value, cost=branch + (table.segments * table.fps[stairs]).sum(1))


def best_listed(table: Table, options: Options, goal: Goal) -> Indices | None:
    """The choice of most worth (of equals the cheapest); None where there are too many to list."""
    every = listed(table, options)
    if every is None:
        return None
    worth = goal.worths(every.value, every.cost)
    best: Indices = every.chosen[int(np.lexsort((every.cost, -worth))[0])]
    return best
