"""The F1 model against simulated Markov chains: 100,000 windows for each of some hundred random configurations.

``python benchmarks/markov.py [--configurations N] [--windows N] [--seed N] [--output json]``. Verdicts are drawn frame by frame
(with probability rho a frame keeps its predecessor's verdict, else it has one of its own), windows begin at any moment, and the
app looks at the frames that the sampler really takes, or evenly spaced ones as Eq. 1 has it. What comes out is compared with
``mainstream.quality.f1``. Exit status 1 if the mean error of F1 of a model that claims to be right is above the goal.

That shows that the closed form is right for a Markov chain, not that real video is one (docs/paper-figures.md).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from mainstream.events import EventProfile
from mainstream.quality import f1
from mainstream.sampling import Cycle, rates_on_offer

GOAL = 0.003
CAPTURES = tuple(Fraction(*pair) for pair in ((10, 1), (25, 2), (15, 1), (25, 1), (30, 1), (30000, 1001)))

Spacing = Literal["real slots", "even"]
Kind = Literal["corrected, as sampled", "corrected, ideal (Eq. 1)", "legacy"]
Seen = Callable[[np.random.Generator, float, float, Fraction], float]
"""The share of windows with a detection, given the probability of a positive, rho per frame and the window's length."""

CLAIMS: tuple[tuple[Kind, Spacing], ...] = (
    ("corrected, as sampled", "real slots"),
    ("corrected, ideal (Eq. 1)", "even"),
)
"""What must be right; the other pairs show what is lost otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An app at a rate: probabilities of a positive inside and outside events, and how these depend on the frame before."""

    capture_fps: Fraction
    fps: Fraction
    length_seconds: Fraction
    gap_seconds: Fraction | None
    frequency: float
    p: float
    q: float
    inside: float
    outside: float
    votes: int

    def modelled(self, kind: Kind) -> float:
        """F1 by the model."""
        profile = EventProfile(
            length_seconds=self.length_seconds,
            gap_seconds=self.gap_seconds,
            frequency=self.frequency,
            correlation=self.inside,
            correlation_fps=self.capture_fps,
        )
        table = f1(
            *(np.array([self.p]), np.array([self.q]), profile),
            correlations=(self.inside, self.outside),
            capture_fps=self.capture_fps,
            rates=(self.fps,),
            most_votes=self.votes,
            model="legacy" if kind == "legacy" else "corrected",
            looks="ideal" if kind == "corrected, ideal (Eq. 1)" else "sampled",
        )
        return float(table[0, 0, -1])

    def simulated(self, rng: np.random.Generator, spacing: Spacing, windows: int) -> float:
        """F1 by counting."""
        recall = self.recall(rng, spacing, windows)
        false = self._seen(spacing, windows)(rng, self.q, self.outside, self.gap_seconds or self.length_seconds)
        prior = (1.0, 1.0) if self.gap_seconds else (self.frequency, 1 - self.frequency)
        positive = prior[0] * recall + prior[1] * false
        if positive == 0 or recall == 0:
            return 0.0
        precision = prior[0] * recall / positive
        return 2 * precision * recall / (precision + recall)

    def recall(self, rng: np.random.Generator, spacing: Spacing, windows: int) -> float:
        """The share of events with a detection."""
        return self._seen(spacing, windows)(rng, self.p, self.inside, self.length_seconds)

    def _seen(self, spacing: Spacing, windows: int) -> Seen:
        return self._really(windows) if spacing == "real slots" else self._evenly(windows)

    def _really(self, windows: int) -> Seen:
        pattern = Cycle(self.capture_fps).pattern(self.fps)

        def seen(rng: np.random.Generator, p: float, rho: float, seconds: Fraction) -> float:
            begins = rng.uniform(0, len(pattern), windows)
            first = np.ceil(begins).astype(np.int64)
            end = np.ceil(begins + float(seconds * self.capture_fps)).astype(np.int64)
            runs = Runs(rng, p, windows, self.votes)
            for frame in range(int((end - first).max())):
                at = first + frame
                runs.frame(pattern[at % len(pattern)] & (at < end), rho)
            return float(runs.found.mean())

        return seen

    def _evenly(self, windows: int) -> Seen:
        stride = float(self.capture_fps / self.fps)

        def seen(rng: np.random.Generator, p: float, rho: float, seconds: Fraction) -> float:
            width = float(seconds * self.capture_fps)
            looks = np.ceil((width - rng.uniform(0, stride, windows)) / stride)
            runs = Runs(rng, p, windows, self.votes)
            for look in range(int(looks.max())):
                runs.frame(look < looks, rho**stride)
            return float(runs.found.mean())

        return seen


