"""Workloads of the conformance vectors as problems: what ``conformance.py`` and ``solver.py`` share."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mainstream.detection import legacy_detection, legacy_looks
from mainstream.events import EventProfile
from mainstream.quality import f1
from mainstream.scheduling.problem import AppOptions, Choice, Problem, StemGroup

DEFAULT_VECTORS = Path(os.path.normpath(Path(__file__).parents[2] / "shared/vectors"))
MOST_VOTES = 7

Model = Literal["legacy", "legacy votes", "corrected"]
"""Legacy and corrected without voting; with votes: the best of one to seven for each app, candidate and rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app of a workload: whose accuracy curve it has, and its event profile."""

    profile: str
    length_seconds: Fraction
    frequency: float
    correlation: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Apps of one stream; ``expected`` holds what must come out, a row for each budget."""

    apps: tuple[App, ...]
    capture_fps: Fraction
    expected: tuple[dict[str, Any], ...]


class Vectors:
    """One file of workloads: its base DNN and its accuracy curves."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_text())
        self.cuts: list[int] = data["base_dnn"]["branchpoints"]
        latencies = np.array(data["base_dnn"]["layer_latencies"])
        self.segments = tuple(float(latencies[cut:end].sum()) for cut, end in pairwise(self.cuts))
        self.branches = tuple(float(latencies[cut:].sum()) for cut in self.cuts)
        self._curves = {
            name: (tuple(curve["accuracy"]), tuple(curve["prob_fp"])) for name, curve in data["profiles"].items()
        }
        self.workloads = tuple(_workload(raw) for raw in data["workloads"])

    def problem(self, workload: Workload, model: Model, *, rates: Sequence[Fraction] = ()) -> Problem:
        """All apps on one stream; without a budget. Rates: every whole number up to the capture rate, or as given."""
        rates = tuple(rates) or whole_rates(workload)
        apps = tuple(
            self.options(app, model, capture_fps=workload.capture_fps, rates=rates, name=f"{place:04d}")
            for place, app in enumerate(workload.apps)
        )
        return Problem(groups=(self.stem("", rates),), apps=apps, budget=0.0)

    def stem(self, name: str, rates: tuple[Fraction, ...]) -> StemGroup:
        """A stream's stem."""
        return StemGroup(name=name, segment_seconds=self.segments, rates=rates)

    def options(
        self, app: App, model: Model, *, capture_fps: Fraction, rates: tuple[Fraction, ...], name: str
    ) -> AppOptions:
        """The app's F1 at every branchpoint and rate."""
        table = _table(*self._curves[app.profile], replace(app, name=""), model, capture_fps, rates)
        ones = np.ones(table.shape, np.int64)
        return AppOptions(
            name=name,
            group=0,
            depths=tuple(range(len(self.cuts))),
            branch_seconds=self.branches,
            f1=table,
            votes=ones,
            threshold=5 * ones,
            most_accurate=0,
        )

    def choices(self, schedule: Sequence[Sequence[int]], problem: Problem) -> tuple[Choice, ...]:
        """A schedule of the vectors: ``[branchpoint, fps]`` for each app."""
        rates = problem.groups[0].rates
        return tuple(Choice(candidate=self.cuts.index(cut), rate=rates.index(Fraction(fps))) for cut, fps in schedule)


def whole_rates(workload: Workload) -> tuple[Fraction, ...]:
    """1 to the capture rate."""
    return tuple(Fraction(rate) for rate in range(1, int(workload.capture_fps) + 1))


def files(folder: Path, kind: str) -> Iterator[tuple[str, Path]]:
    """Files whose name begins so, by number, with what their names end in."""
    for path in sorted(folder.glob(f"{kind}_n*.json"), key=lambda path: (len(path.stem), path.stem)):
        yield path.stem.removeprefix(f"{kind}_n"), path


def mean_f1(problem: Problem, choices: Sequence[Choice]) -> float:
    """Of apps of equal weight."""
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


def f1_of(recall: float, false: float, frequency: float) -> tuple[float | None, float]:
    """Precision (None without any positive) and F1 of the legacy model."""
    true, negative = frequency * recall, (1 - frequency) * false
    if true + negative == 0:
        return None, 0.0
    precision = true / (true + negative)
    return precision, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _workload(raw: dict[str, Any]) -> Workload:
    """Of either kind of file; apps without an id have one that tells the same apps."""
    apps = []
    for app in raw["apps"]:
        row = app
        if not isinstance(app, dict):
            fields = ("profile", "event_length_ms", "event_frequency", "correlation")
            row = dict(zip(fields, app, strict=True)) | {"app_id": json.dumps(app)}
        apps.append(
            App(
                profile=row["profile"],
                length_seconds=Fraction(row["event_length_ms"], 1000),
                frequency=row["event_frequency"],
                correlation=row["correlation"],
                name=row["app_id"],
            )
        )
    expected = raw["expected"] if "expected" in raw else [{"recorded": raw["recorded"]}]
    return Workload(apps=tuple(apps), capture_fps=Fraction(raw["stream_fps"]), expected=tuple(expected))


@cache
def _table(
    p: tuple[float, ...],
    q: tuple[float, ...],
    app: App,
    model: Model,
    capture_fps: Fraction,
    rates: tuple[Fraction, ...],
) -> NDArray[np.float64]:
    """``(candidates, rates)``."""
    if model == "legacy votes":
        return _with_votes(p, q, app, capture_fps, rates)
    profile = EventProfile(
        length_seconds=app.length_seconds,
        frequency=app.frequency,
        correlation=app.correlation,
        correlation_fps=capture_fps,
    )
    table = f1(
        np.array(p),
        np.array(q),
        profile,
        correlations=(app.correlation,) * 2,
        capture_fps=capture_fps,
        rates=rates,
        most_votes=1,
        model=model,
        looks="ideal",
    )
    return np.ascontiguousarray(table[..., 0].T)


def _with_votes(
    p: tuple[float, ...], q: tuple[float, ...], app: App, capture_fps: Fraction, rates: tuple[Fraction, ...]
) -> NDArray[np.float64]:
    """One vote of the legacy chain is not the legacy model without voting (model.md, "X-voting")."""
    table = np.zeros((len(p), len(rates)))
    for column, fps in enumerate(rates):
        looks = legacy_looks(app.length_seconds, fps, capture_fps)
        for row, sides in enumerate(zip(p, q, strict=True)):
            for votes in range(1, MOST_VOTES + 1):
                recall, false = (legacy_detection(side, app.correlation, looks, votes) for side in sides)
                table[row, column] = max(table[row, column], f1_of(recall, false, app.frequency)[1])
    return table
