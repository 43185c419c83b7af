"""Conformance: what the planning core computes, against numbers from the paper's authors' data and published code.

``python benchmarks/conformance.py [VECTORS_DIR] [--workloads N] [--most-apps N]`` checks every file of the kinds that it knows
and prints how many values of each kind were checked and how many are wrong. Exit status 1 if any is, or if there were none.

An optimum must be reached to 1e-9 *and* proven. Where the vectors have no optimum, nothing fits, and we must say so.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from vectors import DEFAULT_VECTORS, Vectors, Workload, f1_of, files, mean_f1, only, whole_rates

from mainstream.detection import legacy_detection, legacy_looks, voting_miss
from mainstream.events import EventProfile
from mainstream.quality import f1
from mainstream.scheduling.authors import authors_greedy
from mainstream.scheduling.problem import Objective, Problem, Result
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve
from mainstream.windows import mean_looks

EXACT = 1e-9
RECORDED = 2e-6
"""What was recorded has six digits."""
NINE_DIGITS = 2e-9
COST = 1e-6
"""In units of the slowest layer group; the budget's own tolerance is 1e-7."""

Finding = tuple[str, float, float]
"""Kind, difference, tolerance."""


@dataclass(slots=True)
class Tally:
    """Of one kind."""

    checked: int = 0
    failed: int = 0
    worst: float = 0.0
    tolerance: float = 0.0

    def add(self, difference: float, tolerance: float) -> None:
        self.checked += 1
        self.failed += not difference <= tolerance
        self.worst = max(self.worst, difference)
        self.tolerance = tolerance


def points(folder: Path) -> Iterator[Finding]:
    """Recall, precision and F1 of single configurations."""
    path = folder / "f1_points.json"
    for point in json.loads(path.read_text())["points"] if path.exists() else ():
        length, capture = Fraction(point["event_length_ms"], 1000), Fraction(point["stream_fps"])
        fps = Fraction(str(round(float(point["fps"]), 6)))
        rho, votes, phi = point["correlation"], point["x_vote"], point["event_frequency"]
        for kind, looks, prefix in (
            ("F1 points, legacy", legacy_looks(length, fps, capture), ""),
            ("F1 points, right number of looks", mean_looks(length, fps), "paperN_"),
        ):
            if point.get(f"{prefix}recall") is None:
                continue
            recall, false = (
                legacy_detection(rate, rho, looks, votes) for rate in (point["accuracy"], point["prob_fp"])
            )
            precision, score = f1_of(recall, false, phi)
            expected = point[f"{prefix}precision"]
            yield f"{kind}: recall", abs(recall - point[f"{prefix}recall"]), EXACT
            yield f"{kind}: F1", abs(score - point[f"{prefix}f1"]), EXACT
            # Below, 1 - P(miss) cancels: the authors' own ninth digit is noise.
            if expected is not None and precision is not None and recall > 1e-6:
                yield f"{kind}: precision", abs(precision - expected), EXACT
        if votes != 1 and phi > 0:
            profile = EventProfile(
                length_seconds=length, frequency=phi, correlation=min(rho, 0.99), correlation_fps=capture
            )
            table = f1(
                *(np.array([point["accuracy"]]), np.array([point["prob_fp"]]), profile), correlations=(rho, rho),
                capture_fps=capture, rates=(fps,), most_votes=votes or 1, model="legacy",
            )  # fmt: skip
            yield "F1 points, by the table of F1", abs(float(table[0, 0, -1]) - point["f1"]), EXACT


def votes(folder: Path) -> Iterator[Finding]:
    """Points of the voting chain."""
    path = folder / "xvote_points.json"
    for point in json.loads(path.read_text())["points"] if path.exists() else ():
        miss = voting_miss(point["p_first"], point["p_hit_given_hit"], looks=point["hops"], votes=point["x"])
        yield "voting points", abs(miss - point["miss"]), EXACT


