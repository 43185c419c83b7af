"""The state that greedy and local search walk through: every app's options side by side, and what a move would cost.

Options that another one of the same app beats are left out: one that branches at least as deep, at no higher rate, for no
more branch cost, with an F1 at least as high.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainstream.scheduling.problem import BUDGET_TOLERANCE, Choice, Problem

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def stem_rates(problem: Problem, choices: Sequence[Choice | None]) -> tuple[tuple[float, ...], ...]:
    """For each stem group the rate of each of its segments: the highest among the apps that need it; 0 if none does."""
    rates = [np.zeros(len(group.segment_seconds)) for group in problem.groups]
    for app, choice in zip(problem.apps, choices, strict=True):
        if choice is not None:
            stem = rates[app.group][: app.depths[choice.candidate]]
            np.maximum(stem, float(problem.groups[app.group].rates[choice.rate]), out=stem)
    return tuple(tuple(float(rate) for rate in group) for group in rates)


def schedule_cost(problem: Problem, choices: Sequence[Choice | None]) -> float:
    """Wall seconds of the engine per second: stems once at their highest rates, branches at their apps' (section 6)."""
    cost = 0.0
    for group, rates in zip(problem.groups, stem_rates(problem, choices), strict=True):
        cost += float(np.dot(group.segment_seconds, rates))
    for app, choice in zip(problem.apps, choices, strict=True):
        if choice is not None:
            cost += app.branch_seconds[choice.candidate] * float(problem.groups[app.group].rates[choice.rate])
    return cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of all apps, ``(apps, most)``: rows are padded with options of F1 -inf. ``segments`` is ``(groups, K)``."""

    candidate: Indices
    rate: Indices
    f1: Array
    fps: Array
    depth: Indices
    branch: Array  # branch cost: seconds per second
    group: Indices
    weight: Array
    segments: Array
    budget: float

    def choice(self, app: int, option: int) -> Choice:
        """The option as a place in the app's table."""
        return Choice(candidate=int(self.candidate[app, option]), rate=int(self.rate[app, option]))


def options(problem: Problem) -> Options:
    """The options worth considering: those that reach the app's minimum F1 and that no other beats."""
    rows = []
    for app in problem.apps:
        fps = np.array([float(rate) for rate in problem.groups[app.group].rates])
        kept = _undominated(app.f1, np.asarray(app.depths), np.asarray(app.branch_seconds), fps, app.min_f1)
        candidate, rate = kept[:, 0], kept[:, 1]
        branch = np.asarray(app.branch_seconds)[candidate] * fps[rate]
        rows.append((candidate, rate, app.f1[candidate, rate], fps[rate], np.asarray(app.depths)[candidate], branch))
    most = max((len(row[0]) for row in rows), default=0)

    def padded(column: int, fill: float = 0.0) -> NDArray[np.float64]:
        table = np.full((len(rows), most), fill, np.float64)
        for place, row in enumerate(rows):
            table[place, : len(row[column])] = row[column]
        return table

    deepest = max((len(group.segment_seconds) for group in problem.groups), default=0)
    segments = np.zeros((len(problem.groups), deepest))
    for place, group in enumerate(problem.groups):
        segments[place, : len(group.segment_seconds)] = group.segment_seconds
    return Options(
        candidate=padded(0).astype(np.int64),
        rate=padded(1).astype(np.int64),
        f1=padded(2, -np.inf),
        fps=padded(3),
        depth=padded(4).astype(np.int64),
        branch=padded(5),
        group=np.array([app.group for app in problem.apps], np.int64),
        weight=np.array([app.weight for app in problem.apps]),
        segments=segments,
        budget=problem.budget,
    )


def _undominated(f1: Array, depths: Indices, branch: Array, fps: Array, min_f1: float) -> Indices:
    """``(n, 2)`` places in the table, in order."""
    places = np.argwhere(f1 >= min_f1 - 1e-12)
    value, depth = f1[places[:, 0], places[:, 1]], depths[places[:, 0]]
    rate, cost = fps[places[:, 1]], (branch[:, None] * fps)[places[:, 0], places[:, 1]]
    better = (
        (depth[None] >= depth[:, None])
        & (rate[None] <= rate[:, None])
        & (cost[None] <= cost[:, None] + 1e-15)
        & (value[None] >= value[:, None])
    )
    equal = better & better.T  # of identical options the first stays
    better &= ~equal | (np.arange(len(places))[None] < np.arange(len(places))[:, None])
    np.fill_diagonal(better, val=False)
    return places[~better.any(1)]


class State:
    """An option for each app, and the cost of every single-app move from here."""

    def __init__(self, table: Options, chosen: Indices) -> None:
        self.table = table
        self.chosen = chosen.copy()
        self._apps = np.arange(len(chosen))
        segments = np.arange(table.segments.shape[1])
        self._needs = segments[None, None] < table.depth[..., None]  # (apps, options, K)
        self._price = table.segments[table.group]  # (apps, K)

    @property
    def value(self) -> float:
        """Weighted sum of F1."""
        return float((self.table.weight * self.f1).sum())

    @property
    def f1(self) -> Array:
        """F1 of each app."""
        return np.asarray(self.table.f1[self._apps, self.chosen])

    @property
    def cost(self) -> float:
        """Cost of the schedule."""
        first, _, _ = self._stems()
        return float(self.table.branch[self._apps, self.chosen].sum() + (first * self.table.segments).sum())

    def move_costs(self) -> Array:
        """``(apps, options)``: cost of the schedule after the app takes the option; exact, with the stems."""
        table = self.table
        first, second, leader = self._stems()
        group = table.group
        others = np.where(
            leader[group] == self._apps[:, None], second[group], first[group]
        )  # (apps, K) without the app
        raised = np.maximum(others[:, None], np.where(self._needs, table.fps[..., None], 0.0))
        all_stems = (first * table.segments).sum(1)
        stems = all_stems.sum() - all_stems[group][:, None] + (raised * self._price[:, None]).sum(2)
        own = table.branch[self._apps, self.chosen]
        return np.asarray(own.sum() - own[:, None] + table.branch + stems)

    def fits(self, costs: Array) -> NDArray[np.bool_]:
        """Which costs are within the budget."""
        return np.asarray(costs <= self.table.budget + BUDGET_TOLERANCE)

    def _stems(self) -> tuple[Array, Array, Indices]:
        """Per group and segment the highest rate, the highest without its app, and which app that is; (groups, K)."""
        table = self.table
        rates = np.where(self._needs[self._apps, self.chosen], table.fps[self._apps, self.chosen][:, None], 0.0)
        first, second = np.zeros(table.segments.shape), np.zeros(table.segments.shape)
        leader = np.full(table.segments.shape, -1)
        for place in range(len(table.segments)):
            members = np.flatnonzero(table.group == place)
            if len(members):
                mine = rates[members]
                top = mine.argmax(0)
                columns = np.arange(mine.shape[1])
                first[place], leader[place] = mine[top, columns], members[top]
                mine[top, columns] = 0.0
                second[place] = mine.max(0)
        return first, second, leader
