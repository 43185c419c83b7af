"""A real cluster of two nodes on this machine: how soon an app runs, and what long outages cost.

    python benchmarks/cluster.py [--changes 5] [--outage-seconds 120] [--json FILE]

The chart, the example of the belt (with its trainings), and a second box. One more app, which brings its package, comes and
goes: seconds from ``kubectl apply`` (or ``delete``) to the runner's report of the new schedule, and what the runner's counters
say was lost meanwhile. Then nothing happens, the second box loses its network, and the API server stops answering, each for
``--outage-seconds``: recall of that time's events by what arrived in the end; an outage may cost nothing. A good quarter of an
hour. Needs root and ``make cluster-tools``.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fleet_hosts import say
from goals import at_least, at_most, goal_table
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cluster.belt import GREEN, counters, running_belt, seconds_to_report
from tests.cluster.built_images import load_registry_image, start_registry
from tests.cluster.nodes import Cluster, running_cluster
from tests.cluster.second_box import (
    Outage,
    SecondBox,
    running_second_box,
    undisturbed,
    without_answers,
    without_network,
)


def main() -> int:
    """See the module; exit status 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=5, help="how often the app comes and goes")
    parser.add_argument("--outage-seconds", type=float, default=120)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_cluster(2) as cluster:
        folder = Path(name)
        for part in ("registry", "belt", "second"):
            (folder / part).mkdir()
        load_registry_image(cluster, folder)
        registry = start_registry(cluster, folder / "registry")
        say("installing the chart and the belt; two trainings")
        with running_belt(cluster, registry, folder / "belt"):
            figures = _changes(cluster, arguments.changes)
            say("a second box")
            with running_second_box(cluster, registry.images["examples"], folder / "second") as second:
                figures |= _outages(second, arguments.outage_seconds)
    hardly_less = 0.95 * figures["undisturbedRecall"]
    goals = [
        at_most("app added: apply to report, median s", figures["addSeconds"], 10),
        at_most("app deleted: delete to report, median s", figures["deleteSeconds"], 10),
        at_most("frames lost meanwhile", figures["framesLost"], 0),
        at_most("pods restarted", figures["podsRestarted"], 0),
        at_least("undisturbed: recall", figures["undisturbedRecall"], 0.5),
        at_least("no network: recall of that time's events", figures["unpluggedRecall"], hardly_less),
        at_least("no API server: recall of that time's events", figures["unansweredRecall"], hardly_less),
        at_most("API server back: apply to report, s", figures["afterOutageSeconds"], 30),
    ]
    Console(width=110).print(goal_table(goals, title="a real cluster of two nodes"))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(goal.good for goal in goals) else 1


def _changes(cluster: Cluster, count: int) -> dict[str, float]:
    """The same app comes and goes; all counters of the box before and after."""
    before = counters(cluster.plane)
    seconds: dict[str, list[float]] = {"apply": [], "delete": []}
    with cluster.plane.client() as client:
        for number in range(count):
            for verb, taken in seconds.items():
                taken.append(seconds_to_report(cluster.plane, client, verb))
                say(f"{number + 1}/{count} {verb}: reported after {taken[-1]:.1f} s")
                time.sleep(5)  # the runner's frames under this schedule count, too
    after = counters(cluster.plane)
    lost = sum(after["missing"].values()) - sum(before["missing"].values())
    lost += sum(sum(after["dropped"][app].values()) - sum(old.values()) for app, old in before["dropped"].items())
    return {
        "addSeconds": statistics.median(seconds["apply"]),
        "deleteSeconds": statistics.median(seconds["delete"]),
        "worstSeconds": max(seconds["apply"] + seconds["delete"]),
        "framesLost": float(lost),
        "framesAnalysed": float(sum(after["analysed"][app] - old for app, old in before["analysed"].items())),
        "podsRestarted": float(before["pod"] != after["pod"]),
    }


def _outages(second: SecondBox, seconds: float) -> dict[str, float]:
    say(f"nothing happens for {seconds:g} s")
    quiet = undisturbed(second, seconds)
    say(f"{quiet}\nthe second box has no network for {seconds:g} s")
    unplugged = without_network(second, seconds)
    say(f"{unplugged}\nthe API server answers nobody for {seconds:g} s")
    unanswered = without_answers(second, seconds)
    say(str(unanswered))
    with second.cluster.plane.client() as client:
        after = seconds_to_report(second.cluster.plane, client, "apply")
    second.cluster.plane.did("delete", "--filename", GREEN)
    return {
        **_figures("undisturbed", quiet),
        **_figures("unplugged", unplugged),
        **_figures("unanswered", unanswered),
        "afterOutageSeconds": after,
    }


def _figures(name: str, outage: Outage) -> dict[str, Any]:
    return {f"{name}Recall": outage.events.recall, f"{name}TrueEvents": len(outage.events.true_events)}


if __name__ == "__main__":
    sys.exit(main())
