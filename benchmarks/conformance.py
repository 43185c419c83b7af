"""Conformance vectors: what the planning core computes, against numbers from the paper's authors' data and published code.

``python benchmarks/conformance.py [VECTORS_DIR] [--workloads N] [--most-apps N]`` prints a line for each kind of vector; exit
status 1 if one of the kinds that must agree does not, or if a schedule is better than a proven optimum. Our schedules are
compared with the optimum: how much greedy loses.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mainstream.detection import legacy_detection, legacy_looks, voting_miss
from mainstream.events import EventProfile
from mainstream.quality import f1
from mainstream.scheduling.authors import authors_greedy
from mainstream.scheduling.problem import AppOptions, Choice, Problem, Result, StemGroup
from mainstream.scheduling.search import schedule_cost
from mainstream.scheduling.solve import solve
from mainstream.windows import mean_looks

DEFAULT_VECTORS = Path(__file__).parents[1].joinpath("../shared/vectors").resolve()
EXACT = 1e-9


class Report:
    """Lines of figures; ``failed`` once something that must agree does not."""

    def __init__(self) -> None:
        self.failed = False

    def agree(self, kind: str, differences: list[float], tolerance: float) -> None:
        worst = max(differences, default=float("inf"))
        bad = sum(difference > tolerance for difference in differences)
        self.failed |= bad > 0 or not differences
        print(f"{kind:<44}{len(differences):>7} points, worst {worst:.1e}, {bad} beyond {tolerance:g}", flush=True)

    def loss(self, kind: str, losses: list[float]) -> None:
        if losses:
            mean, worst, best = np.mean(losses), max(losses), min(losses)
            self.failed |= best < -EXACT  # better than a proven optimum
            print(
                f"{kind:<44}{len(losses):>7} cases, loses {abs(mean):.3%} on average, {abs(worst):.2%} at worst",
                flush=True,
            )


def f1_of(recall: float, false: float, frequency: float) -> tuple[float | None, float]:
    """Precision (None without any positive) and F1 of the legacy model."""
    true, negative = frequency * recall, (1 - frequency) * false
    if true + negative == 0:
        return None, 0.0
    precision = true / (true + negative)
    return precision, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def exact(fps: float) -> Fraction:
    return Fraction(str(round(fps, 6)))


def check_points(folder: Path, report: Report) -> None:
    legacy: list[float] = []
    ideal: list[float] = []
    tables: list[float] = []
    for point in json.loads((folder / "f1_points.json").read_text())["points"]:
        length, fps, capture = (
            Fraction(point["event_length_ms"], 1000),
            exact(point["fps"]),
            Fraction(point["stream_fps"]),
        )
        rho, votes, phi = point["correlation"], point["x_vote"], point["event_frequency"]
        for looks, prefix, kept in (
            (legacy_looks(length, fps, capture), "", legacy),
            (mean_looks(length, fps), "paperN_", ideal),
        ):
            if point.get(f"{prefix}recall") is None:
                continue
            recall, false = (
                legacy_detection(rate, rho, looks, votes) for rate in (point["accuracy"], point["prob_fp"])
            )
            precision, score = f1_of(recall, false, phi)
            expected = point[f"{prefix}precision"]
            kept += [abs(recall - point[f"{prefix}recall"]), abs(score - point[f"{prefix}f1"])]
            # Below, 1 - P(miss) cancels: the authors' own ninth digit is noise.
            if expected is not None and precision is not None and recall > 1e-6:
                kept.append(abs(precision - expected))
        if votes != 1 and phi > 0:
            profile = EventProfile(
                length_seconds=length, frequency=phi, correlation=min(rho, 0.99), correlation_fps=capture
            )
            table = f1(
                *(np.array([point["accuracy"]]), np.array([point["prob_fp"]]), profile), correlations=(rho, rho),
                capture_fps=capture, rates=(fps,), most_votes=votes or 1, model="legacy",
            )  # fmt: skip
            tables.append(abs(float(table[0, 0, -1]) - point["f1"]))
    report.agree("F1 points, legacy: recall, precision, F1", legacy, EXACT)
    report.agree("F1 points, right number of looks", ideal, EXACT)
    report.agree("F1 points, by the table of F1", tables, EXACT)


def check_votes(folder: Path, report: Report) -> None:
    points = json.loads((folder / "xvote_points.json").read_text())["points"]
    misses = [
        abs(
            voting_miss(point["p_first"], point["p_hit_given_hit"], looks=point["hops"], votes=point["x"])
            - point["miss"]
        )
        for point in points
    ]
    report.agree("voting points", misses, EXACT)


def problem_of(data: dict[str, Any], workload: dict[str, Any], rates: tuple[Fraction, ...], model: str) -> Problem:
    """A workload of the vectors, without its budget; F1 without votes."""
    cuts, latencies = data["base_dnn"]["branchpoints"], np.array(data["base_dnn"]["layer_latencies"])
    capture = Fraction(workload["stream_fps"])
    tables: dict[tuple[Any, ...], np.ndarray[Any, Any]] = {}
    apps = []
    for place, app in enumerate(workload["apps"]):
        curve = data["profiles"][app["profile"]]
        key = tuple(app[field] for field in ("profile", "event_length_ms", "event_frequency", "correlation"))
        if key not in tables:
            profile = EventProfile(
                length_seconds=Fraction(app["event_length_ms"], 1000), frequency=app["event_frequency"],
                correlation=app["correlation"], correlation_fps=capture,
            )  # fmt: skip
            table = f1(
                *(np.array(curve["accuracy"]), np.array(curve["prob_fp"]), profile),
                correlations=(app["correlation"],) * 2, capture_fps=capture, rates=rates, most_votes=1,
                model="legacy" if model == "legacy" else "corrected", looks="ideal",
            )  # fmt: skip
            tables[key] = table[..., 0].T
        ones = np.ones(tables[key].shape, np.int64)
        apps.append(
            AppOptions(
                name=f"{place:03d}",
                group=0,
                depths=tuple(range(len(cuts))),
                f1=tables[key],
                votes=ones,
                branch_seconds=tuple(float(latencies[cut:].sum()) for cut in cuts),
                threshold=5 * ones,
                most_accurate=0,
            )
        )
    segments = tuple(float(latencies[cut:end].sum()) for cut, end in pairwise(cuts))
    return Problem(groups=(StemGroup(name="", segment_seconds=segments, rates=rates),), apps=tuple(apps), budget=0.0)


def mean_f1(problem: Problem, choices: tuple[Choice, ...]) -> float:
    return float(
        np.mean([app.f1[choice.candidate, choice.rate] for app, choice in zip(problem.apps, choices, strict=True)])
    )


def only(problem: Problem, candidate: int) -> Problem:
    """The problem with one candidate for each app."""
    one = slice(candidate, candidate + 1)
    fields = ("depths", "branch_seconds", "f1", "votes", "threshold")
    apps = tuple(
        replace(app, most_accurate=0, **{field: getattr(app, field)[one] for field in fields}) for app in problem.apps
    )
    return replace(problem, apps=apps)


def check_schedules(folder: Path, report: Report, most: int, most_apps: int) -> None:
    for path in sorted(folder.glob("sched_n*.json"), key=lambda path: int(path.stem.removeprefix("sched_n"))):
        data = json.loads(path.read_text())
        if len(data["workloads"][0]["apps"]) > most_apps:
            continue
        kinds: dict[str, list[float]] = {}
        seconds: list[float] = []
        for workload in data["workloads"][:most]:
            for kind, difference, took in compare(data, workload):
                kinds.setdefault(kind, []).append(difference)
                seconds += [took] if took else []
        apps = len(data["workloads"][0]["apps"])
        print(f"-- {apps} apps; greedy takes {np.mean(seconds):.2f} s on average, {max(seconds):.2f} s at most")
        for kind, differences in kinds.items():
            if kind.startswith("authors"):
                report.agree(f"{apps} apps, {kind}", differences, 2e-6)
            else:
                report.loss(f"{apps} apps, {kind}", differences)


def compare(data: dict[str, Any], workload: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """``(kind, difference or relative loss, seconds)`` of a workload at each of its budgets."""
    whole = tuple(Fraction(rate) for rate in range(1, workload["stream_fps"] + 1))
    slow = tuple(Fraction(rate, 10) for rate in range(1, 10))
    names = [app["app_id"] for app in workload["apps"]]
    base = problem_of(data, workload, whole, "legacy")
    slower = problem_of(data, workload, slow + whole, "legacy")
    corrected = problem_of(data, workload, whole, "corrected")
    cuts = data["base_dnn"]["branchpoints"]
    for expected in workload["expected"]:
        budget = expected["budget"]
        problem, slow_problem = replace(base, budget=budget), replace(slower, budget=budget)
        started = time.perf_counter()
        result = solve(problem)
        took = time.perf_counter() - started
        if expected["optimal_mean_f1"] is not None:
            yield "greedy against the optimum", loss(result, expected["optimal_mean_f1"]), took
        if expected.get("authors_greedy_schedule"):
            theirs = authors_greedy(problem, names)
            plain = [[cuts[choice.candidate], choice.rate + 1] for choice in theirs]
            yield "authors' greedy, schedules", float(plain != expected["authors_greedy_schedule"]), 0
            yield "authors' greedy, F1", abs(mean_f1(problem, theirs) - expected["authors_greedy_mean_f1"]), 0
            yield "authors' greedy, cost", abs(schedule_cost(problem, theirs) - expected["authors_greedy_cost"]), 0
        if expected.get("maxsharing_optimal_mean_f1") is not None:
            shared = only(problem, len(cuts) - 1)
            yield (
                "authors' Max-Sharing",
                abs(mean_f1(shared, authors_greedy(shared, names)) - expected["maxsharing_authors_greedy_mean_f1"]),
                0,
            )
            best = expected["maxsharing_optimal_mean_f1"]
            yield "Max-Sharing against its optimum", loss(solve(problem, sharing="MaxSharing"), best), 0
        if expected.get("nosharing_optimal_mean_f1") is not None:
            best = expected["nosharing_optimal_mean_f1"]
            yield "No-Sharing against its optimum", loss(solve(slow_problem, sharing="NoSharing"), best), 0
        if expected.get("nosharing_authors_greedy_mean_f1") is not None:
            separate = only(slow_problem, 0)
            yield (
                "authors' No-Sharing",
                abs(mean_f1(separate, authors_greedy(separate, names)) - expected["nosharing_authors_greedy_mean_f1"]),
                0,
            )
        if expected.get("maxmin_f1") is not None:
            fair = solve(problem, "MaxMinF1")
            yield (
                "max-min against the optimum",
                1 - fair.min_f1 / expected["maxmin_f1"] if not fair.rejected else 1.0,
                0,
            )
        if expected.get("corrected_model_x1_optimal_mean_f1") is not None:
            best = expected["corrected_model_x1_optimal_mean_f1"]
            yield "corrected model, against its optimum", loss(solve(replace(corrected, budget=budget)), best), 0


def loss(result: Result, optimum: float) -> float:
    """Relative; all of it where an app is rejected that fits."""
    return 1.0 if result.rejected else 1 - result.mean_f1 / optimum


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", nargs="?", type=Path, default=DEFAULT_VECTORS)
    parser.add_argument("--most-apps", type=int, default=100, help="leave out larger workloads (default 100; 300: all)")
    parser.add_argument("--workloads", type=int, default=5, help="of each size (default 5); 1000 for all")
    arguments = parser.parse_args()
    report = Report()
    check_points(arguments.vectors, report)
    check_votes(arguments.vectors, report)
    check_schedules(arguments.vectors, report, arguments.workloads, arguments.most_apps)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
