"""The options of one stem group's apps side by side, and staircases.

A segment's rate is counted in *rungs*: 0 where it is not run, else one more than the rate's place among those on offer. A
*staircase* is a rung for each segment that never rises toward the stem's end. An option of depth d and rung r needs rung r of
the first d segments; a schedule's staircase is the highest that its options need.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainstream.scheduling.problem import AppOptions, Choice, StemGroup

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MIN_F1_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the apps may choose: ``(apps, options)`` each; rows are padded with options of value -inf."""

    value: Array
    """Weight times F1."""
    branch: Array
    """Cost of the branch, seconds per second."""
    depth: Indices
    rung: Indices
    place: Indices
    """Place in the app's table of F1, flat."""

    @property
    def alive(self) -> Flags:
        """Which are options at all."""
        return self.value > -np.inf

    def cheapest_branches(self) -> float:
        """What the apps' branches cost at least."""
        return float(np.where(self.alive, self.branch, np.inf).min(1).sum())

    def only(self, kept: Flags) -> "Options | None":
        """Those that are kept, in narrower arrays where that saves much; None where an app is left without any."""
        counts = kept.sum(1)
        if not counts.all():
            return None
        if 5 * counts.max() > 4 * kept.shape[1]:
            return Options(
                value=np.where(kept, self.value, -np.inf),
                branch=self.branch,
                depth=self.depth,
                rung=self.rung,
                place=self.place,
            )
        return packed(kept, (self.value, self.branch, self.depth, self.rung, self.place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One stem group: its segments between the depths in use, its rates by rung, its apps' options that no other beats."""

    segments: Array
    """Seconds per frame."""
    fps: Array
    """By rung: ``fps[0]`` is 0."""
    options: Options
    rates: int

    def choice(self, place: int) -> Choice:
        """The option at that place as a place in the app's table."""
        candidate, rate = divmod(int(place), self.rates)
        return Choice(candidate=candidate, rate=rate)

    def staircase(self, depth: Indices, rung: Indices) -> Indices:
        """The lowest staircase over those options."""
        ends = np.zeros(len(self.segments) + 1, np.int64)
        np.maximum.at(ends, depth, rung)
        highest: Indices = np.maximum.accumulate(ends[::-1])[::-1][1:]
        return highest

    def stem_cost_by_segment(self, staircase: Indices) -> Array:
        """Seconds per second of each segment at its rung."""
        return np.asarray(self.segments * self.fps[staircase])

    def stem_cost(self, staircase: Indices) -> float:
        """Seconds per second of the segments at those rungs."""
        return float(self.stem_cost_by_segment(staircase).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One stem group's apps as they are: ``(apps, candidates)`` each, padded; ``f1`` is ``(apps, candidates, rates)``."""

    f1: Array
    """-inf where it is below the app's minimum."""
    depth: Indices
    """In segments between the depths in use."""
    seconds: Array
    """Of the branch, per frame."""
    segments: Array
    rates: Array

    def table(self, options: Options) -> Table:
        """Those options on this grid's stem."""
        return Table(
            segments=self.segments,
            fps=np.concatenate([[0.0], self.rates]),
            options=options,
            rates=len(self.rates),
        )


def grid_of(group: StemGroup, apps: Sequence[AppOptions]) -> Grid:
    """The group's apps in their order."""
    rates = np.array([float(rate) for rate in group.rates])
    most = max(len(app.depths) for app in apps)
    f1 = np.full((len(apps), most, len(rates)), -np.inf)
    depth = np.zeros((len(apps), most), np.int64)
    seconds = np.zeros((len(apps), most))
    for place, app in enumerate(apps):
        count = len(app.depths)
        f1[place, :count] = np.where(app.f1 >= app.min_f1 - _MIN_F1_TOLERANCE, app.f1, -np.inf)
        depth[place, :count] = app.depths
        seconds[place, :count] = app.branch_seconds
    used = np.union1d(depth[np.isfinite(f1).any(2)], [0])
    ends = np.concatenate([[0.0], np.cumsum(group.segment_seconds)])[used]
    return Grid(
        f1=f1,
        depth=np.minimum(np.searchsorted(used, depth), len(used) - 1),
        seconds=seconds,
        segments=np.diff(ends),
        rates=rates,
    )


def table_of(group: StemGroup, apps: Sequence[AppOptions]) -> Table:
    """The group's apps' options that reach their minimum F1 and that no other beats.

    One that branches at least as deep, at no higher rate, for no more branch cost and with no lower F1 beats another: whatever
    the rest of a schedule is, taking it instead costs no more and loses nothing.
    """
    grid = grid_of(group, apps)
    weight = np.array([app.weight for app in apps])[:, None, None]
    value = np.multiply(weight, grid.f1, where=np.isfinite(grid.f1), out=np.full(grid.f1.shape, -np.inf))
    falling = np.array([(np.diff(app.branch_seconds) <= 0).all() for app in apps])
    rungs = np.arange(1, len(grid.rates) + 1)
    places = np.arange(value[0].size).reshape(value[0].shape)
    return grid.table(
        packed(
            _undominated(value, falling),
            (
                value,
                grid.seconds[..., None] * grid.rates,
                np.broadcast_to(grid.depth[..., None], value.shape),
                np.broadcast_to(rungs, value.shape),
                np.broadcast_to(places, value.shape),
            ),
        )
    )


def _undominated(value: Array, falling: Flags) -> Flags:
    """By deeper candidates only where branches cost the less the deeper; by lower rates of the same candidate always."""
    by_rate = np.maximum.accumulate(value, axis=2)
    best = np.maximum.accumulate(by_rate[:, ::-1], axis=1)[:, ::-1]
    best = np.where(falling[:, None, None], best, by_rate)
    others = np.full_like(value, -np.inf)
    others[:, :-1] = np.where(falling[:, None, None], best[:, 1:], -np.inf)
    others[:, :, 1:] = np.maximum(others[:, :, 1:], best[:, :, :-1])
    return np.asarray(value > others)


def packed(kept: Flags, tables: tuple[Array | Indices, ...]) -> Options:
    """The kept entries of each app in a row, in order."""
    kept = kept.reshape(len(kept), -1)
    apps, places = np.nonzero(kept)
    counts = np.bincount(apps, minlength=len(kept))
    columns = np.arange(len(apps)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(kept), int(counts.max(initial=0)))

    def narrow(table: Array | Indices, fill: float) -> NDArray[np.generic]:
        rows = np.full(shape, fill, table.dtype)
        rows[apps, columns] = table.reshape(len(kept), -1)[apps, places]
        return rows

    value, branch, depth, rung, place = tables
    return Options(
        value=np.asarray(narrow(value, -np.inf), np.float64),
        branch=np.asarray(narrow(branch, 0.0), np.float64),
        depth=np.asarray(narrow(depth, 0), np.int64),
        rung=np.asarray(narrow(rung, 1), np.int64),
        place=np.asarray(narrow(place, 0), np.int64),
    )
