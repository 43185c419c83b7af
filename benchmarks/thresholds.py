"""What the choice of votes and threshold per app gains in planned mean F1, over one vote at a threshold of one half.

``python benchmarks/thresholds.py [--vectors DIR] [--workloads N] [--output json]``. The authors' accuracy curves are known at
one half only. The other thresholds are made up: scores inside and outside events are normal with equal variance, shifted so
that p and q at one half are the measured ones, and probabilities are calibrated. So this shows what there is to be gained with
classifiers of that kind, under the corrected model of F1; M-Packages hold p and q as measured at all nine thresholds.
Every schedule is the optimum. Exit status 1 if a free choice is worse than a fixed one that it includes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, log
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from vectors import DEFAULT_VECTORS, App, Vectors, whole_rates

from mainstream.events import EventProfile
from mainstream.packages.mpackage import THRESHOLDS
from mainstream.quality import MOST_VOTES, f1
from mainstream.scheduling.problem import Problem
from mainstream.scheduling.solve import solve

SAMPLE = Path(__file__).parents[1] / "tests/planning/vectors.json"
BUDGETS = (50.0, 100.0, 150.0, 200.0, 300.0)
HALF = THRESHOLDS.index(5)
NORMAL = NormalDist()
LEAST = 1e-4
"""Rates of 0 or 1 have no place on a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Votes and threshold: fixed, or None for the best of each app, candidate and rate."""

    votes: int | None
    threshold: int | None

    @property
    def name(self) -> str:
        votes = "best votes" if self.votes is None else f"{self.votes} vote" + "s" * (self.votes > 1)
        return f"{votes}, {'best threshold' if self.threshold is None else 'one half'}"

    def includes(self, other: "Way") -> bool:
        return self.votes in (None, other.votes) and self.threshold in (None, other.threshold)


WAYS = tuple(
    Way(votes=votes, threshold=threshold)
    for votes, threshold in ((1, HALF), (2, HALF), (3, HALF), (None, HALF), (1, None), (None, None))
)


def at_thresholds(p: float, q: float) -> tuple[list[float], list[float]]:
    """p and q at each of ``THRESHOLDS``, given those at one half."""
    inside, outside = (NORMAL.inv_cdf(min(1 - LEAST, max(LEAST, rate))) for rate in (p, q))
    slope = max(inside - outside, 0.1)  # of the log-likelihood ratio
    cuts = [log(tenths / (10 - tenths)) / slope for tenths in THRESHOLDS]
    return [NORMAL.cdf(inside - cut) for cut in cuts], [NORMAL.cdf(outside - cut) for cut in cuts]


def table(curve: dict[str, Sequence[float]], app: App, capture: Fraction, rates: Sequence[Fraction]) -> NDArray[Any]:
    """``(candidates, rates, thresholds, votes)``; -1 where an event has fewer looks than votes."""
    pairs = [at_thresholds(p, q) for p, q in zip(curve["accuracy"], curve["prob_fp"], strict=True)]
    p, q = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    profile = EventProfile(
        length_seconds=app.length_seconds,
        frequency=app.frequency,
        correlation=app.correlation,
        correlation_fps=capture,
    )
    scores = f1(
        *(p.ravel(), q.ravel(), profile),
        correlations=(app.correlation,) * 2,
        capture_fps=capture,
        rates=rates,
        most_votes=MOST_VOTES,
    ).reshape(len(rates), *p.shape, MOST_VOTES)
    for place, fps in enumerate(rates):
        scores[place, :, :, max(1, ceil(app.length_seconds * fps)) :] = -1.0
    return np.moveaxis(scores, 0, 1)


def narrowed(scores: NDArray[Any], way: Way) -> NDArray[Any]:
    """F1 by candidate and rate."""
    if way.threshold is not None:
        scores = scores[:, :, way.threshold : way.threshold + 1]
    if way.votes is not None:
        scores = scores[..., way.votes - 1 : way.votes]
    return np.asarray(np.maximum(np.ascontiguousarray(scores.max((2, 3))), 0.0))


def measured(path: Path, workloads: int) -> dict[str, dict[float, float]]:
    """Mean F1 of each way at each budget."""
    vectors, curves = Vectors(path), json.loads(path.read_text())["profiles"]
    found: dict[str, dict[float, list[float]]] = {way.name: {budget: [] for budget in BUDGETS} for way in WAYS}
    for workload in vectors.workloads[:workloads]:
        plain = vectors.problem(workload, "legacy")
        scores = [table(curves[app.profile], app, workload.capture_fps, whole_rates(workload)) for app in workload.apps]
        for way in WAYS:
            problem = _with(plain, [narrowed(one, way) for one in scores])
            for budget in BUDGETS:
                found[way.name][budget].append(solve(replace(problem, budget=budget)).mean_f1)
    return {name: {budget: float(np.mean(row)) for budget, row in rows.items()} for name, rows in found.items()}


def _with(problem: Problem, scores: Sequence[NDArray[Any]]) -> Problem:
    return replace(problem, apps=tuple(replace(app, f1=one) for app, one in zip(problem.apps, scores, strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, default=DEFAULT_VECTORS)
    parser.add_argument("--apps", type=int, default=10, help="workloads of so many (vectors: 2 to 30)")
    parser.add_argument("--workloads", type=int, default=15)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    path = arguments.vectors / f"sched_n{arguments.apps:02d}.json"
    if not path.exists():
        print(f"no {path}: the three workloads of {SAMPLE.name} instead (--vectors DIR)", file=sys.stderr)
        path = SAMPLE
    means = measured(path, arguments.workloads)
    if arguments.output == "json":
        print(json.dumps(means, indent=2))
    else:
        show(means, path.name)
    worse = [
        (free.name, fixed.name)
        for free in WAYS
        for fixed in WAYS
        if free.includes(fixed) and any(means[free.name][b] < means[fixed.name][b] - 1e-9 for b in BUDGETS)
    ]
    print(f"free choices that are worse than a fixed one: {worse or 'none'}", file=sys.stderr)
    return int(bool(worse))


def show(means: dict[str, dict[float, float]], title: str) -> None:
    view = Table("mean F1 (gain)", *(f"budget {budget:g}" for budget in BUDGETS), title=title)
    first = means[WAYS[0].name]
    for name, row in means.items():
        cells = [f"{row[b]:.3f}" + ("" if row is first else f" ({row[b] - first[b]:+.3f})") for b in BUDGETS]
        view.add_row(name, *cells)
    Console(width=120).print(view)


if __name__ == "__main__":
    sys.exit(main())
