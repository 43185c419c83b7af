"""Boxes of staircases: lo is paid for whatever is chosen, options above hi are not allowed."""

from dataclasses import dataclass

import numpy as np

from mainstream.scheduling.exact.goals import Goal
from mainstream.scheduling.exact.shares import Shares
from mainstream.scheduling.exact.table import Flags, Indices, Options, Table


@dataclass(slots=True)
class Box:
    """The schedules of those options whose staircase lies between lo and hi."""

    lo: Indices
    hi: Indices
    options: Options
    shares: Shares
    price: float
    bound: float
    staircase: Indices
    """Of the relaxed solution."""


def root(table: Table) -> Box:
    """All schedules."""
    segments, rungs = len(table.segments), len(table.fps) - 1
    return Box(
        lo=np.zeros(segments, np.int64),
        hi=np.full(segments, rungs),
        options=table.options,
        shares=Shares.equal(len(table.options.value), segments, rungs),
        price=0.0,
        bound=np.inf,
        staircase=np.zeros(segments, np.int64),
    )


def tighten(box: Box, table: Table, goal: Goal) -> bool:
    """Raise lo to what every schedule of the box needs, lower hi to what its options and the room allow; False: it is empty.

    An app needs at least the least depth at the least rung of its options. Raising a segment raises all before it, and that
    must fit in the room that the cheapest branches leave.
    """
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
        room = goal.room(options.cheapest_branches() + table.stem_cost(lo))
        if room < 0:
            return False
        if room < np.inf:
            raised = np.maximum(0.0, table.fps - table.fps[lo][:, None])
            needed = np.cumsum(table.segments[:, None] * raised, axis=0)
            hi = np.minimum.accumulate(np.minimum(hi, (needed <= room).sum(1) - 1))
        if (hi < lo).any():
            return False
        box.lo, box.hi = lo, hi
        kept = alive & allowed(options, hi)
        if kept.sum() == alive.sum():
            return True
        narrower = options.only(kept)
        if narrower is None:
            return False
        box.options = narrower


def parts(box: Box, table: Table, staircase: Indices) -> tuple[Box, Box]:
    """Split right below that staircase where it costs most beyond lo; there it must cost something beyond lo.

    In the upper part that cost is paid for and no surcharge is guessed; the lower part has no schedule like it any more.
    """
    excess = table.stem_cost_by_segment(staircase) - table.stem_cost_by_segment(box.lo)
    at = int(excess.argmax())
    lower, upper = box.hi.copy(), box.lo.copy()
    lower[at:] = np.minimum(lower[at:], staircase[at] - 1)
    upper[: at + 1] = np.maximum(upper[: at + 1], staircase[at])
    return _within(box, box.lo, lower), _within(box, upper, box.hi)


def exceeds(box: Box, table: Table, staircase: Indices) -> bool:
    """Whether the staircase costs something beyond lo."""
    return bool((table.stem_cost_by_segment(staircase) > table.stem_cost_by_segment(box.lo)).any())


def allowed(options: Options, hi: Indices) -> Flags:
    """Options that need no segment above those rungs."""
    last = np.concatenate([[np.iinfo(np.int64).max], hi])
    return np.asarray(options.rung <= last[options.depth])


def _within(box: Box, lo: Indices, hi: Indices) -> Box:
    return Box(
        lo=lo,
        hi=hi,
        options=box.options,
        shares=box.shares,
        price=box.price,
        bound=box.bound,
        staircase=box.staircase,
    )