class Runs:
    """Chains of verdicts, how many positives each ends with, and whether any run was long enough."""

    def __init__(self, rng: np.random.Generator, p: float, windows: int, votes: int) -> None:
        self._rng, self._p, self._votes = rng, p, votes
        self._positive = rng.random(windows, np.float32) < p
        self._run = np.zeros(windows, np.int8)
        self.found = np.zeros(windows, bool)

    def frame(self, looked: np.ndarray[Any, np.dtype[np.bool_]], rho: float) -> None:
        """One more frame, looked at or not, of that correlation with the frame before."""
        draw = self._rng.random(len(looked), np.float32)
        self._positive = np.where(draw < rho, self._positive, draw < rho + (1 - rho) * self._p)
        longer = np.where(self._positive, np.minimum(self._run + 1, self._votes), 0)
        self._run = np.where(looked, longer, self._run).astype(np.int8)
        self.found |= self._run >= self._votes


@dataclass(slots=True)
class Errors:
    """Of F1, model less simulation."""

    kind: Kind
    spacing: Spacing
    values: list[float] = field(default_factory=list)

    def plain(self, goal: float) -> dict[str, Any]:
        sizes = np.abs(self.values)
        claimed = (self.kind, self.spacing) in CLAIMS
        return {
            "model": self.kind,
            "simulation": self.spacing,
            "configurations": len(sizes),
            "meanError": float(sizes.mean()) if len(sizes) else None,
            "worstError": float(sizes.max()) if len(sizes) else None,
            "bias": float(np.mean(self.values)) if self.values else None,
            "goal": goal if claimed else None,
            "good": bool(len(sizes) > 0 and sizes.mean() <= goal) if claimed else None,
        }


def drawn(rng: np.random.Generator) -> Configuration:
    """A random configuration; half of them know the length of a gap."""
    capture = CAPTURES[rng.integers(len(CAPTURES))]
    rates = rates_on_offer(capture)
    gap = Fraction(int(rng.integers(5, 100)), 10)
    return Configuration(
        capture_fps=capture,
        fps=rates[rng.integers(len(rates))],
        length_seconds=Fraction(int(rng.integers(2, 60)), 10),
        gap_seconds=gap if rng.random() < 0.5 else None,
        frequency=float(rng.uniform(0.05, 0.9)),
        p=float(rng.uniform(0.3, 0.99)),
        q=float(rng.uniform(0.002, 0.3)),
        inside=float(rng.uniform(0, 0.95)),
        outside=float(rng.uniform(0, 0.95)),
        votes=int(rng.integers(1, 5)),
    )


def compared(configurations: int, windows: int, seed: int) -> Iterator[tuple[Kind, Spacing, float]]:
    """Errors, configuration by configuration; each has random numbers of its own."""
    kinds: tuple[Kind, ...] = ("corrected, as sampled", "corrected, ideal (Eq. 1)", "legacy")
    spacings: tuple[Spacing, ...] = ("real slots", "even")
    for number in range(configurations):
        rng = np.random.default_rng([seed, number])
        configuration = drawn(rng)
        simulated = {spacing: configuration.simulated(rng, spacing, windows) for spacing in spacings}
        for kind in kinds:
            if kind == "legacy" and configuration.gap_seconds:
                continue  # it knows no gaps
            for spacing, counted in simulated.items():
                yield kind, spacing, configuration.modelled(kind) - counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--windows", type=int, default=100_000, help="of each kind and configuration")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--goal", type=float, default=GOAL, help="mean error of F1 at most")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    started = time.perf_counter()
    pairs: dict[tuple[Kind, Spacing], Errors] = {}
    for kind, spacing, error in compared(arguments.configurations, arguments.windows, arguments.seed):
        pairs.setdefault((kind, spacing), Errors(kind, spacing)).values.append(error)
    rows = [errors.plain(arguments.goal) for errors in pairs.values()]
    if arguments.output == "json":
        print(json.dumps({"seed": arguments.seed, "windows": arguments.windows, "rows": rows}, indent=2))
    else:
        show(rows, f"{arguments.windows:,} windows each, {time.perf_counter() - started:.0f} s")
    claims = [row["good"] for row in rows if row["good"] is not None]
    return int(not claims or not all(claims))


def show(rows: list[dict[str, Any]], title: str) -> None:
    table = Table("model", "looks of the simulation", "n", "mean |error|", "worst", "bias", "goal", title=title)
    for row in rows:
        good = {None: "", True: "yes", False: "[red]NO[/red]"}[row["good"]]
        table.add_row(
            *(row["model"], row["simulation"], f"{row['configurations']}", f"{row['meanError']:.4f}"),
            *(f"{row['worstError']:.4f}", f"{row['bias']:+.4f}", f"at most {row['goal']:g}: {good}" if good else ""),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
