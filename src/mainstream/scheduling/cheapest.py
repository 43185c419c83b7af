"""The cheapest schedule in which every app reaches its minimum F1: what admission asks for, and where greedy starts.

Exact. Cost adds up over stem groups, so each is solved by itself: branch and bound, best first, over staircases lo <= s <= hi
(the rates of a group's segments, which never rise toward its end). Under hi an app may take the options with a rate at most
that of its stem's last segment. It costs at least its branch and a share of what its stem's segments must be raised above lo;
the shares of all apps add up to one (a maximum is at least any weighted mean; model.md, "What is known about solving it").
"""

import heapq
from collections.abc import Sequence

import numpy as np

from mainstream.scheduling.problem import AppOptions, Choice, Problem, StemGroup
from mainstream.scheduling.search import Array, Indices, schedule_cost

_TOLERANCE = 1e-12


def cheapest(problem: Problem) -> tuple[tuple[Choice, ...], float] | None:
    """The cheapest schedule and its cost; None where an app's minimum F1 cannot be reached. The budget plays no part."""
    choices: list[Choice | None] = [None] * len(problem.apps)
    for place, group in enumerate(problem.groups):
        members = [number for number, app in enumerate(problem.apps) if app.group == place]
        found = _cheapest_of_group(group, [problem.apps[number] for number in members])
        if found is None:
            return None
        for number, choice in zip(members, found, strict=True):
            choices[number] = choice
    complete = tuple(choice for choice in choices if choice is not None)
    return complete, schedule_cost(problem, complete)


class _Group:
    """Options of a group's apps, side by side: ``(apps, candidates)``, padded with infinite branch costs."""

    def __init__(self, group: StemGroup, apps: Sequence[AppOptions]) -> None:
        rates = np.array([float(rate) for rate in group.rates])
        most = max(len(app.depths) for app in apps)
        self.segments = np.array(group.segment_seconds)
        self.rates = rates
        self.rate = np.zeros((len(apps), most), np.int64)
        self.fps = np.zeros((len(apps), most))
        self.depth = np.zeros((len(apps), most), np.int64)
        self.branch = np.full((len(apps), most), np.inf)
        for place, app in enumerate(apps):
            reached = app.f1 >= app.min_f1 - _TOLERANCE
            # Of one candidate the lowest rate that is good enough is the cheapest, whatever the others do.
            lowest = reached.argmax(1)
            count = len(app.depths)
            self.rate[place, :count] = lowest
            self.fps[place, :count] = rates[lowest]
            self.depth[place, :count] = app.depths
            self.branch[place, :count] = np.where(reached.any(1), np.array(app.branch_seconds) * rates[lowest], np.inf)
        self._apps = np.arange(len(apps))

    def staircase(self, chosen: Indices) -> Array:
        """The rates of the segments that those candidates need."""
        needs = np.arange(len(self.segments)) < self.depth[self._apps, chosen][:, None]
        return np.asarray(np.where(needs, self.fps[self._apps, chosen][:, None], 0.0).max(0))

    def cost(self, chosen: Indices) -> float:
        return float(self.segments @ self.staircase(chosen) + self.branch[self._apps, chosen].sum())

    def relaxed(self, lo: Array, hi: Array) -> tuple[float, Indices]:
        """A bound from below on every schedule of the box, and the candidates that attain it."""
        over = self.segments * np.maximum(0.0, self.fps[..., None] - lo) / len(self._apps)
        until = np.concatenate([np.zeros((*self.fps.shape, 1)), np.cumsum(over, -1)], -1)
        surcharge = np.take_along_axis(until, self.depth[..., None], -1)[..., 0]
        last = np.concatenate([[np.inf], hi])[self.depth]
        costs = np.where(self.fps <= last, self.branch + surcharge, np.inf)
        chosen = costs.argmin(1)
        return float(self.segments @ lo + costs[self._apps, chosen].sum()), chosen


def _cheapest_of_group(group: StemGroup, apps: Sequence[AppOptions]) -> list[Choice] | None:
    if not apps:
        return []
    state = _Group(group, apps)
    if not np.isfinite(state.branch).any(1).all():
        return None
    lowest, highest = np.zeros(len(state.segments)), np.full(len(state.segments), state.rates[-1])
    bound, chosen = state.relaxed(lowest, highest)
    best, answer = state.cost(chosen), chosen
    boxes = [(bound, 0, lowest, highest, chosen)]
    number = 0
    while boxes and boxes[0][0] < best - _TOLERANCE:
        _, _, lo, hi, relaxed = heapq.heappop(boxes)
        wanted = np.minimum(state.staircase(relaxed), hi)
        excess = np.where(wanted > lo, state.segments * (wanted - lo), 0.0)
        at = int(excess.argmax())
        if excess[at] <= _TOLERANCE:
            continue  # the relaxed schedule pays for its whole stem: it is the box's best, and was offered
        middle = max([rate for rate in state.rates if rate <= (lo[at] + wanted[at]) / 2] + [lo[at]])
        lower, upper = hi.copy(), lo.copy()
        lower[at:] = np.minimum(lower[at:], middle)
        upper[: at + 1] = np.maximum(upper[: at + 1], state.rates[state.rates > middle][0])
        for low, high in ((lo, lower), (upper, hi)):
            bound, chosen = state.relaxed(low, high)
            if bound >= best - _TOLERANCE:
                continue
            cost = state.cost(chosen)
            if cost < best:
                best, answer = cost, chosen
            number += 1
            heapq.heappush(boxes, (bound, number, low, high, chosen))
    return [Choice(candidate=int(option), rate=int(state.rate[place, option])) for place, option in enumerate(answer)]
