"""Goals and how they were met; the table of what a frame takes."""

import os
import statistics
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure and what it must be."""

    what: str
    value: float
    text: str
    good: bool


def at_most(what: str, value: float, limit: float, unit: str = "") -> Goal:
    return Goal(what=what, value=value, text=f"at most {limit:g}{unit}", good=value <= limit)


def at_least(what: str, value: float, limit: float) -> Goal:
    return Goal(what=what, value=value, text=f"at least {limit:g}", good=value >= limit)


def show(turns: dict[str, Turns], goals: list[Goal], *, title: str, seconds: float) -> None:
    """Two tables."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    table = Table(title=f"ms per frame, medians; {title}", caption=f"load averages: {load}")
    for column in ("", "engine", "quartiles", "whole (CPU)", "decoding", "conversion", "other"):
        table.add_column(column, justify="left" if not column else "right")
    for name, turn in turns.items():
        low, _, high = statistics.quantiles(turn.engine, n=4)
        cells = [statistics.median(v) if v else None for v in (turn.whole, turn.decode, turn.convert, turn.other)]
        table.add_row(
            name,
            f"{statistics.median(turn.engine) * 1e3:.2f}",
            f"{low * 1e3:.2f} to {high * 1e3:.2f}",
            *("" if cell is None else f"{cell * 1e3:.2f}" for cell in cells),
        )
    console = Console(width=130)
    console.print(table)
    console.print(goal_table(goals, title=f"goals ({seconds:.0f} s in all)"))


def goal_table(goals: list[Goal], *, title: str) -> Table:
    """What was measured beside what it must be."""
    table = Table(title=title)
    for column in ("", "measured", "goal", ""):
        table.add_column(column)
    for goal in goals:
        table.add_row(goal.what, f"{goal.value:.3f}", goal.text, "yes" if goal.good else "[red]NO[/red]")
    return table
