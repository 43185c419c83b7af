"""Times of the exact scheduler by kind of instance: what ``solver.py`` measures and prints."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mainstream.scheduling.problem import Result


@dataclass(slots=True)
class Row:
    """Times of one kind of instance in seconds; ``ratio`` is another contender's time over ours, on the same instance."""

    name: str
    goal: str = ""
    seconds: list[float] = field(default_factory=list)
    boxes: list[int] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    wrong: int = 0
    capped: int = 0
    """Instances on which the other contender ran into its limit: their ratio is a lower bound."""

    def add(self, result: Result, seconds: float) -> None:
        self.seconds.append(seconds)
        self.boxes.append(result.boxes)
        self.gaps.append(0.0 if result.proven else (result.bound or np.inf) - result.mean_f1)

    @property
    def plain(self) -> dict[str, Any]:
        """Milliseconds."""
        quartiles = np.percentile(self.seconds, [25, 50, 75]) * 1e3
        return {
            "name": self.name,
            "goal": self.goal,
            "instances": len(self.seconds),
            "meanMs": 1e3 * float(np.mean(self.seconds)),
            "lowerQuartileMs": float(quartiles[0]),
            "medianMs": float(quartiles[1]),
            "upperQuartileMs": float(quartiles[2]),
            "worstMs": 1e3 * max(self.seconds),
            "meanBoxes": float(np.mean(self.boxes)),
            "proven": sum(gap == 0 for gap in self.gaps),
            "worstGap": max(self.gaps),
            "wrong": self.wrong,
            "ratioGeometricMean": float(np.exp(np.mean(np.log(self.ratios)))) if self.ratios else None,
            "ratioMedian": float(np.median(self.ratios)) if self.ratios else None,
            "capped": self.capped,
        }


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the seconds that it took."""
    started = time.perf_counter()
    answer = function()
    return answer, time.perf_counter() - started


def show(rows: list[Row]) -> None:
    table = Table("instances", "n", "mean ms", "quartiles", "worst", "boxes", "proven", "gap", "ratio", "goal")
    for row in rows:
        plain = row.plain
        ratio = plain["ratioGeometricMean"]
        table.add_row(
            row.name + (f" ({row.wrong} WRONG)" if row.wrong else ""),
            f"{plain['instances']}",
            f"{plain['meanMs']:.1f}",
            f"{plain['lowerQuartileMs']:.1f} {plain['medianMs']:.1f} {plain['upperQuartileMs']:.1f}",
            f"{plain['worstMs']:.0f}",
            f"{plain['meanBoxes']:.1f}",
            f"{plain['proven']}",
            f"{plain['worstGap']:.4f}",
            "" if ratio is None else f"{ratio:.2f}" + (f", {row.capped} capped" if row.capped else ""),
            row.goal,
        )
    Console(width=150).print(table)
    print("ratio: geometric mean of the other contender's time over ours (prototype, HiGHS), or as the name says")


@contextmanager
def aside() -> Iterator[None]:
    """What is printed in between goes to stderr: HiGHS greets on standard output, which belongs to the results."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
