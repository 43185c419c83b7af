"""The exact scheduler's speed: against goals, against HiGHS, against a prototype, in one run on one core.

``python benchmarks/solver.py [--vectors DIR] [--workloads N] [--only WORD] [--output json] [--prototype DIR]`` solves the
conformance vectors' workloads at all their budgets, and problems put together from their apps: a thousand apps, several
streams, thirty rates. Each time is that of one cold ``solve``, from tables of F1 to the schedule, admission included.
Contenders take turns on the same instance. Exit status 1 if an answer is wrong, or not proven where it must be; slowness alone
is printed.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from integer_program import IntegerProgram
from solver_rows import Row, aside, show, timed
from vectors import DEFAULT_VECTORS, App, Vectors, files

from mainstream.scheduling.problem import AppOptions, Objective, Problem, Result
from mainstream.scheduling.solve import solve

CAPTURE = Fraction(10)
TEN_RATES = tuple(Fraction(rate) for rate in range(1, 11))
THIRTY_RATES = tuple(Fraction(rate) for rate in range(1, 31))
WRONG = 1e-8
"""A mean F1 that differs by more from the vectors' is wrong."""

GOALS = {3: (8, 80), 10: (12, 60), 30: (10, 40), 100: (25, 60), 300: (80, 200)}
"""Milliseconds, mean and worst, by apps (issue: "What it must show")."""

STREAMS = {(8, 4): 300, (30, 8): 500, (100, 8): 800, (1000, 8): 2000}
"""Apps and streams: milliseconds on average; proven, or a gap of at most ``GAP``."""
GAP = 1e-3
HIGHS_GOALS = {10: 10, 20: 50, 30: 50}
"""How many times as long HiGHS takes at least, as a geometric mean."""


def check(row: Row, result: Result, optimum: float | None) -> None:
    if optimum is not None and not result.rejected:
        row.wrong += abs(result.mean_f1 - optimum) > WRONG


