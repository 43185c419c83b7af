"""Measured event F1 of Mainstream, Max-Sharing and No-Sharing at five budgets, on the demo's scene.

    python benchmarks/event_f1.py [--seeds 11 12 13] [--directory build/event_f1] [--verify] [--figures docs/figures]

For each seed: streams and training videos of their own, composed and then trained, profiled and planned by the user's own
verbs. Every candidate's probabilities on every test frame are computed once, by the runner's engine on one merged graph;
each schedule is then *replayed*: the runner's own loop samples, votes and emits, and gets the recorded probabilities for an
engine (``scores.py``). ``--verify`` runs one schedule for real and compares.

Finished parts are kept in the directory; a second call only draws what is missing.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from event_f1_report import draw, show, write_csv
from leads import Measured, measure, summarise
from scores import TEST_FRAMES, record, replay

from mainstream.cli.output import Output
from mainstream.evaluation.matching import Interval
from mainstream.events_csv import read_events_csv
from mainstream.packages.folder import StoreFolder
from mainstream.resources.manifests import load
from mainstream.scheduling.decide import Plan
from mainstream.scheduling.planning import choose_edge_node, decide, prepare, with_utilization
from mainstream_demo import manifests
from mainstream_demo.compose import compose
from mainstream_demo.figures import NAMES, POLICIES, Policy
from mainstream_demo.settings import DEMO, Settings
from mainstream_demo.story import WEIGHTS
from mainstream_demo.video import write_text

MAINSTREAM = (sys.executable, "-c", "from mainstream.cli.main import main; main()")


def settings(seed: int) -> Settings:
    """The demo's, with longer test streams."""
    return replace(DEMO, seed=seed, test_frames=TEST_FRAMES)


def prepare_seed(root: Path, seed: int, profiled: Path | None) -> None:
    """Compose, import, train, profile; each is passed over when it is there.

    ``profiled`` is the folder of a seed that was profiled before: one machine has one profile, so that budgets mean the same.
    """
    chosen = settings(seed)
    if not (root / "data/test/events.csv").exists():
        compose(chosen, root / "data", Output())
    write_text(root / "manifests/edge-node.yaml", manifests.edge_node(chosen))
    for stream in chosen.streams:
        write_text(root / f"manifests/{stream}.yaml", manifests.applications(chosen, stream))
    name = manifests.base_dnn(chosen)
    network = ("--architecture", "MobileNet", "--alpha", "1.0", "--input-size", str(chosen.input_size))
    verb(root, "import", "base", "import", *network, "--weights", str(WEIGHTS), "--name", name, "--store", "store")
    verb(root, "train", "train", "-f", "manifests", "--store", "store")
    if profiled is None:
        verb(root, "profile", "profile", "-f", "manifests", "--store", "store")
    else:
        shutil.copytree(profiled / "store/profiles", root / "store/profiles", dirs_exist_ok=True)


def verb(root: Path, stamp: str, *arguments: str) -> None:
    """Run a verb in the seed's folder, once."""
    done = root / f".{stamp}-done"
    if not done.exists():
        started = time.monotonic()
        subprocess.run([*MAINSTREAM, *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL)
        done.write_text(f"{time.monotonic() - started:.1f}\n")


def verify(root: Path, plan: Plan, utilization: float, policy: Policy, events: Mapping[str, list[Interval]]) -> bool:
    """Whether the real ``mainstream run`` emits exactly the replayed events."""
    file = root / f"verify-{policy}-{utilization:g}.jsonl"
    arguments = ("run", "-f", "manifests", "--store", "store", "--fast", "--until-end", "--sharing", policy)
    budget = ("--utilization", f"{utilization:g}", "--events", file.name)
    subprocess.run([*MAINSTREAM, *arguments, *budget], cwd=root, check=True, stdout=subprocess.DEVNULL)
    real: dict[str, list[Interval]] = {app.app: [] for app in plan.schedule.apps}
    for line in file.read_text().splitlines():
        item = json.loads(line)
        if item["type"] == "dev.mainstream.event.ended":
            real[item["data"]["app"]].append((item["data"]["startFrame"], item["data"]["endFrame"]))
    return all(sorted(real[app]) == sorted(events[app]) for app in real) and real.keys() == events.keys()


def run_seed(root: Path, seed: int, check: bool, profiled: Path | None) -> list[Measured]:
    """All budgets and policies of one seed."""
    prepare_seed(root, seed, profiled)
    read = load(root / "manifests")
    assembled = prepare(read, StoreFolder(root / "store"), choose_edge_node(read))
    truth = read_events_csv(root / "data/test/events.csv")
    rows: list[Measured] = []
    scores: dict[str, dict[str, np.ndarray]] = {}
    for utilization in DEMO.utilizations:
        for policy in POLICIES:
            plan = decide(with_utilization(assembled, utilization), read, sharing=policy)
            for stream in DEMO.streams:
                if stream not in scores:
                    full = decide(with_utilization(assembled, 100), read, sharing="Mainstream")
                    scores[stream] = record(root, full, assembled, stream)
            events = replay(plan.schedule, scores)
            if check and utilization == DEMO.utilizations[len(DEMO.utilizations) // 2]:
                same = verify(root, plan, utilization, policy, events)
                print(f"replay equals `mainstream run` ({NAMES[policy]}, {utilization:g} %): {'yes' if same else 'NO'}")
                assert same
            rows += measure(seed, utilization, policy, plan, events, truth)
            mean = np.mean([row.f1 for row in rows[-len(assembled.members) :]])
            print(f"seed {seed}, {utilization:3g} %, {NAMES[policy]:12}: F1 {mean:.3f}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--directory", type=Path, default=Path("build/event_f1"))
    parser.add_argument("--verify", action="store_true", help="run the middle budget for real and compare events")
    parser.add_argument("--figures", type=Path, help="write event_f1.png and CSV files there")
    parser.add_argument(
        "--profiled", type=Path, help="a folder with store/profiles of this machine; none is taken then"
    )
    options = parser.parse_args()
    rows: list[Measured] = []
    profiled: Path | None = options.profiled
    for seed in options.seeds:
        root = options.directory.resolve() / f"seed-{seed}"
        root.mkdir(parents=True, exist_ok=True)
        rows += run_seed(root, seed, options.verify and seed == options.seeds[0], profiled)
        profiled = profiled or root
    lines = summarise(rows)
    good = show(lines, rows)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
        write_csv(options.figures / "event_f1.csv", lines)
        fields = [name for name in Measured.__slots__ if name != "blocks"]
        write_csv(options.figures / "event_f1_apps.csv", [{f: getattr(row, f) for f in fields} for row in rows])
        draw(options.figures / "event_f1.png", lines, len(options.seeds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
