"""``mainstream plan --sweep``: a table and, where asked, a figure of F1 against budget or number of apps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from mainstream.cli.main import require
from mainstream.errors import InputError
from mainstream.scheduling.sweep import WAYS, Range, Step

if TYPE_CHECKING:
    from mainstream.scheduling.assemble import Assembled

COLOURS = {"Mainstream": "#1f6fb2", "Greedy": "#5aa469", "Max-Sharing": "#d9822b", "No-Sharing": "#8a8f98"}


def sweep_table(assembled: "Assembled", over: Range, steps: Sequence[Step]) -> Table:
    """Mean F1 by value and way; an app that is not admitted counts as 0."""
    table = Table(title=f"EdgeNode {assembled.edge_node.metadata.name}: mean F1", title_justify="left")
    table.add_column("utilization, %" if over.what == "utilization" else "apps", justify="right")
    for way in WAYS:
        table.add_column(way.name, justify="right")
    for heading in ("admitted", "cost", "proven"):
        table.add_column(heading, justify="right")
    for value, step in zip(over.values, steps, strict=True):
        table.add_row(
            f"{value:g}",
            *(f"{step.mean_f1[way.name]:.3f}" for way in WAYS),
            f"{step.admitted} of {step.apps}",
            f"{step.cost:.4f}",
            "yes" if step.proven else "no",
        )
    return table


def draw_sweep(path: Path, over: Range, steps: Sequence[Step]) -> None:
    """The same as a figure (PNG, SVG or PDF, by the name's end)."""
    require("figures", "matplotlib")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), constrained_layout=True)
    for way in WAYS:
        style = "--" if way.name == "Greedy" else "o-"
        values = [step.mean_f1[way.name] for step in steps]
        axes.plot(over.values, values, style, color=COLOURS[way.name], label=way.name, markersize=4)
    what = "budget: per cent of one engine's time" if over.what == "utilization" else "applications"
    axes.set(xlabel=what, ylabel="mean event F1, predicted", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write the figure: {error}", where=path, remedy="Name a .png, .svg or .pdf file."
        ) from None
    finally:
        plt.close(figure)