class Bench:
    """``rows`` measures everything whose name contains ``only``."""

    def __init__(self, folder: Path, *, workloads: int, highs: int, cap: float, prototype: Any, only: str) -> None:
        self.files = {int(count): Vectors(path) for count, path in files(folder, "sched")}
        self.workloads, self.highs, self.cap, self.prototype, self.only = workloads, highs, cap, prototype, only

    def rows(self) -> Iterator[Row]:
        for count in self.files:
            yield from self._vectors(count)
        for count in HIGHS_GOALS:
            if count in self.files:
                yield from self._against_highs(count)
        yield from self._rates()
        yield from self._fair()
        yield from self._thousand()
        for apps, streams in STREAMS:
            yield from self._streams(apps, streams)

    def _instances(self, count: int, *, most: int) -> Iterator[tuple[Problem, dict[str, Any]]]:
        vectors = self.files[count]
        for workload in vectors.workloads[:most]:
            problem = vectors.problem(workload, "legacy")
            for expected in workload.expected:
                if expected["optimal_mean_f1"] is not None:
                    yield replace(problem, budget=expected["budget"]), expected

    def _wanted(self, name: str) -> bool:
        return self.only in name

    def _vectors(self, count: int) -> Iterator[Row]:
        name = f"{count} apps"
        if not self._wanted(name):
            return
        mean, worst = GOALS.get(count, (None, None))
        goals = [f"mean {mean}, worst {worst} ms"] if mean else []
        row = Row(name, goal=", ".join([*goals, "ratio at least 1"] if self.prototype else goals))
        for problem, expected in self._instances(count, most=self.workloads):
            result, seconds = timed(partial(solve, problem))
            row.add(result, seconds)
            check(row, result, expected["optimal_mean_f1"])
            if self.prototype is not None:
                row.ratios.append(self._prototype(problem) / seconds)
        yield row

    def _prototype(self, problem: Problem) -> float:
        group, first = problem.groups[0], problem.apps[0]
        values = np.array([app.f1 for app in problem.apps])
        costs = np.array([0.0, *group.segment_seconds]), np.array(first.branch_seconds)
        rates = [float(rate) for rate in group.rates]
        _, seconds = timed(lambda: self.prototype.Exact(values, *costs, rates).solve(problem.budget))
        return float(seconds)

    def _against_highs(self, count: int) -> Iterator[Row]:
        name = f"{count} apps, HiGHS"
        if not self._wanted(name):
            return
        row = Row(name, goal=f"ratio {HIGHS_GOALS[count]}")
        for problem, expected in self._instances(count, most=min(self.workloads, self.highs)):
            result, seconds = timed(partial(solve, problem))
            row.add(result, seconds)
            check(row, result, expected["optimal_mean_f1"])
            theirs = IntegerProgram(problem, undominated=True).solve(seconds=self.cap)
            row.ratios.append(theirs.seconds / seconds)
            row.capped += not theirs.proven
        yield row

    def _rates(self) -> Iterator[Row]:
        """Ratio: thirty rates over ten, at a capture rate three times as high and at the same one."""
        for name, capture, rates, goal in (
            ("30 apps, rates 1..30 over 1..10", Fraction(30), THIRTY_RATES, "ratio at most 1.5"),
            ("30 apps, thirds up to 10 over 1..10", CAPTURE, tuple(rate / 3 for rate in THIRTY_RATES), ""),
        ):
            if not self._wanted(name) or 30 not in self.files:
                continue
            vectors, row = self.files[30], Row(name, goal=goal)
            for workload in vectors.workloads[: self.workloads]:
                many = vectors.problem(replace(workload, capture_fps=capture), "legacy", rates=rates)
                ten = vectors.problem(workload, "legacy", rates=TEN_RATES)
                for budget in (100.0, 150.0, 250.0):
                    of_ten, of_many = (replace(problem, budget=budget) for problem in (ten, many))
                    _, short = timed(partial(solve, of_ten))
                    result, seconds = timed(partial(solve, of_many))
                    row.add(result, seconds)
                    row.ratios.append(seconds / short)
            yield row

    def _fair(self) -> Iterator[Row]:
        objectives: tuple[tuple[Objective, str, str], ...] = (
            ("MaxMinF1", "30 apps, leximin", "mean 1500 ms"),
            ("MaxMinThenMeanF1", "30 apps, max-min then mean", ""),
        )
        for objective, name, goal in objectives:
            if self._wanted(name) and 30 in self.files:
                row = Row(name, goal=goal)
                for problem, _ in self._instances(30, most=self.workloads):
                    row.add(*timed(partial(solve, problem, objective)))
                yield row

    def _thousand(self) -> Iterator[Row]:
        if self._wanted("1000 apps"):
            row = Row("1000 apps", goal="mean 300 ms")
            for seed in range(min(3, self.workloads)):
                for budget in (400.0, 1000.0, 3000.0):
                    problem = self._drawn(1000, 1, budget=budget, seed=seed)
                    row.add(*timed(partial(solve, problem)))
            yield row

    def _streams(self, apps: int, streams: int) -> Iterator[Row]:
        name = f"{apps} apps on {streams} streams"
        if self._wanted(name):
            row = Row(name, goal=f"mean {STREAMS[apps, streams]} ms, gap at most {GAP:g}")
            for seed in range(min(5, self.workloads)):
                for share in (75, 150, 250):
                    problem = self._drawn(apps, streams, budget=share * streams**0.8, seed=seed)
                    row.add(*timed(partial(solve, problem)))
            yield row

    def _drawn(self, apps: int, streams: int, *, budget: float, seed: int) -> Problem:
        """Apps of the largest workloads, dealt out to streams."""
        vectors = self.files[max(self.files)]
        pool: list[App] = [app for workload in vectors.workloads for app in workload.apps]
        rng = np.random.default_rng(seed)
        drawn = rng.choice(len(pool), apps, replace=apps > len(pool)).tolist()

        def options(place: int, at: int) -> AppOptions:
            made = vectors.options(pool[at], "legacy", capture_fps=CAPTURE, rates=TEN_RATES, name=f"{place:04d}")
            return replace(made, group=place % streams)

        return Problem(
            groups=tuple(vectors.stem(f"{stream}", TEN_RATES) for stream in range(streams)),
            apps=tuple(options(place, at) for place, at in enumerate(drawn)),
            budget=budget,
        )


def load_prototype(folder: Path) -> Any:
    """``exact_numpy.py``, if it is there."""
    path = folder / "exact_numpy.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("exact_numpy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, default=DEFAULT_VECTORS)
    parser.add_argument("--workloads", type=int, default=1000, help="of each size at most so many")
    parser.add_argument("--only", default="", help='rows whose name holds this, for example "streams" or "HiGHS"')
    parser.add_argument("--highs", type=int, default=3, help="workloads of each size that HiGHS solves, too")
    parser.add_argument("--cap", type=float, default=60.0, help="seconds that HiGHS is given for an instance")
    parser.add_argument("--prototype", type=Path, default=DEFAULT_VECTORS.parent / "prototypes")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    bench = Bench(
        arguments.vectors,
        workloads=arguments.workloads,
        highs=arguments.highs,
        cap=arguments.cap,
        prototype=load_prototype(arguments.prototype),
        only=arguments.only,
    )
    rows = []
    with aside():
        for row in bench.rows():
            rows.append(row)
            print(f"{row.name}: {row.plain['meanMs']:.1f} ms", file=sys.stderr, flush=True)
    if arguments.output == "json":
        print(json.dumps([row.plain for row in rows], indent=2))
    else:
        show(rows)
    unproven = [row.name for row in rows if "streams" not in row.name and any(row.gaps)]
    wide = [row.name for row in rows if "streams" in row.name and float(np.mean(row.gaps)) > GAP]
    wrong = sum(row.wrong for row in rows)
    print(f"wrong: {wrong}; not proven: {unproven or 'none'}; gap too wide: {wide or 'none'}", file=sys.stderr)
    return int(wrong > 0 or bool(unproven) or bool(wide))


if __name__ == "__main__":
    sys.exit(main())
