"""Good schedules to start a search from: staircases priced by a multiplier, put together over stem groups.

Stem groups are coupled by the budget alone (model.md, "Several streams"). For each group a list of schedules is made, its
*columns*: under every staircase of at most two steps and every price of cost, each app takes the option that is worth most
after paying for its branch. The columns that no cheaper one beats are merged group by group within the budget, which also
weighs which stream deserves how much: moves of one app at a time do not find that out.
"""

from itertools import combinations

import numpy as np

from mainstream.scheduling.problem import BUDGET_TOLERANCE
from mainstream.scheduling.search import Array, Indices, Options

_PRICES = 14
_MOST_ELEMENTS = 4_000_000
"""Staircases times apps times options that are looked at for a price; with more, fewer rates make steps."""
_MOST_COLUMNS = 400
_MOST_MERGED = 3000


def column_starts(table: Options, most: int) -> list[Indices]:
    """At most ``most`` schedules within the budget, the best first: an option for each app."""
    rows = np.zeros((1, len(table.weight)), np.int64)
    costs, values = np.zeros(1), np.zeros(1)
    for group in np.unique(table.group):
        members = np.flatnonzero(table.group == group)
        chosen, cost, value = _columns(table, members)
        pairs = np.add.outer(costs, cost).ravel()
        kept = np.flatnonzero(pairs <= table.budget + BUDGET_TOLERANCE)
        totals = np.add.outer(values, value).ravel()
        kept = kept[_frontier(pairs[kept], totals[kept], _MOST_MERGED)]
        rows = rows[kept // len(cost)]
        rows[:, members] = chosen[kept % len(cost)]
        costs, values = pairs[kept], totals[kept]
    return [row.copy() for row in rows[::-1][:most]]


def _columns(table: Options, members: Indices) -> tuple[Indices, Array, Array]:
    """Schedules of a group's apps, ``(columns, members)``, their costs and values, by rising cost."""
    f1, fps, depth = table.f1[members], table.fps[members], table.depth[members]
    branch, weight = table.branch[members], table.weight[members]
    depths = np.unique(depth[np.isfinite(f1)])
    stairs = _staircases(depths, np.unique(fps[np.isfinite(f1)]), f1.size)
    # The rate that a staircase allows at each depth, then at each option.
    allowed = fps[None] <= stairs[:, np.searchsorted(depths, np.where(np.isfinite(f1), depth, depths[0]))]
    allowed &= np.isfinite(f1)[None]
    allowed = allowed[np.all(np.any(allowed, axis=2), axis=1)]
    worth = weight[:, None] * f1
    scale = len(table.weight) / max(table.budget, 1e-9)
    found = []
    for price in (0.0, *np.geomspace(0.02, 20, _PRICES) * scale):
        net = np.where(np.isfinite(worth), worth, 0.0) - price * branch
        found.append(np.unique(np.where(allowed, net[None], -np.inf).argmax(2), axis=0))
    chosen = np.unique(np.concatenate(found), axis=0)
    at = np.arange(len(members))
    value, cost = worth[at, chosen].sum(1), branch[at, chosen].sum(1)
    ends = np.concatenate([[0.0], np.cumsum(table.segments[table.group[members[0]]])])
    for before, after in zip([0, *depths[:-1]], depths, strict=True):
        needed = np.where(depth[at, chosen] >= after, fps[at, chosen], 0.0).max(1)
        cost += (ends[after] - ends[before]) * needed
    kept = _frontier(cost, value, _MOST_COLUMNS)
    return chosen[kept], cost[kept], value[kept]


def _staircases(depths: Indices, rates: Array, options: int) -> Array:
    """``(staircases, depths)``: the highest rate of an option of that depth; inf at depth 0, which needs no stem."""
    steps = len(depths) * (len(depths) + 1) // 2
    while len(rates) > 3 and options * steps * len(rates) * (len(rates) + 1) / 2 > _MOST_ELEMENTS:
        rates = np.unique(np.append(rates[::2], rates[-1]))
    rows = []
    for low, high in [*combinations(rates.tolist(), 2), *((rate, rate) for rate in rates.tolist())]:
        for end in range(len(depths)):
            for bend in range(end + 1) if low < high else (end,):
                row = np.zeros(len(depths))
                row[: end + 1] = low
                row[: bend + 1] = high
                rows.append(row)
    stairs = np.unique(np.array(rows), axis=0)
    stairs[:, depths == 0] = np.inf
    return stairs


def _frontier(costs: Array, values: Array, most: int) -> Indices:
    """Places of those that no cheaper one equals, by rising cost and value; evenly thinned to ``most``, ends kept."""
    order = np.lexsort((-values, costs))
    highest = np.maximum.accumulate(values[order])
    kept: Indices = order[np.append(True, highest[1:] > highest[:-1] + 1e-12)[: len(order)]]
    if len(kept) <= most:
        return kept
    return np.asarray(kept[np.unique(np.linspace(0, len(kept) - 1, most).round().astype(int))])
