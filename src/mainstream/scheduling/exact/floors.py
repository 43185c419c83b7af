"""Can every app reach a floor of its own within the budget? The cheapest schedule that does so, or that there is none.

Costs of stem groups add up, so the cheapest schedule of each is searched by itself. Of one candidate the lowest rate that
reaches the floor is the cheapest, whatever the other apps do.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mainstream.scheduling.exact.goals import AtPrice
from mainstream.scheduling.exact.search import Limits, Search
from mainstream.scheduling.exact.table import Array, Flags, Grid, Indices, Table, grid_of, packed
from mainstream.scheduling.problem import Choice, Problem

DECIMALS = 10
"""F1 that agree so far are one level: which app is the worse is not decided by rounding errors."""

_TOLERANCE = 1e-12


class OutOfBoxesError(Exception):
    """The limits ended a search without an answer."""


class Floors:
    """Answers for one problem. ``f1`` is ``(apps, candidates, rates)``, -inf where an app has no such option."""

    def __init__(self, problem: Problem, capacity: float, limits: Limits) -> None:
        self.capacity, self.limits = capacity, limits
        self.boxes = 0
        self._known: dict[tuple[int, bytes], tuple[Indices, float] | None] = {}
        self._groups: list[tuple[Indices, Grid]] = []
        for place, group in enumerate(problem.groups):
            members = [at for at, app in enumerate(problem.apps) if app.group == place]
            if members:
                grid = grid_of(group, [problem.apps[at] for at in members])
                self._groups.append((np.array(members), replace(grid, f1=np.round(grid.f1, DECIMALS))))
        shape = np.max([grid.f1.shape[1:] for _, grid in self._groups], axis=0)
        self.f1 = np.full((len(problem.apps), *shape), -np.inf)
        for numbers, grid in self._groups:
            self.f1[numbers, : grid.f1.shape[1], : grid.f1.shape[2]] = grid.f1

    def reached(self, floors: Array) -> tuple[Choice, ...] | None:
        """A schedule within the budget in which each app reaches its floor; None: there is none (``OutOfBoxesError``)."""
        choices = [Choice(candidate=0, rate=0)] * len(floors)
        left = self.capacity
        for group, (members, grid) in enumerate(self._groups):
            found = self._cheapest(group, floors[members])
            if found is None or found[1] > left:
                return None
            left -= found[1]
            for member, place in zip(members.tolist(), found[0].tolist(), strict=True):
                choices[member] = Choice(candidate=place // len(grid.rates), rate=place % len(grid.rates))
        return tuple(choices)

    def scores(self, choices: Sequence[Choice]) -> Array:
        """The F1 of each app."""
        return np.array([self.f1[at, choice.candidate, choice.rate] for at, choice in enumerate(choices)])

    def _cheapest(self, group: int, floors: Array) -> tuple[Indices, float] | None:
        """Places of the options, and the cost; a group alone may have any schedule that fits."""
        key = (group, floors.tobytes())
        if key not in self._known:
            table = _table(self._groups[group][1], floors)
            self._known[key] = None if table is None else self._searched(table)
        return self._known[key]

    def _searched(self, table: Table) -> tuple[Indices, float] | None:
        search = Search(
            table,
            AtPrice(1.0, most=self.capacity),
            tolerance=_TOLERANCE,
            limits=replace(self.limits, boxes=self.limits.boxes - self.boxes),
            best=-self.capacity - 2 * _TOLERANCE,
            enough=-self.capacity if len(self._groups) == 1 else np.inf,
        )
        found = search.run()
        self.boxes += found.boxes
        if found.worth < search.enough and found.bound > found.worth + 2 * _TOLERANCE:
            raise OutOfBoxesError
        return None if found.places is None else (found.places, -found.worth)


def _table(grid: Grid, floors: Array) -> Table | None:
    reaching: Flags = grid.f1 >= floors[:, None, None]
    kept: Flags = np.asarray(reaching.any(2))
    if not kept.any(1).all():
        return None
    lowest = reaching.argmax(2)
    candidates = np.arange(kept.shape[1])
    return grid.table(
        packed(
            kept,
            (
                np.zeros(kept.shape),
                grid.seconds * grid.rates[lowest],
                grid.depth,
                lowest + 1,
                candidates * len(grid.rates) + lowest,
            ),
        )
    )
