"""The multiple-choice knapsack: one option of each app, most value within the room. Exact."""

import numpy as np

from mainstream.scheduling.exact.table import Array, Indices

_ROUNDING = 1e-12

_MOST_PARTIAL = 300_000
"""Partial choices that are kept; the hardest of the conformance vectors needs a few thousand."""


class TooManyChoicesError(Exception):
    """More partial choices than are kept: there is no answer."""


def best_choice(value: Array, cost: Array, *, room: float, price: float, floor: float) -> Indices | None:
    """The choice of most value if that is more than ``floor``, else None (``TooManyChoicesError``).

    ``price`` is the dual of the relaxation.

    ``value`` and ``cost`` are ``(apps, options)``, padded with values of -inf.

    Of an app only those options are looked at whose value less price times cost is so near the app's best that a schedule with
    them can still beat the floor. Partial choices are merged app by app. One is dropped that another one beats (as cheap, at
    least as valuable), that leaves too little room, or whose value plus the bound on the rest is not above the floor.
    """
    room -= _ROUNDING * max(1.0, abs(room))
    reduced = value - price * cost
    best = reduced.max(1)
    gap = price * room + float(best.sum()) - floor
    if gap <= 0:
        return None
    near = reduced > (best - gap)[:, None]
    counts = near.sum(1)
    chosen: Indices = np.where(near, reduced, -np.inf).argmax(1)
    single = counts == 1
    apps = np.arange(len(counts))
    several = [int(app) for app in np.argsort(counts, kind="stable") if counts[app] > 1]
    spent = np.array([float(cost[apps[single], chosen[single]].sum())])
    gained = np.array([float(value[apps[single], chosen[single]].sum())])
    cheapest = np.where(near, cost, np.inf).min(1)[several]
    later_cost = np.append(np.cumsum(cheapest[::-1])[::-1], 0.0)
    later_best = np.append(np.cumsum(best[several][::-1])[::-1], 0.0)
    steps: list[tuple[Indices, Indices]] = []
    for step, app in enumerate(several, start=1):
        here = np.flatnonzero(near[app])
        costs = np.add.outer(cost[app, here], spent).ravel()
        values = np.add.outer(value[app, here], gained).ravel()
        hope = values + later_best[step] + price * (room - costs)
        kept = np.flatnonzero((costs + later_cost[step] <= room) & (hope > floor))
        kept = kept[np.argsort(costs[kept], kind="stable")]  # each option's costs rise already: runs that are merged
        highest = np.maximum.accumulate(values[kept])
        kept = kept[np.append(True, highest[1:] > highest[:-1])[: len(kept)]]
        if len(kept) == 0:
            return None
        if len(kept) > _MOST_PARTIAL:
            raise TooManyChoicesError
        steps.append((kept % len(spent), here[kept // len(spent)]))
        spent, gained = costs[kept], values[kept]
    at = len(spent) - 1
    if spent[at] > room or gained[at] <= floor:
        return None
    for app, (before, option) in zip(reversed(several), reversed(steps), strict=True):
        chosen[app] = option[at]
        at = int(before[at])
    return chosen
