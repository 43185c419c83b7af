"""Best-first branch and bound over boxes of staircases: the best schedule of one stem group for a goal (model.md).

Each box is bounded (``shares``, ``goals``) and loses the options that cannot be part of anything better than the best known
schedule; schedules near the relaxed one are offered; what is left is split where the relaxed solution's own staircase costs
most beyond lo. The box with the highest bound is looked at next; the search ends when that is not above the best.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mainstream.scheduling.exact.boxes import Box, exceeds, parts, root, tighten
from mainstream.scheduling.exact.enumeration import best_listed
from mainstream.scheduling.exact.goals import Goal
from mainstream.scheduling.exact.knapsack import TooManyChoicesError, best_choice
from mainstream.scheduling.exact.rounding import under_staircase
from mainstream.scheduling.exact.shares import Shares, Surcharges
from mainstream.scheduling.exact.table import Array, Indices, Options, Table

_TURNS = 4
_MORE_ROUNDS = 5
_WORTHWHILE = 0.2
"""The root is bounded again while that closes this share of the gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop without proof."""

    boxes: int = 100_000
    stop: Callable[[], bool] = field(default=lambda: False)
    """Asked before each box: a clock, as a safety."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``worth`` of the best schedule found and ``places`` of its options; no schedule is worth more than ``bound``."""

    worth: float
    places: Indices | None
    bound: float
    price: float
    """Value per cost at the root's relaxation."""
    boxes: int


class Seen(Protocol):
    """Is told of schedules that the search comes by, whether they fit or not."""

    def __call__(self, *, value: float, cost: float, places: Indices) -> None: ...


