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


def listed(table: Table, options: Options, *, most: int = MOST_LISTED) -> Listed | None:
    """All schedules of those options; None where there are more than ``most``."""
    alive = options.alive
    counts = alive.sum(1)
    total = 1
    for count in counts.tolist():
        total *= count
        if total > most:
            return None
    single = np.flatnonzero(counts == 1)
    first = alive.argmax(1)
    chosen = np.tile(first, (total, 1))
    value = np.full(1, options.value[single, first[single]].sum())
    branch = np.full(1, options.branch[single, first[single]].sum())
    stairs = table.staircase(options.depth[single, first[single]], options.rung[single, first[single]])[None]
    segments = np.arange(len(table.segments))
    repeats = total
    for app in np.flatnonzero(counts > 1):
        here = np.flatnonzero(alive[app])
        needs = np.where(segments < options.depth[app, here, None], options.rung[app, here, None], 0)
        repeats //= len(here)
        chosen[:, app] = np.resize(np.repeat(here, repeats), total)
        value = np.add.outer(value, options.value[app, here]).ravel()
        branch = np.add.outer(branch, options.branch[app, here]).ravel()
        stairs = np.maximum(stairs[:, None], needs).reshape(-1, len(segments))
    return Listed(chosen=chosen, value=value, cost=branch + (table.segments * table.fps[stairs]).sum(1))


def best_listed(table: Table, options: Options, goal: Goal) -> Indices | None:
    """The choice of most worth (of equals the cheapest); None where there are too many to list."""
    every = listed(table, options)
    if every is None:
        return None
    worth = goal.worths(every.value, every.cost)
    best: Indices = every.chosen[int(np.lexsort((every.cost, -worth))[0])]
    return best
