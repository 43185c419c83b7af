"""How apps share the cost of a stem in a bound.

A *cell* is a rung of a segment; it costs the segment's seconds times the step from the rung below. A schedule pays for a cell
once if any of its apps uses it. If instead each app that uses a cell pays a share of it, and the shares of all apps add up to
one, then at most the cell's cost is paid: the sum of surcharges is at most the cost of the stem, and costs add up over apps.

The shares start equal and move toward the apps that use a cell in the relaxed solution (multiplicative weights), so that those
pay whom it serves: the bound approaches that of the linear program over options and cells.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from mainstream.scheduling.exact.table import Array, Indices, Options, Table

_STEP = 1.7


@dataclass(slots=True)
class Shares:
    """Shares of the cells in a window: segments from ``first_segment``, rungs above ``first_rung``."""

    weight: Array
    """``(apps, segments, rungs)``."""
    first_segment: int
    first_rung: int
    turns: int

    @classmethod
    def equal(cls, apps: int, segments: int, rungs: int) -> "Shares":
        return cls(weight=np.full((apps, segments, rungs), 1.0 / apps), first_segment=0, first_rung=0, turns=0)


class Surcharges:
    """Of one box: what each option pays for the cells above the staircase that is paid, up to the highest that may be used."""

    def __init__(self, table: Table, options: Options, shares: Shares, *, paid: Indices, highest: Indices) -> None:
        open_segments = np.flatnonzero(highest > paid)
        start, end = (int(open_segments[0]), int(open_segments[-1]) + 1) if len(open_segments) else (0, 0)
        bottom, top = (int(paid[start:end].min()), int(highest[start:end].max())) if end else (0, 0)
        segment, rung = start - shares.first_segment, bottom - shares.first_rung
        self.shares = Shares(
            weight=shares.weight[:, segment : segment + end - start, rung : rung + top - bottom],
            first_segment=start,
            first_rung=bottom,
            turns=shares.turns,
        )
        rungs = np.arange(bottom, top)
        open_cells = (rungs >= paid[start:end, None]) & (rungs < highest[start:end, None])
        self._cost = (
            table.segments[start:end, None] * (table.fps[bottom + 1 : top + 1] - table.fps[bottom:top]) * open_cells
        )
        self._open = open_cells
        apps, (segments, steps) = len(options.value), open_cells.shape
        # The corner of each option in the window: it uses the cells before it.
        self._depth = np.clip(options.depth - start, 0, segments)
        self._rung = np.clip(options.rung - bottom, 0, steps)
        self._sums = np.zeros((apps, segments + 1, steps + 1))
        corners = self._depth * (steps + 1) + self._rung
        self._corners = corners + np.arange(apps)[:, None] * self._sums[0].size
        self._apps = np.arange(apps)

    def of_options(self) -> Array:
        """``(apps, options)``."""
        inner = self._sums[:, 1:, 1:]
        np.cumsum(self.shares.weight * self._cost, axis=1, out=inner)
        np.cumsum(inner, axis=2, out=inner)
        return np.asarray(self._sums.ravel()[self._corners])

    def turn(self, chosen: Indices) -> None:
        """Move the shares toward the apps that use the cells."""
        depth, rung = self._depth[self._apps, chosen], self._rung[self._apps, chosen]
        segments, steps = self._open.shape
        uses = (np.arange(segments) < depth[:, None])[:, :, None] & (np.arange(steps) < rung[:, None])[:, None]
        shares = self.shares
        weight = shares.weight * (1.0 + (_STEP / sqrt(shares.turns + 1)) * uses)
        weight /= weight.sum(0)
        self.shares = Shares(
            weight=weight,
            first_segment=shares.first_segment,
            first_rung=shares.first_rung,
            turns=shares.turns + 1,
        )
