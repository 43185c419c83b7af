"""One stem group among several: asked for its best schedule at a price, or within a budget of its own."""

from dataclasses import replace

import numpy as np

from mainstream.scheduling.exact.boxes import root, tighten
from mainstream.scheduling.exact.enumeration import listed
from mainstream.scheduling.exact.frontier import Frontier, undominated
from mainstream.scheduling.exact.goals import AtPrice, WithinBudget
from mainstream.scheduling.exact.search import Found, Limits, Search
from mainstream.scheduling.exact.shares import Shares, Surcharges
from mainstream.scheduling.exact.table import Indices, Table

_COST_TOLERANCE = 1e-12
_MOST_LISTED = 60_000
_BOXES_OF_A_QUESTION = 40


class Group:
    """Its table, which loses options that do not matter, and what is known of it; ``effort`` counts boxes times apps."""

    def __init__(self, table: Table, cheapest: Indices, *, lowest: float, most: float, tolerance: float) -> None:
        self.table, self.tolerance = table, tolerance
        self.frontier = Frontier(lowest=lowest, most=most)
        self.boxes, self.effort = 0, 0
        self._shares: Shares | None = None
        self._apps = np.arange(len(table.options.value))
        options = table.options
        self._see((options.place == cheapest[:, None]).argmax(1))
        self._see(np.where(options.alive, options.value, -np.inf).argmax(1))
        self.frontier.sort()

    def worth(self, price: float, limits: Limits) -> float:
        """A bound on value less price times cost; schedules that are come by are seen."""
        known = self.frontier
        search = Search(
            self.table,
            AtPrice(price, most=known.most),
            tolerance=self.tolerance,
            limits=limits,
            best=float((known.value - price * known.cost).max()),
            shares=self._shares,
            seen=known.see,
        )
        found = self._counted(search.run())
        self._shares = search.shares
        known.line(worth=found.bound, price=price)
        return found.bound

    def ask(self, budget: float, limits: Limits) -> None:
        """The most value within the budget, or a ceiling on it."""
        known = self.frontier
        if known.complete:
            return
        budget = min(budget, known.most)
        search = Search(
            self.table,
            WithinBudget(budget),
            tolerance=self.tolerance,
            limits=replace(limits, boxes=_BOXES_OF_A_QUESTION),
            best=float(known.value[known.cost <= budget].max()),
            shares=self._shares,
            seen=known.see,
        )
        found = self._counted(search.run())
        known.ceiling(budget=budget, value=found.bound)

    def narrow(self, price: float, floor: float) -> None:
        """Leave out options with which no schedule is worth the floor at the price; list the schedules where few are left.

        With an option, the bound is lower by what the app's best reduced value is above that option's.
        """
        box = root(self.table)
        if self._shares is not None:
            box.shares = self._shares
        if self.frontier.complete or not tighten(box, self.table, AtPrice(price, most=self.frontier.most)):
            return
        options = box.options
        surcharges = Surcharges(self.table, options, box.shares, paid=box.lo, highest=box.hi)
        reduced = options.value - price * (options.branch + surcharges.of_options())
        best = reduced.max(1)
        bound = float(best.sum()) - price * self.table.stem_cost(box.lo)
        slack = best[:, None] - reduced
        every = listed(self.table, options, most=_MOST_LISTED, slack=slack, most_slack=bound - floor)
        narrower = options.only(options.alive & (slack <= bound - floor))
        if narrower is None:
            return
        self.table = replace(self.table, options=options)
        if every is not None:
            self.frontier.complete = True
            for at in undominated(every.value, every.cost):
                self._see(every.chosen[at])
            self.frontier.sort()

    def _see(self, chosen: Indices) -> None:
        options = self.table.options
        staircase = self.table.staircase(options.depth[self._apps, chosen], options.rung[self._apps, chosen])
        self.frontier.see(
            value=float(options.value[self._apps, chosen].sum()),
            cost=float(options.branch[self._apps, chosen].sum()) + self.table.stem_cost(staircase),
            places=options.place[self._apps, chosen],
        )

    def _counted(self, found: Found) -> Found:
        self.boxes += found.boxes
        self.effort += found.boxes * len(self._apps)
        self.frontier.sort()
        return found


def cheapest_schedule(table: Table, limits: Limits) -> Found:
    """The schedule of least cost: what it is worth is -cost."""
    options = table.options
    costs_only = replace(table, options=replace(options, value=np.where(options.alive, 0.0, -np.inf)))
    return Search(costs_only, AtPrice(1.0), tolerance=_COST_TOLERANCE, limits=limits).run()
