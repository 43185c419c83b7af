"""Levels: which apps of a stem can be due together.

Sampling is nested (``mainstream.sampling``): on every frame the apps that are due are those with a rate of at least some value.
So with the apps fastest first, the due ones are always the first few, and there are as many levels as different rates.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise


def levels(rates: Sequence[Fraction]) -> tuple[int, ...]:
    """The numbers of apps that can be due together, the greatest (all of them) first.

    ``rates`` are the apps' frames per second, fastest first (``ValueError`` otherwise), one at least.
    """
    if not rates:
        raise ValueError("Expected one rate at least")
    if any(later > earlier for earlier, later in pairwise(rates)):
        raise ValueError(f"Expected rates in descending order, got {', '.join(map(str, rates))}")
    ends = [place for place in range(1, len(rates)) if rates[place] < rates[place - 1]]
    return tuple(reversed([*ends, len(rates)]))
