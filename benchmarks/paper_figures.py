"""The paper's figures 4 to 9 again: its authors' series, their scheduler run by us, and the proven optimum beside them.

``python benchmarks/paper_figures.py [--vectors DIR] [--only fig8] [--redraw] [--figures DIR]`` writes a CSV and a PNG for each
figure; docs/paper-figures.md says what reproduces and what does not. The vectors hold the authors' workloads, curves and layer
costs and are not part of this repository: without them ``--redraw`` draws the CSV that is, and figure 5 needs none.
Exit status 1 if the authors' greedy, run by us, differs from what they recorded, or a figure could not be computed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paper_drawing import draw
from paper_models import looks, sharing, voting
from paper_rows import CORRECTED, GREEDY, OPTIMUM, PAPER, Figure, read, write
from paper_workloads import NUC, RECORDED_DIGITS, SHARINGS, TIGHT, Means, corrected_over_apps, over_apps, over_budgets
from vectors import DEFAULT_VECTORS

NAMES = ("fig4", "fig5", "fig6", "fig6_corrected", "fig7", "fig8", "fig9")
SERIES, OPTIMA = "figures.json", "optimal_means_100workloads.json"
NEEDED = {
    "fig4": ("recorded_n01_10.json",),
    "fig5": (),
    "fig6": ("recorded_n01_10.json", "recorded_n15_30.json", SERIES),
    "fig6_corrected": ("recorded_n01_10.json", "recorded_n15_30.json"),
    "fig7": ("recorded_n01_10.json", "recorded_n15_30.json", SERIES),
    "fig8": ("recorded_n01_10.json", SERIES, OPTIMA),
    "fig9": ("recorded_n01_10.json", SERIES),
}
HERE = Path(__file__).parents[1] / "docs/figures"


class Computed:
    """Figures from the vectors; ``means`` knows how well the authors' greedy agrees with what they recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.means = folder, Means(folder)

    def figure(self, name: str) -> Figure:
        makers: dict[str, Callable[[], Figure]] = {
            "fig4": lambda: sharing(self.folder),
            "fig5": looks,
            "fig6": lambda: over_apps(self.means, self._series("fig6_fig7_b150"), budget=TIGHT),
            "fig6_corrected": lambda: corrected_over_apps(self.means, budget=TIGHT),
            "fig7": lambda: over_apps(self.means, self._series("fig7_b300"), budget=NUC),
            "fig8": lambda: over_budgets(self.means, self._series("fig8_n3"), self._json(OPTIMA)),
            "fig9": lambda: voting(self.folder, self._json(SERIES)),
        }
        return makers[name]()

    def _series(self, name: str) -> dict[str, Any]:
        return dict(self._json(SERIES)[name])

    def _json(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / name).read_text()))


def summary(figures: dict[str, Figure]) -> None:
    """The figures' numbers that docs/paper-figures.md quotes."""
    for name in ("fig6", "fig7", "fig8"):
        if name not in figures:
            continue
        figure = figures[name]
        for policy in SHARINGS:
            apart = figure.farthest("f1", PAPER, GREEDY, policy)
            print(f"{name}, {policy}: means of F1, published against run again, differ by at most {apart:.4f}")
        for x in figure.line("f1", PAPER, "Mainstream")[0]:
            line = f"  {x:5g}:"
            for source in (PAPER, GREEDY, OPTIMUM):
                values = [figure.at("f1", source, policy, x) for policy in SHARINGS]
                ratios = ", ".join(f"{values[0] / value:.3g}" for value in values[1:])
                line += f"  {source} {values[0]:.3f} {values[1]:.3f} {values[2]:.3f} (x {ratios})"
            print(line)
    if "fig6_corrected" in figures:
        figure = figures["fig6_corrected"]
        for apps in figure.line("f1", CORRECTED, "Mainstream")[0]:
            values = [figure.at("f1", CORRECTED, policy, apps) for policy in SHARINGS]
            print(f"corrected, {apps:2g} apps: " + " ".join(f"{value:.3f}" for value in values))
    if "fig9" in figures:
        figure = figures["fig9"]
        worst = max(
            figure.farthest("train", "vectors", OPTIMUM, series) for series in figure.series("train", "vectors")
        )
        print(f"fig9, train: optimum and the vectors' differ by at most {worst:.1e} (CSV's digits)")
        for apps in (1, 5, 10, 15, 20, 25, 30):
            print(
                f"  {apps:5d}: "
                + "; ".join(
                    f"{task} "
                    + ", ".join(f"{source} {_most(figure, task, source, apps)}" for source in (PAPER, OPTIMUM))
                    for task in ("train", "pedestrian")
                )
            )


def _most(figure: Figure, task: str, source: str, apps: int) -> str:
    f1 = {}
    for votes in figure.series(task, source):
        x, y = figure.line(task, source, votes)
        if votes != "best" and apps in x:
            f1[votes] = y[list(x).index(apps)]
    votes = max(f1, key=lambda one: f1[one])
    return f"{f1[votes]:.3f} with {votes} votes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, default=DEFAULT_VECTORS)
    parser.add_argument("--figures", type=Path, default=HERE, help="where CSV and PNG lie")
    parser.add_argument("--only", choices=NAMES, help="compute this one and draw the others from their CSV")
    parser.add_argument("--redraw", action="store_true", help="draw from the CSV, without any vectors")
    arguments = parser.parse_args()
    arguments.figures.mkdir(parents=True, exist_ok=True)
    wanted = [] if arguments.redraw else [arguments.only] if arguments.only else list(NAMES)
    missing = {
        name: absent for name in wanted if (absent := [f for f in NEEDED[name] if not (arguments.vectors / f).exists()])
    }
    for name, absent in missing.items():
        print(f"{name} is not computed: no {', '.join(absent)} in {arguments.vectors} (--vectors DIR)", file=sys.stderr)
    computed = Computed(arguments.vectors)
    for name in wanted:
        if name not in missing:
            started = time.perf_counter()
            write(arguments.figures / f"{name}.csv", computed.figure(name))
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    figures = {name: read(path) for name in NAMES if (path := arguments.figures / f"{name}.csv").exists()}
    draw(figures, arguments.figures)
    summary(figures)
    again = computed.means.recomputed
    if again.compared:
        print(f"authors' greedy against {again.compared} recorded schedules: F1 differs by at most {again.worst:.1e}")
    return int(bool(missing) or again.worst > RECORDED_DIGITS)


if __name__ == "__main__":
    sys.exit(main())
