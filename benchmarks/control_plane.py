"""The operator at scale: 300 EdgeNodes and 3,000 MainstreamApps on a real API server, boxes that only talk (``fleet.py``).

    python benchmarks/control_plane.py [--nodes 300] [--apps 10] [--changes 20] [--steady-minutes 5] [--json FILE]

Says how long the operator takes from its start to settled (first with nothing decided, then started again, with an app changed
while it goes through everything), how long one app's change takes to be planned and which boxes it touches, what is written
while nothing changes, and the operator's memory.
Needs root, Go (``make cluster-tools``) and Debian's docker-registry.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml
from fleet import APPS, EDGE_NODES, Fleet, connected
from fleet_hosts import (
    ControlPlane,
    operator_settings,
    peak_bytes,
    push_packages,
    running_control_plane,
    running_operator,
    running_registry,
    say,
)
from goals import Goal, at_most, goal_table
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

SETTLE_SECONDS = 600
METRICS_PORT = 9090
WRITING = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}
OURS = ("edgenodes", "mainstreamapps", "configmaps", "secrets", "deployments", "jobs", "events", "leases")


def main() -> int:
    """See the module; exit status 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--apps", type=int, default=10, help="of each node")
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--steady-minutes", type=float, default=5.0)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_control_plane(Path(folder)) as plane,
        running_registry(Path(folder)) as registry,
    ):
        figures = asyncio.run(_measure(plane, Path(folder), registry, arguments))
    goals = [
        at_most("settled after the first start, s", figures["firstSettledSeconds"], 60),
        at_most("settled after a restart, s", figures["restartSettledSeconds"], 60),
        at_most("one app's change planned, median s", figures["changeMedianSeconds"], 2),
        at_most("boxes touched that the app does not use", figures["othersTouched"], 0),
        at_most("writes per EdgeNode in five minutes", figures["steadyWritesPerNode"], 2),
        at_most("writes of apps in five minutes", figures["steadyAppWrites"], 0),
        at_most("operator's memory, MB", figures["operatorMegabytes"], 300),
    ]
    _show(goals, figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(goal.good for goal in goals) else 1


async def _measure(plane: ControlPlane, folder: Path, registry: str, arguments: argparse.Namespace) -> dict[str, float]:
    trusted = ssl.create_default_context(cafile=str(plane.authority.ca))
    trusted.load_cert_chain(plane.authority.folder / "admin.crt", plane.authority.folder / "admin.key")
    references = push_packages(folder / "store", registry)
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(operator_settings(registry)))
    figures: dict[str, float] = {}
    async with connected(plane.authority.server, trusted) as client:
        fleet = Fleet(client, nodes=arguments.nodes, apps_each=arguments.apps, references=references)
        say(f"installing {arguments.nodes} Nodes and EdgeNodes, {arguments.nodes * arguments.apps} MainstreamApps")
        await fleet.install("default")
        await fleet.apply_apps()
        answering = asyncio.create_task(fleet.run())
        async with running_operator(plane, settings, folder / "operator.log") as operator:
            figures["firstSettledSeconds"] = await _settled(client, arguments, answering, operator, time.monotonic())
        async with running_operator(plane, settings, folder / "operator.log") as operator:
            begin = time.monotonic()
            await _ready_to_decide()
            figures["changeAtRestartSeconds"] = (await _changes(fleet, [arguments.nodes // 2]))["changeMedianSeconds"]
            figures["restartSettledSeconds"] = await _settled(client, arguments, answering, operator, begin)
            figures |= await _changes(fleet, [number * 7 for number in range(arguments.changes)])
            figures |= await _steady(client, fleet, arguments)
            figures["operatorMegabytes"] = peak_bytes(operator.pid) / 1e6
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering
    return figures


async def _settled(
    client: httpx.AsyncClient,
    arguments: argparse.Namespace,
    answering: "asyncio.Task[None]",
    operator: "subprocess.Popen[bytes]",
    begin: float,
) -> float:
    """Seconds since ``begin`` until every app and EdgeNode is Ready and nothing waits for the operator's look."""
    while time.monotonic() - begin < SETTLE_SECONDS:
        if answering.done():
            answering.result()
        if operator.poll() is not None:
            raise SystemExit(f"the operator ended with {operator.returncode}")
        nodes, apps = [await _ready(client, path) for path in (EDGE_NODES, APPS)]
        everything = (nodes["Ready"], apps["Ready"]) == (arguments.nodes, arguments.nodes * arguments.apps)
        waiting = await _waiting()
        if everything and waiting == 0:
            return time.monotonic() - begin
        say(f"  after {time.monotonic() - begin:.0f} s: EdgeNodes {dict(nodes)}, apps {dict(apps)}, waiting {waiting}")
        await asyncio.sleep(1)
    raise SystemExit(f"not settled within {SETTLE_SECONDS} s")


async def _changes(fleet: Fleet, numbers: Sequence[int]) -> dict[str, float]:
    """Change apps one by one: seconds until the box reports the new schedule, and how many other boxes got one."""
    seconds, others = [], 0
    for number in numbers:
        before = dict(fleet.settled)
        begin = time.monotonic()
        box = await fleet.change(number)
        async with fleet.changed:
            await asyncio.wait_for(fleet.changed.wait_for(lambda: fleet.settled[box] != before[box]), 60)  # noqa: B023
        seconds.append(time.monotonic() - begin)
        await asyncio.sleep(1)  # what comes late is counted, too
        others += sum(fleet.settled[name] != digest for name, digest in before.items() if name != box)
    say(f"{len(seconds)} changes: {', '.join(f'{one:.2f}' for one in sorted(seconds))} s")
    return {
        "changeMedianSeconds": statistics.median(seconds),
        "changeWorstSeconds": max(seconds),
        "othersTouched": float(others),
    }


async def _steady(client: httpx.AsyncClient, fleet: Fleet, arguments: argparse.Namespace) -> dict[str, float]:
    """What somebody else than the fleet wrote while nothing changed, for five minutes of it."""
    minutes = arguments.steady_minutes
    say(f"nothing changes for {minutes:g} minutes")
    await asyncio.sleep(10)
    before, fleet_before = await _writes(client), dict(fleet.written)
    await asyncio.sleep(minutes * 60)
    after = await _writes(client)
    scale = 5 / minutes if minutes else 0.0
    wrote = {
        name: (after.get(name, 0) - before.get(name, 0) - fleet.written.get(name, 0) + fleet_before.get(name, 0))
        * scale
        for name in OURS
    }
    say(f"written in five minutes: {wrote}")
    apps, leases = wrote.pop("mainstreamapps"), wrote.pop("leases")
    return {
        "steadyWritesPerNode": sum(wrote.values()) / arguments.nodes,
        "steadyAppWrites": apps,
        "steadyLeaseWrites": leases,
    }


async def _writes(client: httpx.AsyncClient) -> dict[str, float]:
    """Requests that changed something, by resource, since the API server's start."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families((await client.get("/metrics")).text):
        if family.name == "apiserver_request":
            for sample in family.samples:
                if sample.name.endswith("_total") and sample.labels["verb"] in WRITING:
                    resource = sample.labels["resource"]
                    found[resource] = found.get(resource, 0.0) + sample.value
    return found


async def _ready(client: httpx.AsyncClient, path: str) -> "Counter[str]":
    """How many objects are Ready, and for which reasons the others are not."""
    items = (await client.get(path, params={"resourceVersion": "0"})).json()["items"]
    return Counter(
        "Ready" if condition["status"] == "True" else condition["reason"]
        for item in items
        for condition in (item.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Ready"
    )


async def _ready_to_decide() -> None:
    """Until the operator has listed everything (``SystemExit`` if it never has)."""
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(SETTLE_SECONDS * 20):
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{METRICS_PORT}/readyz")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.05)
    raise SystemExit(f"the operator was not ready within {SETTLE_SECONDS} s")


async def _waiting() -> float | None:
    """How many objects wait for the operator's look; None while it does not decide."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            text = (await client.get(f"http://127.0.0.1:{METRICS_PORT}/metrics")).text
        except httpx.TransportError:
            return None
    values = {family.name: family.samples[0].value for family in text_string_to_metric_families(text) if family.samples}
    return values["mainstream_reconcile_waiting"] if values.get("mainstream_leader") == 1 else None


def _show(goals: list[Goal], figures: dict[str, float]) -> None:
    title = f"the operator at scale; load averages: {', '.join(f'{one:.1f}' for one in os.getloadavg())}"
    Console(width=110).print(goal_table(goals, title=title))
    Console(width=110).print({name: round(value, 3) for name, value in figures.items()})


if __name__ == "__main__":
    sys.exit(main())
