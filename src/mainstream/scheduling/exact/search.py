"""Best-first branch and bound over boxes of staircases: one stem group, the best schedule for a goal (model.md).

A box holds the schedules whose staircase lies between ``lo`` and ``hi`` (in this sense: lo is paid for whatever is chosen, and
options above hi are not allowed), and of these only the ones that can be better than the best known schedule. Each box is
bounded (``shares``, ``goals``), loses the options that cannot be part of anything better, offers the schedules that the bound
is made of, and is split where the relaxed solution's own staircase costs most beyond lo. The highest bound is looked at next.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mainstream.scheduling.exact.enumeration import best_listed
from mainstream.scheduling.exact.goals import Goal, Relaxed
from mainstream.scheduling.exact.knapsack import best_choice
from mainstream.scheduling.exact.shares import Shares, Surcharges
from mainstream.scheduling.exact.table import Array, Flags, Indices, Options, Table

_FIRST_TURNS = 16
_TURNS = 4
_MOST_FILLS = 8
_WORTHWHILE = 0.1
"""Turns go on while four of them close this share of the gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop without proof."""

    boxes: int = 100_000
    stop: Callable[[], bool] = field(default=lambda: False)
    """Asked now and then: a clock, as a safety."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``worth`` of the best schedule known, ``places`` of its options; no schedule is worth more than ``bound``."""

    worth: float
    places: Indices | None
    bound: float
    price: float
    boxes: int


@dataclass(slots=True)
class _Box:
    lo: Indices
    hi: Indices
    options: Options
    shares: Shares
    price: float
    bound: float
    staircase: Indices


