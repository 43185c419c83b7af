"""Figures 4, 5 and 9 of the paper: from curves, costs and the model of F1, without workloads."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from markov import Configuration
from paper_rows import GREEDY, MODEL, OPTIMUM, PAPER, SIMULATED, Figure, Point
from vectors import Vectors, f1_of, files

from mainstream.detection import detection, legacy_detection, legacy_looks
from mainstream.sampling import rates_on_offer
from mainstream.scheduling.authors import authors_greedy
from mainstream.scheduling.problem import AppOptions, Choice, Problem
from mainstream.scheduling.solve import solve
from mainstream.windows import mean_looks

LAYERS = 85
BUDGET_OF_NUC = 300.0

BUDGET_OF_FIGURE_9, CAPTURE_OF_FIGURE_9 = 350.0, Fraction(15)
MOST_VOTES, MOST_APPS = 7, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Of a task of figure 9. They are not in the paper: they were fitted to what its authors published."""

    profile: str
    length_seconds: Fraction
    frequency: float
    correlation: float


TASKS = {
    "train": Events(profile="train-mobilenet244", length_seconds=Fraction(1, 2), frequency=0.0138, correlation=0.125),
    "pedestrian": Events(
        profile="pedestrian-mobilenet244", length_seconds=Fraction(1, 2), frequency=0.3, correlation=0.107
    ),
}

LENGTH_OF_FIGURE_5, P_OF_FIGURE_5, CAPTURE_OF_FIGURE_5 = Fraction(1), 0.7173, Fraction(15)
"""The train classifier with nothing but its last layer trained: any other of its candidates is always right."""
WINDOWS = 100_000


def sharing(folder: Path) -> Figure:
    """Figure 4: what sharing saves and what it costs in accuracy, by the share of the 85 layers that is shared."""
    _, path = next(files(folder, "recorded"))
    vectors = Vectors(path)
    stems = np.append(0.0, np.cumsum(vectors.segments))
    points = []
    for apps in range(1, 9):
        for cut, stem, branch in zip(vectors.cuts, stems, vectors.branches, strict=True):
            fps = BUDGET_OF_NUC / (stem + apps * branch)
            points.append(Point(panel="fps", source=MODEL, series=f"{apps}", x=cut / LAYERS, y=float(fps)))
    for name, curve in json.loads(path.read_text())["profiles"].items():
        points += [
            Point(panel="accuracy", source=PAPER, series=name.removesuffix("-mobilenet244"), x=cut / LAYERS, y=value)
            for cut, value in zip(vectors.cuts, curve["accuracy"], strict=True)
        ]
    return Figure(points)


def looks() -> Figure:
    """Figure 5: recall by rate. As the paper has it; and as we have it, beside chains that were simulated frame by frame."""
    length, p, capture = LENGTH_OF_FIGURE_5, P_OF_FIGURE_5, CAPTURE_OF_FIGURE_5
    rates = rates_on_offer(capture)
    points = []
    for fps in rates:
        for series, rho in (("uncorrelated", 0.0), ("correlation 0.6", 0.6), ("fully correlated", 1.0)):
            recall = legacy_detection(p, rho, mean_looks(length, fps), None)
            points.append(Point(panel="Equations 1 to 4", source=MODEL, series=series, x=float(fps), y=recall))
        recall = legacy_detection(p, 0.6, legacy_looks(length, fps, capture), None)
        points.append(Point(panel="Equations 1 to 4", source=MODEL, series="published code", x=float(fps), y=recall))
    rng = np.random.default_rng(5)
    for rho in (0.0, 0.6, 0.9):
        model = detection(
            np.array([p]),
            rho,
            windows_seconds=(length,),
            rates=rates,
            capture_fps=capture,
            most_votes=1,
            looks="sampled",
        )[:, 0, 0]
        for fps, recall in zip(rates, model.tolist(), strict=True):
            series = f"correlation {rho:g}"
            points.append(Point(panel="corrected", source=MODEL, series=series, x=float(fps), y=recall))
            counted = _configuration(rho, fps).recall(rng, "real slots", WINDOWS)
            points.append(Point(panel="corrected", source=SIMULATED, series=series, x=float(fps), y=counted))
    return Figure(points)


