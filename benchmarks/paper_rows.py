"""Points of the paper's figures: what ``paper_figures.py`` computes, keeps as CSV and draws."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("panel", "source", "series", "x", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Of one line in one panel. ``source`` says whose number it is: see ``PAPER``, ``GREEDY``, ``OPTIMUM``, ``MODEL``."""

    panel: str
    source: str
    series: str
    x: float
    y: float


PAPER = "paper"
"""As the authors published it: a mean over their 100 workloads."""
GREEDY = "authors' greedy"
"""Their scheduler, run by us on those of their workloads that are published."""
OPTIMUM = "optimum"
"""Proven, under the same model of F1 and the same costs, on the same workloads."""
CORRECTED = "corrected optimum"
"""Proven, under the corrected model of F1."""
MODEL = "model"
SIMULATED = "simulated"

Line = tuple[Sequence[float], Sequence[float]]


class Figure:
    """The points of one figure."""

    def __init__(self, points: Iterable[Point]) -> None:
        self.points = tuple(points)

    def line(self, panel: str, source: str, series: str) -> Line:
        """x and y by rising x; empty where there is none."""
        chosen = sorted(
            (point.x, point.y)
            for point in self.points
            if (point.panel, point.source, point.series) == (panel, source, series)
        )
        return [x for x, _ in chosen], [y for _, y in chosen]

    def at(self, panel: str, source: str, series: str, x: float) -> float:
        """The y there (``KeyError`` if there is none)."""
        return dict(zip(*self.line(panel, source, series), strict=True))[x]

    def series(self, panel: str, source: str) -> list[str]:
        """In the order of their first points."""
        return list(
            dict.fromkeys(point.series for point in self.points if (point.panel, point.source) == (panel, source))
        )

    def farthest(self, panel: str, source: str, other: str, series: str) -> float:
        """The largest difference between two sources where both have points."""
        one, two = (dict(zip(*self.line(panel, name, series), strict=True)) for name in (source, other))
        return max(abs(one[x] - two[x]) for x in one.keys() & two.keys())


def write(path: Path, figure: Figure) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for point in figure.points:
            table.writerow([point.panel, point.source, point.series, f"{point.x:g}", f"{point.y:.6g}"])


def read(path: Path) -> Figure:
    """What ``write`` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return Figure(
            Point(panel=row["panel"], source=row["source"], series=row["series"], x=float(row["x"]), y=float(row["y"]))
            for row in csv.DictReader(file)
        )
