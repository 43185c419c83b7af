"""What a search maximises, and the bound on it where costs just add up: value within a budget, or value less priced cost.

An app takes one of its options; ``cost`` holds what each option costs at least, ``paid`` what is spent whatever is chosen.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from mainstream.scheduling.exact.table import Array, Indices

_CONVERGED = 1e-7
_MOST_CUTS = 60
_APART = 1.05
"""Prices of neighbouring boxes and turns seldom differ by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """No choice of options is worth more than ``bound``."""

    bound: float
    price: float
    """Value per cost."""
    chosen: Indices
    """Worth most at that price: what the bound is made of."""
    fitting: Indices
    """A choice that fits."""


class Goal(Protocol):
    """``WithinBudget`` or ``AtPrice``."""

    attained: ClassVar[bool]
    """Whether the bound is what ``fitting`` is worth."""

    def room(self, paid: float) -> float:
        """What may be spent beside what is paid."""
        ...

    def worth(self, value: float, cost: float) -> float:
        """Of a schedule; -inf if it does not fit."""
        ...

    def worths(self, value: Array, cost: Array) -> Array:
        """Of many schedules."""
        ...

    def relax(self, value: Array, cost: Array, *, paid: float, price: float) -> Relaxed | None:
        """The bound, searched from that price on; None where nothing fits."""
        ...


@dataclass(frozen=True, slots=True)
class AtPrice:
    """Maximise value - price * cost. With all values 0 and price 1: the cheapest schedule.

    Schedules that cost more than ``most`` may be left out of the search.
    """

    price: float
    most: float = np.inf
    attained: ClassVar[bool] = True

    def room(self, paid: float) -> float:
        return self.most - paid

    def worth(self, value: float, cost: float) -> float:
        return value - self.price * cost

    def worths(self, value: Array, cost: Array) -> Array:
        return value - self.price * cost

    def relax(self, value: Array, cost: Array, *, paid: float, price: float) -> Relaxed:
        """Exact: each app takes the option that is worth most after paying for it."""
        del price
        reduced = value - self.price * cost
        chosen = reduced.argmax(1)
        bound = float(reduced.max(1).sum()) - self.price * paid
        return Relaxed(bound=bound, price=self.price, chosen=chosen, fitting=chosen)


@dataclass(frozen=True, slots=True)
class WithinBudget:
    """Maximise value; the cost must not exceed ``capacity``."""

    capacity: float
    attained: ClassVar[bool] = False

    def room(self, paid: float) -> float:
        return self.capacity - paid

    def worth(self, value: float, cost: float) -> float:
        return value if cost <= self.capacity else -np.inf

    def worths(self, value: Array, cost: Array) -> Array:
        return np.where(cost <= self.capacity, value, -np.inf)

    def relax(self, value: Array, cost: Array, *, paid: float, price: float) -> Relaxed | None:
        """The linear relaxation of the multiple-choice knapsack, by its dual in one variable.

        At any price >= 0 a schedule that fits is worth at most the sum over apps of max(value - price * cost), plus price times
        room: its cost is at most the room. As a function of the price that is convex and made of lines, one for each choice.
        From two, of a choice that does not fit and of one that does, go to where they meet, until nothing is above there.
        """
        room = self.capacity - paid
        rows = np.arange(0, value.size, value.shape[1])
        values, costs = value.ravel(), cost.ravel()

        def best_at(price: float) -> tuple[Indices, float, float]:
            places = (value - price * cost).argmax(1) + rows
            return places, float(values[places].sum()), float(costs[places].sum())

        # Two lines near the price that is a good guess, or else those of price 0 and of the cheapest choice.
        (places, high, dear), (low_places, low, cheap) = best_at(price / _APART), best_at(price * _APART)
        if dear <= room:
            places, high, dear = best_at(0.0)
            if dear <= room:
                return Relaxed(bound=high, price=0.0, chosen=places - rows, fitting=places - rows)
        if cheap > room:
            low_places = np.where(value > -np.inf, cost, np.inf).argmin(1) + rows
            low, cheap = float(values[low_places].sum()), float(costs[low_places].sum())
            if cheap > room:
                return None
        bound = np.inf
        for _ in range(_MOST_CUTS):
            price = (high - low) / (dear - cheap)
            expected = high + price * (room - dear)
            places, new, cost_of_new = best_at(price)
            bound = new + price * (room - cost_of_new)
            if bound <= expected + _CONVERGED * max(1.0, abs(expected)):
                break
            if cost_of_new > room:
                high, dear = new, cost_of_new
            else:
                low_places, low, cheap = places, new, cost_of_new
        return Relaxed(bound=bound, price=price, chosen=places - rows, fitting=low_places - rows)
