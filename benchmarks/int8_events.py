"""Measured event F1 of the demo's applications on the f32 and on the int8 base DNN, at the same budgets.

    python benchmarks/int8_events.py [--seeds 11 12 13] [--streams 3] [--apps apple orange broccoli] [--frames 2400]

For each seed: streams and training videos of their own; both base DNNs are imported, trained on, profiled and planned by the
user's own verbs, and schedules are replayed with recorded probabilities as ``event_f1.py`` does. The generous budget is the
smallest whole per cent of the engine's time at which the plan on the f32 base DNN expects at most ``NEAR`` less than with all
of it; both base DNNs get that budget, then a quarter of it. Finished parts are kept in the directory.
"""

import argparse
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from event_f1 import verb
from leads import measure
from rich.console import Console
from rich.table import Table
from scores import record, replay

from mainstream.basednn import Precision
from mainstream.cli.output import Output
from mainstream.events_csv import read_events_csv
from mainstream.packages.folder import StoreFolder
from mainstream.resources.manifests import load
from mainstream.scheduling.planning import choose_edge_node, decide, prepare, with_utilization
from mainstream_demo import manifests
from mainstream_demo.compose import compose
from mainstream_demo.settings import DEMO, Settings
from mainstream_demo.story import WEIGHTS
from mainstream_demo.video import write_text

PRECISIONS: tuple[Precision, ...] = ("f32", "int8")
NEAR = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Mean event F1 over the applications of a seed at one budget; one that is not admitted counts as 0."""

    seed: int
    budget: str
    utilization: float
    precision: Precision
    f1: float
    predicted: float
    int8_branches: int
    """Of the applications, how many have an int8 branch."""


def prepare_seed(root: Path, settings: Settings, apps: list[str], profiled: Path | None) -> None:
    """Compose, import, train, profile; each is passed over when it is there. ``profiled``: as in ``event_f1.py``."""
    if not (root / "data/test/events.csv").exists():
        compose(settings, root / "data", Output())
    network = ("--architecture", "MobileNet", "--alpha", "1.0", "--input-size", str(settings.input_size))
    for precision in PRECISIONS:
        write_text(root / precision / "edge-node.yaml", manifests.edge_node(settings))
        for stream in settings.streams:
            documents = yaml.safe_load_all(manifests.applications(settings, stream, precision=precision))
            kept = [one for one in documents if one["metadata"]["name"] in apps]
            write_text(root / precision / f"{stream}.yaml", yaml.safe_dump_all(kept))
        name = manifests.base_dnn(settings, precision)
        made = ("--weights", str(WEIGHTS), "--precision", precision, "--name", name, "--store", "store")
        verb(root, f"import-{precision}", "base", "import", *network, *made)
        verb(root, f"train-{precision}", "train", "-f", precision, "--store", "store")
        if profiled is None:
            verb(root, f"profile-{precision}", "profile", "-f", precision, "--store", "store")
    if profiled is not None:
        shutil.copytree(profiled / "store/profiles", root / "store/profiles", dirs_exist_ok=True)


def run_seed(root: Path, settings: Settings, apps: list[str], profiled: Path | None) -> list[Row]:
    """Both base DNNs at both budgets."""
    prepare_seed(root, settings, apps, profiled)
    truth = read_events_csv(root / "data/test/events.csv")
    rows = []
    generous = 0.0
    for precision in PRECISIONS:
        read = load(root / precision)
        assembled = prepare(read, StoreFolder(root / "store"), choose_edge_node(read))
        full = decide(with_utilization(assembled, 100), read)
        if not generous:
            enough = (
                p for p in range(1, 101) if decide(with_utilization(assembled, p), read).mean_f1 >= full.mean_f1 - NEAR
            )
            generous = float(next(enough))
        scores = {
            stream: record(root, full, assembled, stream, frames=settings.test_frames, kept_as=f"scores-{precision}")
            for stream in settings.streams
        }
        for budget, utilization in (("generous", generous), ("a quarter of it", generous / 4)):
            plan = decide(with_utilization(assembled, utilization), read)
            events = replay(plan.schedule, scores, frames=settings.test_frames)
            measured = measure(settings.seed, utilization, "Mainstream", plan, events, truth)
            rows.append(
                Row(
                    seed=settings.seed,
                    budget=budget,
                    utilization=utilization,
                    precision=precision,
                    f1=float(np.mean([row.f1 for row in measured])),
                    predicted=float(np.mean([row.predicted for row in measured])),
                    int8_branches=sum(app.precision == "int8" for app in plan.schedule.apps),
                )
            )
            print(f"seed {settings.seed}, {utilization:g} %, {precision}: F1 {rows[-1].f1:.3f}", flush=True)
    return rows


def difference(rows: list[Row], budget: str) -> float:
    """Mean over seeds of int8 minus f32."""
    f1 = {(row.seed, row.precision): row.f1 for row in rows if row.budget == budget}
    return float(np.mean([f1[seed, "int8"] - f1[seed, "f32"] for seed in {seed for seed, _ in f1}]))


def show(rows: list[Row]) -> None:
    table = Table(title="mean event F1, measured (predicted)")
    for column in ("seed", "budget", "% of the engine", "f32 base DNN", "int8 base DNN", "int8 branches"):
        table.add_column(column, justify="left" if column == "budget" else "right")
    for one in rows:
        if one.precision == "f32":
            pair = [row for row in rows if (row.seed, row.budget) == (one.seed, one.budget)]
            figures = (f"{row.f1:.3f} ({row.predicted:.3f})" for row in pair)
            table.add_row(str(one.seed), one.budget, f"{one.utilization:g}", *figures, str(pair[1].int8_branches))
    Console(width=120).print(table)


def events(given: argparse.Namespace) -> list[Row]:
    """All seeds, by the options of ``arguments``."""
    rows: list[Row] = []
    profiled: Path | None = None
    for seed in given.seeds:
        root = given.directory.resolve() / f"seed-{seed}"
        root.mkdir(parents=True, exist_ok=True)
        settings = replace(
            DEMO,
            seed=seed,
            streams=DEMO.streams[: given.streams],
            test_frames=given.frames,
            branchpoints=tuple(given.branchpoints),
        )
        rows += run_seed(root, settings, given.apps, profiled)
        profiled = profiled or root
    return rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--streams", type=int, default=3)
    parser.add_argument("--apps", nargs="+", default=["apple", "orange", "broccoli"])
    parser.add_argument("--branchpoints", nargs="+", default=[*DEMO.branchpoints])
    parser.add_argument("--frames", type=int, default=2400, help="of each test stream")
    parser.add_argument("--directory", type=Path, default=Path("build/int8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments(parser)
    given = parser.parse_args()
    rows = events(given)
    show(rows)
    plain = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
    (given.directory / "events.json").write_text(json.dumps(plain, indent=1) + "\n")
    for budget in ("generous", "a quarter of it"):
        print(f"int8 minus f32, {budget}: {difference(rows, budget):+.3f}")


if __name__ == "__main__":
    main()
