"""Several stem groups under one budget: the best schedule of each is priced, what lies between prices is asked for.

Groups are coupled by the budget alone. At a price of cost each group's best schedule (value less price times cost) is found by
itself, and what those are worth plus price times budget is a bound on the whole: a schedule that fits costs at most the budget.
The schedules found are put together by a linear program over one variable, whose price is asked about next; when both meet,
no price gives a lower bound (column generation).

What is left is a gap, since a group may have nothing good at a cost in between two of its schedules. It is closed by asking:
from what is known of each group (``frontier``), the best that one may hope for is a knapsack. Where its choice hopes for more
than was seen, that group is solved within that very budget. Each answer rules out the hope or finds the schedule.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from mainstream.scheduling.exact.frontier import Items
from mainstream.scheduling.exact.goals import Relaxed, WithinBudget
from mainstream.scheduling.exact.group import Group, cheapest_schedule
from mainstream.scheduling.exact.knapsack import TooManyChoicesError, best_choice
from mainstream.scheduling.exact.rounding import filled
from mainstream.scheduling.exact.search import Limits, Search
from mainstream.scheduling.exact.table import Array, Indices, Table

_MOST_PRICES = 40
_ASKED_AT_ONCE = 3
_EFFORT = 20_000
"""Boxes times apps that are spent on closing the gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """``places`` of each group's options and their ``value`` in sum; no schedule has more value than ``bound``."""

    value: float
    places: tuple[Indices, ...]
    bound: float
    price: float
    boxes: int


def best_combination(tables: Sequence[Table], capacity: float, *, tolerance: float, limits: Limits) -> Combined | None:
    """The schedule of most value within the capacity, up to the tolerance unless cut off; None where nothing fits."""
    if len(tables) == 1:
        return _alone(tables[0], capacity, tolerance, limits)
    if all(len(table.options.value) == 1 for table in tables):
        return _separate(tables, capacity)
    cheapest = [cheapest_schedule(table, limits) for table in tables]
    spare = capacity + sum(found.worth for found in cheapest)
    if spare < 0 or any(found.places is None for found in cheapest):
        return None
    groups = [
        Group(
            table, found.places, lowest=-found.worth, most=-found.worth + spare, tolerance=tolerance / (3 * len(tables))
        )
        for table, found in zip(tables, cheapest, strict=True)
        if found.places is not None
    ]
    streams = _Streams(groups, capacity, tolerance, limits)
    streams.run()
    return Combined(
        value=streams.value,
        places=streams.places,
        bound=max(streams.bound, streams.value),
        price=streams.price,
        boxes=streams.boxes + sum(found.boxes for found in cheapest),
    )


def _alone(table: Table, capacity: float, tolerance: float, limits: Limits) -> Combined | None:
    found = Search(table, WithinBudget(capacity), tolerance=tolerance, limits=limits).run()
    if found.places is None:
        return None
    return Combined(value=found.worth, places=(found.places,), bound=found.bound, price=found.price, boxes=found.boxes)


def _separate(tables: Sequence[Table], capacity: float) -> Combined | None:
    """Groups of one app each: costs just add up, so it is a knapsack."""
    columns = []
    for table in tables:
        options = table.options
        depth, rung = options.depth[0], options.rung[0]
        ends = np.append(0.0, np.cumsum(table.segments))
        columns.append((options.value[0], options.branch[0] + ends[depth] * table.fps[rung]))
    value, cost = _padded(columns)
    relaxed = WithinBudget(capacity).relax(value, cost, paid=0.0, price=0.0)
    if relaxed is None:
        return None
    rows = np.arange(len(tables))
    chosen, bound = filled(value, cost, relaxed.fitting, capacity), relaxed.bound
    try:
        floor = float(value[rows, chosen].sum())
        better = best_choice(value, cost, room=capacity, price=relaxed.price, floor=floor)
        chosen = chosen if better is None else better
        bound = float(value[rows, chosen].sum())
    except TooManyChoicesError:
        pass
    return Combined(
        value=float(value[rows, chosen].sum()),
        places=tuple(table.options.place[:, at] for table, at in zip(tables, chosen, strict=True)),
        bound=bound,
        price=relaxed.price,
        boxes=1,
    )


