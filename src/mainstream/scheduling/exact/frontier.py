"""What is known about the most value that one stem group can have at a cost: schedules that were seen, and bounds.

Bounds are *lines* (at a price no schedule is worth more than so much: value <= worth + price * cost) and *ceilings* (within a
budget no schedule has more value than so much). Between them and the schedules seen lies what is still open.
"""

from dataclasses import dataclass

import numpy as np

from mainstream.scheduling.exact.table import Array, Indices

_PIECES = 64
"""Into which the range of costs is cut where a bound rises along a line."""


def undominated(value: Array, cost: Array) -> Indices:
    """Places of those that no cheaper one equals in value, by rising cost."""
    order = np.lexsort((-value, cost))
    highest = np.maximum.accumulate(value[order])
    kept: Indices = order[np.append(True, highest[1:] > highest[:-1])[: len(order)]]
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """What a group may hope for, by rising cost. Where ``value`` is above ``known``, it is not known to be reached."""

    value: Array
    cost: Array
    within: Array
    """The budget within which the value is not ruled out."""
    known: Array
    """The most value of a schedule seen within that."""


class Frontier:
    """Of one group, for costs from its cheapest schedule's to the most that the other groups leave it."""

    def __init__(self, *, lowest: float, most: float) -> None:
        self.lowest, self.most = lowest, most
        self.value, self.cost = np.zeros(0), np.zeros(0)
        self._places: list[Indices] = []
        self._seen: list[tuple[float, float, Indices]] = []
        self._lines: list[tuple[float, float]] = []
        self._ceilings: dict[float, float] = {most: np.inf}
        self.complete = False
        """Whether all schedules that matter were seen."""

    def see(self, *, value: float, cost: float, places: Indices) -> None:
        """A schedule."""
        self._seen.append((value, cost, places))

    def sort(self) -> None:
        """Take in what was seen; of schedules that matter one is kept for each value."""
        value = np.concatenate([self.value, [one[0] for one in self._seen]])
        cost = np.concatenate([self.cost, [one[1] for one in self._seen]])
        places = self._places + [one[2] for one in self._seen]
        kept = undominated(value, cost)
        self.value, self.cost = value[kept], cost[kept]
        self._places = [places[int(at)] for at in kept]
        self._seen = []

    def places(self, at: int) -> Indices:
        """The options of the schedule with ``value[at]``."""
        return self._places[at]

    def line(self, *, worth: float, price: float) -> None:
        """No schedule is worth more than that at the price."""
        self._lines.append((worth, price))

    def ceiling(self, *, budget: float, value: float) -> None:
        """No schedule that costs at most the budget has more value."""
        self._ceilings[budget] = min(value, self._ceilings.get(budget, np.inf))

    def hopes(self, *, price: float, worth: float, tolerance: float) -> Items:
        """Items that are together at least as good as any schedule of this worth at the price.

        A schedule whose cost lies between two of the costs below has at most the value that is allowed at the upper one, and
        costs at least the lower one.
        """
        own = Items(value=self.value, cost=self.cost, within=self.cost, known=self.value)
        if not self.complete:
            budgets = np.array(sorted(self._ceilings))
            values = np.minimum.accumulate(np.array([self._ceilings[budget] for budget in budgets])[::-1])[::-1]
            costs = np.unique(
                np.concatenate(
                    [np.linspace(self.lowest, self.most, _PIECES + 1), self.cost[self.cost <= self.most], budgets]
                )
            )
            allowed = values[np.searchsorted(budgets, costs)]
            for line_worth, line_price in self._lines:
                allowed = np.minimum(allowed, line_worth + line_price * costs)
            known = self.value[np.maximum(np.searchsorted(self.cost, costs, side="right") - 1, 0)]
            unsettled = np.flatnonzero(allowed[1:] > known[1:] + tolerance) + 1
            own = Items(
                value=np.concatenate([self.value, allowed[unsettled]]),
                cost=np.concatenate([self.cost, costs[unsettled - 1]]),
                within=np.concatenate([self.cost, costs[unsettled]]),
                known=np.concatenate([self.value, known[unsettled]]),
            )
        near = np.flatnonzero(own.value - price * own.cost >= worth)
        kept = near[undominated(own.value[near], own.cost[near])]
        return Items(value=own.value[kept], cost=own.cost[kept], within=own.within[kept], known=own.known[kept])