def schedules(folder: Path, *, workloads: int, apps: int) -> Iterator[Finding]:
    """Every workload of ``sched_n*.json``."""
    for count, path in files(folder, "sched"):
        vectors = Vectors(path)
        started = time.perf_counter()
        for workload in vectors.workloads[:workloads]:
            if len(workload.apps) <= apps:
                yield from checked(vectors, workload)
        print(f"{path.name}: {count} apps, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def checked(vectors: Vectors, workload: Workload) -> Iterator[Finding]:
    """A workload at each of its budgets."""
    legacy = vectors.problem(workload, "legacy")
    for expected in workload.expected:
        problem = replace(legacy, budget=expected["budget"])
        if expected.get("optimal_mean_f1") is None:
            yield "infeasible: said so", float(not solve(problem).rejected), 0.5
            continue
        yield from agrees("optimum", solve(problem), expected["optimal_mean_f1"])
        choices = vectors.choices(expected["optimal_schedule"], problem)
        yield "optimum, their schedule: mean", abs(mean_f1(problem, choices) - expected["optimal_mean_f1"]), EXACT
        cost = schedule_cost(problem, choices)
        yield "optimum, their schedule: cost", abs(cost - expected["optimal_cost"]), COST
        yield from fairness(problem, expected)
        yield from others(vectors, workload, problem, expected)
        yield from baselines(vectors, workload, problem, expected)
        yield from authors(vectors, workload, problem, expected)


def agrees(kind: str, result: Result, optimum: float, *, objective: Objective = "MeanF1") -> Iterator[Finding]:
    """All of it is lost where an app is rejected that fits."""
    reached = result.min_f1 if objective == "MaxMinF1" else result.mean_f1
    yield kind, 1.0 if result.rejected else abs(reached - optimum), EXACT
    yield f"{kind}: proven", float(not result.proven), 0.5


def fairness(problem: Problem, expected: dict[str, Any]) -> Iterator[Finding]:
    if expected.get("maxmin_f1") is not None:
        result = solve(problem, "MaxMinThenMeanF1")
        yield "max-min", abs(result.min_f1 - expected["maxmin_f1"]), EXACT
        if expected.get("maxmin_then_mean_f1") is not None:
            yield from agrees("max-min, then mean", result, expected["maxmin_then_mean_f1"])
    if expected.get("leximin_sorted_f1") is not None:
        result = solve(problem, "MaxMinF1")
        scores = sorted(
            float(app.f1[choice.candidate, choice.rate])
            for app, choice in zip(problem.apps, result.choices, strict=True)
            if choice is not None
        )
        theirs = sorted(expected["leximin_sorted_f1"])
        same = len(scores) == len(theirs)
        yield "leximin, sorted F1", max(map(abs, np.subtract(scores, theirs))) if same else 1.0, NINE_DIGITS
        yield "leximin: proven", float(not result.proven), 0.5


def others(vectors: Vectors, workload: Workload, problem: Problem, expected: dict[str, Any]) -> Iterator[Finding]:
    if expected.get("joint_x_1to7_optimal_mean_f1") is not None:
        voted = replace(vectors.problem(workload, "legacy votes"), budget=problem.budget)
        yield from agrees("joint votes, optimum", solve(voted), expected["joint_x_1to7_optimal_mean_f1"])
    if expected.get("corrected_model_x1_optimal_mean_f1") is not None:
        corrected = replace(vectors.problem(workload, "corrected"), budget=problem.budget)
        optimum = expected["corrected_model_x1_optimal_mean_f1"]
        yield from agrees("corrected model, optimum", solve(corrected), optimum)


def baselines(vectors: Vectors, workload: Workload, problem: Problem, expected: dict[str, Any]) -> Iterator[Finding]:
    names = [app.name for app in workload.apps]
    if expected.get("maxsharing_optimal_mean_f1") is not None:
        result = solve(problem, sharing="MaxSharing")
        yield from agrees("Max-Sharing, optimum", result, expected["maxsharing_optimal_mean_f1"])
    if expected.get("maxsharing_authors_greedy_mean_f1") is not None:
        shared = only(problem, len(vectors.cuts) - 1)
        theirs = mean_f1(shared, authors_greedy(shared, names))
        yield "Max-Sharing, authors' greedy", abs(theirs - expected["maxsharing_authors_greedy_mean_f1"]), RECORDED
    if expected.get("nosharing_optimal_mean_f1") is not None:
        slow = replace(slower(vectors, workload), budget=problem.budget)
        yield from agrees(
            "No-Sharing, optimum", solve(slow, sharing="NoSharing"), expected["nosharing_optimal_mean_f1"]
        )
    if expected.get("nosharing_authors_greedy_mean_f1") is not None:
        separate = only(replace(slower(vectors, workload), budget=problem.budget), 0)
        theirs = mean_f1(separate, authors_greedy(separate, names))
        yield "No-Sharing, authors' greedy", abs(theirs - expected["nosharing_authors_greedy_mean_f1"]), RECORDED


def authors(vectors: Vectors, workload: Workload, problem: Problem, expected: dict[str, Any]) -> Iterator[Finding]:
    if expected.get("authors_greedy_schedule"):
        theirs = authors_greedy(problem, [app.name for app in workload.apps])
        plain = [[vectors.cuts[choice.candidate], choice.rate + 1] for choice in theirs]
        yield "authors' greedy, schedule", float(plain != expected["authors_greedy_schedule"]), 0.5
        yield "authors' greedy, F1", abs(mean_f1(problem, theirs) - expected["authors_greedy_mean_f1"]), EXACT
        cost = schedule_cost(problem, theirs)
        yield "authors' greedy, cost", abs(cost - expected["authors_greedy_cost"]), COST


def slower(vectors: Vectors, workload: Workload) -> Problem:
    """With the rates below one frame per second that No-Sharing has."""
    rates = (*(Fraction(rate, 10) for rate in range(1, 10)), *whole_rates(workload))
    return vectors.problem(workload, "legacy", rates=rates)


def recorded(folder: Path, *, workloads: int, apps: int) -> Iterator[Finding]:
    """What the authors recorded: their greedy to the digit; nothing of theirs is better than a proven optimum."""
    for _, path in files(folder, "recorded"):
        vectors = Vectors(path)
        for workload in vectors.workloads[:: max(1, len(vectors.workloads) // workloads)]:
            if len(workload.apps) <= apps:
                yield from recorded_of(vectors, workload)
        print(f"{path.name}: done", file=sys.stderr, flush=True)


def recorded_of(vectors: Vectors, workload: Workload) -> Iterator[Finding]:
    legacy, names = vectors.problem(workload, "legacy"), [app.name for app in workload.apps]
    optima: dict[float, float] = {}
    for scheduler, mode, budget, theirs in workload.expected[0]["recorded"]:
        problem = replace(legacy, budget=float(budget))
        if mode == "mainstream" and scheduler == "greedy":
            yield "recorded greedy", abs(mean_f1(problem, authors_greedy(problem, names)) - theirs), RECORDED
        if mode == "mainstream":
            if budget not in optima:
                optima[budget] = solve(problem).mean_f1
            yield f"recorded {scheduler}: not above the optimum", max(0.0, theirs - optima[budget]), RECORDED
            if scheduler == "exhaustive":
                yield "recorded exhaustive: the optimum", abs(theirs - optima[budget]), RECORDED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", nargs="?", type=Path, default=DEFAULT_VECTORS)
    parser.add_argument("--most-apps", type=int, default=10_000, help="leave out larger workloads")
    parser.add_argument("--workloads", type=int, default=10_000, help="of each file at most so many")
    arguments = parser.parse_args()
    limits = {"workloads": arguments.workloads, "apps": arguments.most_apps}
    folder = arguments.vectors
    tallies: dict[str, Tally] = {}
    for findings in (points(folder), votes(folder), schedules(folder, **limits), recorded(folder, **limits)):
        for kind, difference, tolerance in findings:
            tallies.setdefault(kind, Tally()).add(difference, tolerance)
    table = Table("kind", "checked", "failed", "worst", "tolerance", title=f"Conformance with {folder.name}")
    for kind, tally in tallies.items():
        table.add_row(kind, f"{tally.checked}", f"{tally.failed}", f"{tally.worst:.1e}", f"{tally.tolerance:g}")
    Console(width=110).print(table)
    failed = sum(tally.failed for tally in tallies.values())
    print(f"{sum(tally.checked for tally in tallies.values())} checked, {failed} failed")
    return int(failed > 0 or not tallies)


if __name__ == "__main__":
    sys.exit(main())