class Search:
    """``run`` it once. ``best`` is the worth to beat; schedules are better if they beat it by more than ``tolerance``.

    It ends with the first schedule that is worth ``enough``: then the bound says nothing.
    """

    def __init__(
        self,
        table: Table,
        goal: Goal,
        *,
        tolerance: float,
        limits: Limits,
        best: float = -np.inf,
        enough: float = np.inf,
        shares: Shares | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.table, self.goal, self.tolerance, self.limits = table, goal, tolerance, limits
        self.best, self.enough, self.places = best, enough, np.zeros(0, np.int64)
        self.boxes = 0
        self.shares = shares
        """The root's, as a start for a search of the same table and room at another price."""
        self._seen = seen
        self._apps = np.arange(len(table.options.value))

    def run(self) -> Found:
        first = root(self.table)
        if self.shares is not None:
            first.shares = self.shares
        queue: list[tuple[float, int, Box]] = []
        pushed = 0
        if self._bounded(first):
            self.shares = first.shares
            if self._bounded_again(first):
                heapq.heappush(queue, (-first.bound, pushed, first))
        bound = -np.inf
        while queue and -queue[0][0] > self.best + self.tolerance and self.best < self.enough:
            if self.boxes >= self.limits.boxes or self.limits.stop():
                bound = max(bound, -queue[0][0])
                break
            _, _, box = heapq.heappop(queue)
            try:
                children = self._split(box)
            except TooManyChoicesError:
                bound, children = max(bound, box.bound), ()
            for child in children:
                if self._bounded(child):
                    pushed += 1
                    heapq.heappush(queue, (-child.bound, pushed, child))
        return Found(
            worth=self.best,
            places=self.places if len(self.places) else None,
            bound=max(bound, self.best + self.tolerance),
            price=first.price,
            boxes=self.boxes,
        )

    def _bounded_again(self, box: Box) -> bool:
        """Bound the root anew with the options that are left, while that closes much of the gap."""
        for _ in range(_MORE_ROUNDS):
            before = box.bound
            if not exceeds(box, self.table, box.staircase):
                break
            if not self._bounded(box):
                return False
            if before - box.bound < _WORTHWHILE * (before - self.best):
                break
        return True

    def _bounded(self, box: Box) -> bool:
        """Bound the box and drop what cannot be part of anything better; False if nothing in it can."""
        if not tighten(box, self.table, self.goal):
            return False
        self.boxes += 1
        options, paid = box.options, self.table.stem_cost(box.lo)
        surcharges = Surcharges(self.table, options, box.shares, paid=box.lo, highest=box.hi)
        reduced, least = options.value, np.inf
        for turn in range(_TURNS):
            cost = options.branch + surcharges.of_options()
            relaxed = self.goal.relax(options.value, cost, paid=paid, price=box.price)
            if relaxed is None:
                return False
            box.price = relaxed.price
            if relaxed.bound < least:
                least, reduced = relaxed.bound, options.value - relaxed.price * cost
                box.bound = min(box.bound, least)
            box.staircase = np.minimum(self._staircase(options, relaxed.chosen), box.hi)
            free = not exceeds(box, self.table, box.staircase)
            self._offer(options, relaxed.fitting)
            if free or turn in (0, _TURNS - 1):
                self._offer_under(box)
            if box.bound <= self.best + self.tolerance:
                return False
            if free:
                break
            surcharges.turn(relaxed.chosen)
        box.shares = surcharges.shares
        return self._pruned(box, reduced, least)

    def _pruned(self, box: Box, reduced: Array, bound: float) -> bool:
        """Drop options that cannot be part of anything better; list the schedules of a box with few (then False).

        With an option, the bound is lower by what the app's best reduced value is above that option's.
        """
        slack = reduced.max(1)[:, None] - reduced
        narrower = box.options.only(box.options.alive & (slack <= bound - self.best - self.tolerance))
        if narrower is None:
            return False
        box.options = narrower
        listed = best_listed(self.table, box.options, self.goal)
        if listed is not None:
            self._offer(box.options, listed)
        return listed is None

    def _split(self, box: Box) -> tuple[Box, ...]:
        """The two parts of the box; none if it is settled."""
        if exceeds(box, self.table, box.staircase):
            return parts(box, self.table, box.staircase)
        staircase = self._settled(box)
        return () if staircase is None else parts(box, self.table, staircase)

    def _settled(self, box: Box) -> Indices | None:
        """For a box whose relaxed schedule needs no more than is paid for: None if it holds nothing better any more.

        Without surcharges it is a multiple-choice knapsack in the room that lo leaves. Its optimum is worth at least as much as
        any schedule of the box, and is one itself if it fits with its own staircase. If not, that says where to split.
        """
        if self.goal.attained:
            return None
        options, paid = box.options, self.table.stem_cost(box.lo)
        relaxed = self.goal.relax(options.value, options.branch, paid=paid, price=box.price)
        if relaxed is None or relaxed.bound <= self.best + self.tolerance:
            return None
        self._offer(options, relaxed.fitting)
        floor = self.best + self.tolerance
        chosen = best_choice(options.value, options.branch, room=self.goal.room(paid), price=relaxed.price, floor=floor)
        if chosen is None or self._offer(options, chosen):
            return None
        return np.minimum(self._staircase(options, chosen), box.hi)

    def _staircase(self, options: Options, chosen: Indices) -> Indices:
        return self.table.staircase(options.depth[self._apps, chosen], options.rung[self._apps, chosen])

    def _offer(self, options: Options, chosen: Indices) -> bool:
        """Remember the schedule if it is better than the best known; False if it does not fit."""
        value = float(options.value[self._apps, chosen].sum())
        cost = float(options.branch[self._apps, chosen].sum()) + self.table.stem_cost(self._staircase(options, chosen))
        worth = self.goal.worth(value, cost)
        if self._seen is not None:
            self._seen(value=value, cost=cost, places=options.place[self._apps, chosen])
        if worth > self.best:
            self.best, self.places = worth, options.place[self._apps, chosen]
        return worth > -np.inf

    def _offer_under(self, box: Box) -> None:
        chosen = under_staircase(self.table, box.options, box.staircase, self.goal, price=box.price, floor=self.best)
        if chosen is not None:
            self._offer(box.options, chosen)