class Search:
    """``run`` it once. ``best`` is the worth that must be beaten; schedules are better if they beat it by ``tolerance``."""

    def __init__(self, table: Table, goal: Goal, *, tolerance: float, limits: Limits, best: float = -np.inf) -> None:
        self.table, self.goal, self.tolerance, self.limits = table, goal, tolerance, limits
        self.best = best
        self.places: Indices | None = None
        self.boxes = 0
        self._apps = np.arange(len(table.options.value))

    def run(self) -> Found:
        table = self.table
        segments, rungs = len(table.segments), len(table.fps) - 1
        root = _Box(
            lo=np.zeros(segments, np.int64),
            hi=np.full(segments, rungs),
            options=table.options,
            shares=Shares.equal(len(self._apps), segments, rungs),
            price=0.0,
            bound=np.inf,
            staircase=np.zeros(segments, np.int64),
        )
        queue: list[tuple[float, int, _Box]] = []
        price = 0.0
        pushed = 0
        if self._bounded(root, _FIRST_TURNS):
            heapq.heappush(queue, (-root.bound, 0, root))
            price = root.price
        while queue and -queue[0][0] > self.best + self.tolerance:
            if self.boxes >= self.limits.boxes or self.limits.stop():
                return self._found(-queue[0][0], price)
            _, _, box = heapq.heappop(queue)
            for child in self._split(box):
                if self._bounded(child, _TURNS):
                    pushed += 1
                    heapq.heappush(queue, (-child.bound, pushed, child))
        return self._found(self.best + self.tolerance, price)

    def _found(self, bound: float, price: float) -> Found:
        return Found(worth=self.best, places=self.places, bound=bound, price=price, boxes=self.boxes)

    def _bounded(self, box: _Box, turns: int) -> bool:
        """Bound the box and drop what cannot be part of anything better; False if nothing in it can."""
        if not self._tighten(box):
            return False
        self.boxes += 1
        table, goal = self.table, self.goal
        options, paid = box.options, table.stem_cost(box.lo)
        surcharges = Surcharges(table, options, box.shares, paid=box.lo, highest=box.hi)
        reduced, least, before = options.value, np.inf, np.inf
        for turn in range(turns):
            cost = options.branch + surcharges.of_options()
            relaxed = goal.relax(options.value, cost, paid=paid, price=box.price)
            if relaxed is None:
                return False
            box.price = relaxed.price
            if relaxed.bound < least:
                least, reduced = relaxed.bound, options.value - relaxed.price * cost
                box.bound = min(box.bound, least)
            staircase = np.minimum(self._staircase(options, relaxed.chosen), box.hi)
            self._offer_around(box, relaxed, staircase, thoroughly=turn in (0, turns - 1))
            if box.bound <= self.best + self.tolerance:
                return False
            box.staircase = staircase
            if (staircase <= box.lo).all() or turn == turns - 1:
                break
            if turn % 4 == 3:
                if before - least < _WORTHWHILE * (least - self.best):
                    break
                before = least
            surcharges.turn(relaxed.chosen)
        box.shares = surcharges.shares
        return self._pruned(box, reduced, least)

    def _tighten(self, box: _Box) -> bool:
        """Raise lo to what every schedule of the box needs, lower hi to what its options and the room allow; False: empty.

        An app needs at least the least depth at the least rung of its options. Raising a segment raises all before it, and that
        must fit in the room that the cheapest branches leave.
        """
        table = self.table
        while True:
            options = box.options
            alive = options.alive
            if not alive.any(1).all():
                return False
            least = table.staircase(
                np.where(alive, options.depth, len(table.segments)).min(1),
                np.where(alive, options.rung, len(table.fps)).min(1),
            )
            most = table.staircase(options.depth[alive], options.rung[alive])
            lo, hi = np.maximum(box.lo, least), np.minimum(box.hi, most)
            room = self.goal.room(float(np.where(alive, options.branch, np.inf).min(1).sum()) + table.stem_cost(lo))
            if room < np.inf:
                if room < 0:
                    return False
                raised = np.maximum(0.0, table.fps - table.fps[lo][:, None])
                needed = np.cumsum(table.segments[:, None] * raised, axis=0)
                hi = np.minimum.accumulate(np.minimum(hi, (needed <= room).sum(1) - 1))
            if (hi < lo).any():
                return False
            box.lo, box.hi = lo, hi
            kept = alive & _allowed(options, hi)
            if kept.sum() == alive.sum():
                return True
            narrower = options.only(kept)
            if narrower is None:
                return False
            box.options = narrower

    def _pruned(self, box: _Box, reduced: Array, bound: float) -> bool:
        """Drop options whose taking costs more of the bound than there is to gain; settle a box with few schedules left.

        With an option the bound is lower by what the app's best reduced value is above that option's.
        """
        slack = np.where(box.options.alive, reduced.max(1)[:, None] - reduced, np.inf)
        gap = bound - self.best - self.tolerance
        if gap < np.inf:
            narrower = box.options.only(slack <= gap)
            if narrower is None:
                return False
            box.options = narrower
        listed = best_listed(self.table, box.options, self.goal)
        if listed is None:
            return True
        self._offer(box.options, listed)
        return False

    def _split(self, box: _Box) -> tuple[_Box, ...]:
        """The two halves of the box; none if it is settled."""
        table = self.table
        excess = table.stem_cost_by_segment(box.staircase) - table.stem_cost_by_segment(box.lo)
        if excess.max(initial=0.0) <= 0:
            staircase = self._settled(box)
            if staircase is None:
                return ()
            excess = table.stem_cost_by_segment(staircase) - table.stem_cost_by_segment(box.lo)
            box.staircase = staircase
        at = int(excess.argmax())
        fps = table.fps
        middle = int((fps <= (fps[box.lo[at]] + fps[box.staircase[at]]) / 2).sum()) - 1
        lower, upper = box.hi.copy(), box.lo.copy()
        lower[at:] = np.minimum(lower[at:], middle)
        upper[: at + 1] = np.maximum(upper[: at + 1], middle + 1)
        return self._child(box, box.lo, lower), self._child(box, upper, box.hi)

    def _settled(self, box: _Box) -> Indices | None:
        """For a box whose relaxed schedule needs no more than what is paid: None if it holds nothing better any more.

        Without surcharges the box is a multiple-choice knapsack in the room that lo leaves: its optimum is worth at least as
        much as any schedule of the box, and is one itself if its own staircase fits. If not, that staircase says where to split.
        """
        if self.goal.attained:
            return None
        options, paid = box.options, self.table.stem_cost(box.lo)
        relaxed = self.goal.relax(options.value, options.branch, paid=paid, price=box.price)
        if relaxed is None or relaxed.bound <= self.best + self.tolerance:
            return None
        self._offer(options, relaxed.fitting)
        chosen = best_choice(options, room=self.goal.room(paid), price=relaxed.price, floor=self.best + self.tolerance)
        if chosen is None or self._offer(options, chosen):
            return None
        return np.minimum(self._staircase(options, chosen), box.hi)

    def _child(self, box: _Box, lo: Indices, hi: Indices) -> _Box:
        return _Box(
            lo=lo,
            hi=hi,
            options=box.options,
            shares=box.shares,
            price=box.price,
            bound=box.bound,
            staircase=box.staircase,
        )

    def _staircase(self, options: Options, chosen: Indices) -> Indices:
        return self.table.staircase(options.depth[self._apps, chosen], options.rung[self._apps, chosen])

    def _offer(self, options: Options, chosen: Indices) -> bool:
        """Remember the schedule if it is better than the best known; False if it does not fit."""
        value = float(options.value[self._apps, chosen].sum())
        cost = float(options.branch[self._apps, chosen].sum()) + self.table.stem_cost(self._staircase(options, chosen))
        worth = self.goal.worth(value, cost)
        if worth > self.best:
            self.best, self.places = worth, options.place[self._apps, chosen]
        return worth > -np.inf

    def _offer_around(self, box: _Box, relaxed: Relaxed, staircase: Indices, *, thoroughly: bool) -> None:
        """Schedules that are near the relaxed one: what fits of it, and the best under its staircase."""
        options = box.options
        self._offer(options, relaxed.fitting)
        if not thoroughly:
            return
        staircase = self._affordable(options, staircase)
        value = np.where(_allowed(options, staircase), options.value, -np.inf)
        if not np.isfinite(value.max(1)).all():
            return
        paid = self.table.stem_cost(staircase)
        under = self.goal.relax(value, options.branch, paid=paid, price=box.price)
        if under is not None and under.bound > self.best:
            self._offer(options, _filled(value, options.branch, under.fitting, self.goal.room(paid)))

    def _affordable(self, options: Options, staircase: Indices) -> Indices:
        """The staircase, its rates lowered in proportion until it fits beside the cheapest branches."""
        table = self.table
        room = self.goal.room(float(np.where(options.alive, options.branch, np.inf).min(1).sum()))
        for shrunk in range(len(table.fps), 0, -1):
            lowered = table.fps[staircase] * (shrunk / len(table.fps))
            rungs = np.searchsorted(table.fps, lowered, side="right") - 1
            if table.stem_cost(rungs) <= room:
                return rungs
        return np.zeros_like(staircase)


def _allowed(options: Options, hi: Indices) -> Flags:
    """Options that need no segment above those rungs."""
    last = np.concatenate([[np.iinfo(np.int64).max], hi])
    return np.asarray(options.rung <= last[options.depth])


def _filled(value: Array, cost: Array, chosen: Indices, room: float) -> Indices:
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
