"""Problem and Result: what a scheduler is given and what it answers (paper section 6; model.md, "The problem").

Everything is plain numbers. An app has a table of F1 by candidate and rate, with votes and threshold maximised out before;
its candidate branches after ``depth`` segments of its stem group. Cost of a schedule: each segment of a stem group costs its
seconds times the highest rate among the apps that need it, each branch its seconds times its app's rate.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Objective = Literal["MeanF1", "MaxMinF1", "MaxMinThenMeanF1"]
Sharing = Literal["Mainstream", "MaxSharing", "NoSharing"]

BUDGET_TOLERANCE = 1e-7
"""A schedule fits if its cost is at most the budget plus this (the vectors' tolerance)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StemGroup:
    """Apps of one view and base DNN: the only ones that can share segments."""

    name: str
    segment_seconds: tuple[float, ...]
    rates: tuple[Fraction, ...]
    """Rates on offer, ascending, frames per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """One app's choices. ``f1``, ``votes`` and ``threshold`` are ``(candidates, rates)``: rates are its group's."""

    name: str
    group: int
    depths: tuple[int, ...]
    """Number of stem segments before each candidate's branch, ascending."""
    branch_seconds: tuple[float, ...]
    f1: NDArray[np.float64]
    votes: NDArray[np.int64]
    threshold: NDArray[np.int64]
    weight: float = 1.0
    min_f1: float = 0.0
    priority: int = 0
    age: int = 0
    """Place in the order of creation; the smaller, the earlier admitted."""
    most_accurate: int | None = None
    """The candidate that No-Sharing runs as a whole network; None: the one with the highest F1 at the highest rate."""

    def __post_init__(self) -> None:
        shape = (len(self.depths), self.f1.shape[1])
        for field, table in (("f1", self.f1), ("votes", self.votes), ("threshold", self.threshold)):
            if table.shape != shape:
                raise ValueError(f"Expected {field} of shape {shape}, got {table.shape}")
        if len(self.branch_seconds) != len(self.depths):
            raise ValueError(f"Expected {len(self.depths)} branch_seconds, got {len(self.branch_seconds)}")
        if list(self.depths) != sorted(self.depths):
            raise ValueError(f"Expected ascending depths, got {self.depths}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    groups: tuple[StemGroup, ...]
    apps: tuple[AppOptions, ...]
    budget: float
    """Wall seconds of the engine instance per second that may be planned."""

    def __post_init__(self) -> None:
        for app in self.apps:
            if not 0 <= app.group < len(self.groups):
                raise ValueError(f"Expected group of {app.name} in [0, {len(self.groups)}), got {app.group}")
            if app.f1.shape[1] != len(self.groups[app.group].rates):
                raise ValueError(f"Expected an F1 for each of the rates of {app.name}'s group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A place in an app's table."""

    candidate: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An app that was not admitted: why, and what it would need."""

    app: str
    reason: Literal["RejectedByPriority", "MinF1Unreachable"]
    message: str
    needed_cost: float
    """Cost of the cheapest schedule with it and all that were admitted before it; inf where no rate reaches its minF1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``choices[i]`` is app i's, None where it is rejected.

    ``bound`` holds for every schedule of the admitted apps: on the mean F1, with ``MaxMinF1`` on the lowest, with
    ``MaxMinThenMeanF1`` on the mean of those whose lowest is the highest. ``proven``: none is better, by more than 1e-9.
    """

    choices: tuple[Choice | None, ...]
    rejected: tuple[Rejection, ...]
    cost: float
    mean_f1: float
    """Weighted mean over the admitted apps; 0 without any."""
    min_f1: float
    bound: float | None
    proven: bool
    solver: str
    boxes: int = 0
    """How many subproblems the exact solver bounded: its effort, the same on every machine."""
    price: float | None = None
    """The marginal value of budget: mean F1 per second per second more, by the relaxation; None where it is not known."""
    changed: tuple[str, ...] | None = None
    """The apps whose assignment is not the previous one, by name; None without previous assignments."""
