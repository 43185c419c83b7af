"""The paper's figures from their points. Colour says which policy or series, the kind of line whose number it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from paper_rows import CORRECTED, GREEDY, MODEL, OPTIMUM, PAPER, SIMULATED, Figure

mpl.use("Agg")
import matplotlib.pyplot as plt

POLICIES = {
    "Mainstream": ("Mainstream", "#1f6fb2"),
    "MaxSharing": ("Max-Sharing", "#d9822b"),
    "NoSharing": ("No-Sharing", "#6b7280"),
}
STYLES: dict[str, dict[str, Any]] = {
    PAPER: {"linestyle": "", "marker": "o", "markersize": 5, "markerfacecolor": "none"},
    GREEDY: {"linestyle": "--", "linewidth": 1.2},
    OPTIMUM: {"linestyle": "-", "linewidth": 1.8},
}
LABELS = {
    PAPER: "published (100 workloads)",
    GREEDY: "their greedy, run again",
    OPTIMUM: "optimum, same model",
}
MEASURES = {
    "f1": "mean event F1",
    "recall": "mean recall",
    "precision": "mean precision",
    "fps": "frames per second",
    "rel_acc": "relative frame accuracy",
}
RATIOS = frozenset(MEASURES) - {"fps"}

plt.rcParams.update(
    {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
)


def draw(figures: dict[str, Figure], folder: Path) -> None:
    """A PNG for each of the figures of which there are points."""
    for name, drawn in DRAWERS.items():
        if name in figures:
            canvas = drawn(figures)
            canvas.savefig(folder / f"{name}.png", dpi=150)
            plt.close(canvas)


def _policies(axes: Any, figure: Figure, panel: str) -> None:
    for source, style in STYLES.items():
        for series, (_, colour) in POLICIES.items():
            x, y = figure.line(panel, source, series)
            axes.plot(x, y, color=colour, **style)
    axes.set(ylabel=MEASURES[panel], ylim=(0, 1.02) if panel in RATIOS else (0, None))


def _legend(canvas: Any) -> None:
    handles = [mpl.lines.Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in POLICIES.values()]
    handles += [
        mpl.lines.Line2D([], [], color="black", label=LABELS[source], **style) for source, style in STYLES.items()
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8.5)


def _sharing(figures: dict[str, Figure]) -> Any:
    figure = figures["fig4"]
    canvas, (left, right) = plt.subplots(1, 2, figsize=(10.2, 4.0), layout="constrained")
    shades = plt.get_cmap("viridis")
    names = figure.series("fps", MODEL)
    for place, apps in enumerate(names):
        x, y = figure.line("fps", MODEL, apps)
        left.plot(x, y, ".-", color=shades(place / len(names)), label=f"{apps} app" + "s" * (apps != "1"))
    left.set(
        xlabel="share of the layers that is shared",
        ylabel="frames per second of all apps",
        ylim=(0, None),
        title="(a) rate at the NUC's budget, by layer costs",
    )
    left.legend(fontsize=8, ncols=2)
    colours = plt.get_cmap("tab10")
    for place, name in enumerate(figure.series("accuracy", PAPER)):
        x, y = figure.line("accuracy", PAPER, name)
        right.plot(x, y, ".-", color=colours(place), label=name)
    right.set(
        xlabel="share of the layers that is not specialised",
        ylabel="accuracy of a frame",
        ylim=(0, 1.02),
        title="(b) accuracy of the authors' nine classifiers",
    )
    right.legend(fontsize=8, ncols=2, loc="lower left")
    canvas.suptitle("Figure 4 for MobileNet-224: what sharing saves, and what it costs", fontsize=10.5)
    return canvas


def _looks(figures: dict[str, Figure]) -> Any:
    figure = figures["fig5"]
    canvas, (left, right) = plt.subplots(1, 2, figsize=(10.2, 4.0), layout="constrained", sharey=True)
    colours = {"uncorrelated": "#1f6fb2", "correlation 0.6": "#d9822b", "fully correlated": "#6b7280"}
    for series, colour in colours.items():
        left.plot(*figure.line("Equations 1 to 4", MODEL, series), color=colour, label=series)
    left.plot(
        *figure.line("Equations 1 to 4", MODEL, "published code"),
        "--",
        color=colours["correlation 0.6"],
        label="0.6, published code",
    )
    left.set(title="(a) Equations 1 to 4", ylabel="recall")
    shades = dict(zip(figure.series("corrected", MODEL), ("#1f6fb2", "#d9822b", "#a02c5a"), strict=True))
    for series, colour in shades.items():
        right.plot(*figure.line("corrected", MODEL, series), color=colour, label=f"model, {series}")
        right.plot(
            *figure.line("corrected", SIMULATED, series), "o", color=colour, markerfacecolor="none", markersize=5
        )
    right.plot([], [], "o", color="black", markerfacecolor="none", label="simulated")
    right.set(title="(b) corrected, with the frames that the sampler takes")
    for axes in (left, right):
        axes.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlabel="frames per second (dotted: one look per event)", ylim=(0, 1.02))
        axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10, 15], ["0.1", "0.2", "0.5", "1", "2", "5", "10", "15"])
        axes.minorticks_off()
        axes.legend(fontsize=8, loc="upper left", frameon=False)
    canvas.suptitle(
        "Figure 5: recall by sample rate; events of one second, p = 0.72, 15 frames per second", fontsize=10.5
    )
    return canvas


def _policies_by_apps(figures: dict[str, Figure]) -> Any:
    panels = ("f1", "rel_acc", "fps")
    canvas, row = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for axes, panel in zip(row, panels, strict=False):
        _policies(axes, figures["fig6"], panel)
    for policy, (_, colour) in POLICIES.items():
        row[3].plot(*figures["fig6_corrected"].line("f1", CORRECTED, policy), color=colour, **STYLES[OPTIMUM])
    row[3].set(ylim=(0, 1.02), ylabel="mean event F1", title="corrected model, same rates for all")
    for axes in row:
        axes.set(xlabel="applications")
        axes.title.set_fontsize(9)
    canvas.suptitle("Figure 6: three policies at budget 150 (7.2 whole MobileNets per second)", fontsize=10.5)
    _legend(canvas)
    return canvas


def _balance(figures: dict[str, Figure]) -> Any:
    panels = ("f1", "recall", "precision", "fps")
    canvas, rows = plt.subplots(2, 4, figsize=(13, 6.2), layout="constrained", sharex=True)
    for row, (name, budget) in zip(rows, (("fig6", "150"), ("fig7", "300 (NUC)")), strict=True):
        for axes, panel in zip(row, panels, strict=True):
            _policies(axes, figures[name], panel)
            axes.set_title(f"budget {budget}", fontsize=9)
            if panel == "fps":
                axes.set_ylim(0, 10)
    for axes in rows[1]:
        axes.set_xlabel("applications")
    canvas.suptitle("Figure 7: how recall, precision and rate are balanced", fontsize=10.5)
    _legend(canvas)
    return canvas


def _budgets(figures: dict[str, Figure]) -> Any:
    figure = figures["fig8"]
    canvas, (left, right) = plt.subplots(1, 2, figsize=(10.8, 4.2), layout="constrained")
    _policies(left, figure, "f1")
    left.set(xlabel="budget (300: an Intel NUC)", title="(a) three applications")
    wanted = [
        name for name in ("3 apps", "10 apps", "20 apps", "30 apps") if name in figure.series("gain in %", OPTIMUM)
    ]
    shades = plt.get_cmap("viridis")
    for place, name in enumerate(wanted):
        x, y = figure.line("gain in %", OPTIMUM, name)
        right.plot(x, y, "o-", color=shades(place / len(wanted)), label=name, markersize=4)
    right.set(
        xlabel="budget",
        ylabel="% more mean F1",
        ylim=(0, None),
        title="(b) the optimum over the authors' greedy, their 100 workloads",
    )
    right.legend(fontsize=8)
    canvas.suptitle("Figure 8: F1 by budget", fontsize=10.5)
    _legend(canvas)
    return canvas


def _voting(figures: dict[str, Figure]) -> Any:
    figure = figures["fig9"]
    tasks = [task for task in ("train", "pedestrian") if figure.series(task, PAPER)]
    canvas, rows = plt.subplots(len(tasks), 2, figsize=(10.2, 3.4 * len(tasks)), layout="constrained", sharey=True)
    shades = plt.get_cmap("turbo")
    for row, task in zip(rows, tasks, strict=True):
        for axes, source, title in zip(
            row, (PAPER, OPTIMUM), ("as published", "optimum, with the stem's right cost"), strict=True
        ):
            for votes in figure.series(task, OPTIMUM):
                best = votes == "best"
                colour = "black" if best else shades((int(votes) - 0.5) / 7)
                style = {"linestyle": ":", "linewidth": 2.2} if best else {"linewidth": 1.4}
                label = "best of all" if best else f"{votes} vote" + "s" * (votes != "1")
                axes.plot(*figure.line(task, source, votes), color=colour, label=label, **style)
            axes.set(title=f"{task}: {title}", ylim=(0, 1.02), xlabel="applications")
        row[0].set_ylabel("mean event F1")
    handles, labels = rows[0][1].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=8, frameon=False, fontsize=8.5)
    canvas.suptitle(
        "Figure 9: votes, by the number of equal applications; budget 350, 15 frames per second", fontsize=10.5
    )
    return canvas


DRAWERS: dict[str, Callable[[dict[str, Figure]], Any]] = {
    "fig4": _sharing,
    "fig5": _looks,
    "fig6": _policies_by_apps,
    "fig7": _balance,
    "fig8": _budgets,
    "fig9": _voting,
}