def _configuration(rho: float, fps: Fraction) -> Configuration:
    return Configuration(
        capture_fps=CAPTURE_OF_FIGURE_5, fps=fps, length_seconds=LENGTH_OF_FIGURE_5, gap_seconds=None, frequency=1.0,
        p=P_OF_FIGURE_5, q=0.0, inside=rho, outside=rho, votes=1,
    )  # fmt: skip


def voting(folder: Path, figures: dict[str, Any]) -> Figure:
    """Figure 9: F1 of up to 30 equal apps, by votes: published, and with a stem that costs what its highest rate costs."""
    _, path = next(files(folder, "recorded"))
    vectors = Vectors(path)
    curves = json.loads(path.read_text())["profiles"]
    points: list[Point] = []
    for task, events in TASKS.items():
        points += _published(task, figures["fig9_xvoting"])
        by_votes = {votes: _table(curves[events.profile], events, votes) for votes in range(1, MOST_VOTES + 1)}
        series = {f"{votes}": table for votes, table in by_votes.items()}
        series["best"] = np.max(list(by_votes.values()), axis=0)
        for apps in range(1, MOST_APPS + 1):
            for name, table in series.items():
                ours, theirs = _solved(vectors, table, apps)
                points.append(Point(panel=task, source=OPTIMUM, series=name, x=apps, y=ours))
                points.append(Point(panel=task, source=GREEDY, series=name, x=apps, y=theirs))
    for key, row in figures["fig9_regen_current_cost_model_B350_F15_train"].items():
        votes, _, apps = key.partition("|")
        if votes != "None":
            name = "best" if votes == "joint" else votes
            points.append(Point(panel="train", source="vectors", series=name, x=int(apps), y=row["exact"]))
    return Figure(points)


def _published(task: str, published: dict[str, Any]) -> Iterator[Point]:
    best: dict[int, float] = {}
    for votes in range(1, MOST_VOTES + 1):
        for row in published[f"{task}-x{votes}"]:
            best[row["n"]] = max(best.get(row["n"], 0.0), row["f1"])
            yield Point(panel=task, source=PAPER, series=f"{votes}", x=row["n"], y=row["f1"])
    for apps, f1 in best.items():
        yield Point(panel=task, source=PAPER, series="best", x=apps, y=f1)


def _table(curve: dict[str, Sequence[float]], events: Events, votes: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """F1 by candidate and rate, with the authors' chain of votes."""
    rates = range(1, int(CAPTURE_OF_FIGURE_9) + 1)
    table = np.zeros((len(curve["accuracy"]), len(rates)))
    for column, fps in enumerate(rates):
        seen = legacy_looks(events.length_seconds, Fraction(fps), CAPTURE_OF_FIGURE_9)
        for row, sides in enumerate(zip(curve["accuracy"], curve["prob_fp"], strict=True)):
            recall, false = (legacy_detection(side, events.correlation, seen, votes) for side in sides)
            table[row, column] = f1_of(recall, false, events.frequency)[1]
    return table


def _solved(vectors: Vectors, table: np.ndarray[Any, np.dtype[np.float64]], apps: int) -> tuple[float, float]:
    """Mean F1 of the optimum and of the authors' greedy."""
    rates = tuple(Fraction(rate) for rate in range(1, int(CAPTURE_OF_FIGURE_9) + 1))
    ones = np.ones(table.shape, np.int64)
    options = tuple(
        AppOptions(
            name=f"{place:02d}", group=0, depths=tuple(range(len(vectors.cuts))), branch_seconds=vectors.branches,
            f1=table, votes=ones, threshold=5 * ones,
        )
        for place in range(apps)
    )  # fmt: skip
    problem = Problem(groups=(vectors.stem("", rates),), apps=options, budget=BUDGET_OF_FIGURE_9)
    theirs: tuple[Choice, ...] = authors_greedy(problem, [app.name for app in options])
    greedy = float(np.mean([table[choice.candidate, choice.rate] for choice in theirs]))
    return solve(problem).mean_f1, greedy