class _Streams:
    def __init__(self, groups: list[Group], capacity: float, tolerance: float, limits: Limits) -> None:
        self.groups, self.capacity, self.tolerance, self.limits = groups, capacity, tolerance, limits
        self.value, self.costs = -np.inf, np.zeros(len(groups))
        self.places: tuple[Indices, ...] = ()
        self.bound, self.price = np.inf, 0.0
        self._worths = [np.inf] * len(groups)
        self._priced = np.inf

    def run(self) -> None:
        self._price_out()
        self._combine()
        if self._open():
            self._narrow()
            self._fill()
        if self._open():
            self._narrow()
            self._close()

    @property
    def boxes(self) -> int:
        return sum(group.boxes for group in self.groups)

    def _price_out(self) -> None:
        """Ask all groups at the price that the schedules seen suggest, until they know nothing better at that price."""
        for _ in range(_MOST_PRICES):
            seen = self._relaxed([(group.frontier.value, group.frontier.cost) for group in self.groups])
            if seen is None:
                return
            worths = [group.worth(seen.price, self.limits) for group in self.groups]
            bound = sum(worths) + seen.price * self.capacity
            if bound < self._priced:
                self._priced, self.price, self._worths = bound, seen.price, worths
            if seen.price == 0 or bound <= seen.bound + self.tolerance or self._stopped():
                break
        self.bound = self._priced

    def _combine(self) -> None:
        """The best combination of schedules seen."""
        columns = [(group.frontier.value, group.frontier.cost) for group in self.groups]
        relaxed = self._relaxed(columns)
        if relaxed is None:
            return
        value, cost = _padded(columns)
        rows = np.arange(len(columns))
        floor = max(self.value, float(value[rows, relaxed.fitting].sum()))
        chosen = relaxed.fitting
        with suppress(TooManyChoicesError):
            better = best_choice(value, cost, room=self.capacity, price=relaxed.price, floor=floor)
            chosen = chosen if better is None else better
        total = float(value[rows, chosen].sum())
        if total > self.value:
            self.value, self.costs = total, cost[rows, chosen]
            self.places = tuple(group.frontier.places(int(at)) for group, at in zip(self.groups, chosen, strict=True))

    def _fill(self) -> None:
        """Ask each group alone what it makes of what the others leave."""
        before = -np.inf
        while self.value > before + self.tolerance and not self._stopped():
            before, left = self.value, self.capacity - float(self.costs.sum())
            for group, cost in zip(self.groups, self.costs.tolist(), strict=True):
                group.ask(cost + left, self.limits)
            self._combine()

    def _close(self) -> None:
        """Ask about what may be hoped for, until that is nothing or the effort is spent."""
        most = self._effort() + _EFFORT
        while self._effort() < most and self._open() and not self._stopped():
            hopes = [
                group.frontier.hopes(price=self.price, worth=floor, tolerance=group.tolerance)
                for group, floor in zip(self.groups, self._floors(), strict=True)
            ]
            try:
                chosen = self._hoped(hopes)
            except TooManyChoicesError:
                return
            if chosen is None:
                self.bound = self.value + self.tolerance
                return
            picked = [
                (items.value[at], items.known[at], items.within[at]) for items, at in zip(hopes, chosen, strict=True)
            ]
            self.bound = min(self.bound, float(sum(value for value, _, _ in picked)) + self.tolerance)
            unseen = [(float(known - value), place) for place, (value, known, _) in enumerate(picked) if known < value]
            for _, place in sorted(unseen)[:_ASKED_AT_ONCE]:
                self.groups[place].ask(float(picked[place][2]), self.limits)
            self._combine()

    def _hoped(self, hopes: Sequence[Items]) -> Indices | None:
        """The best combination of hopes, if that is better than the best schedule."""
        columns = [(items.value, items.cost) for items in hopes]
        relaxed = self._relaxed(columns) if all(len(value) for value, _ in columns) else None
        if relaxed is None:
            return None
        value, cost = _padded(columns)
        floor = self.value + self.tolerance / 3
        return best_choice(value, cost, room=self.capacity, price=relaxed.price, floor=floor)

    def _narrow(self) -> None:
        for group, floor in zip(self.groups, self._floors(), strict=True):
            group.narrow(self.price, floor)
        self._combine()

    def _floors(self) -> list[float]:
        """What each group must be worth at the price for the whole to be better than the best schedule."""
        gap = self._priced - self.value
        return [worth - gap for worth in self._worths]

    def _relaxed(self, columns: Sequence[tuple[Array, Array]]) -> Relaxed | None:
        value, cost = _padded(columns)
        return WithinBudget(self.capacity).relax(value, cost, paid=0.0, price=self.price)

    def _effort(self) -> int:
        return sum(group.effort for group in self.groups)

    def _open(self) -> bool:
        return self.bound > self.value + self.tolerance

    def _stopped(self) -> bool:
        return self.boxes >= self.limits.boxes or self.limits.stop()


def _padded(columns: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    width = max(len(value) for value, _ in columns)
    values, costs = np.full((len(columns), width), -np.inf), np.zeros((len(columns), width))
    for row, (value, cost) in enumerate(columns):
        values[row, : len(value)] = value
        costs[row, : len(cost)] = cost
    return values, costs
