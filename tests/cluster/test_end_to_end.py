"""From an empty cluster to events at a broker: the chart, the example of the belt, and what people ask about it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .belt import BELT, listen, measured, overlay, page, truth
from .binaries import built
from .built_images import IN_CLUSTER_REGISTRY, Registry
from .nodes import Cluster
from .releases import Release, usual_values
from .storage import add_storage, remove_storage

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]  # where images have to be built, that takes most of it

EVENTS = {"apple": ["apple"], "orange": ["orange"], "broccoli": ["broccoli"], "fruit": ["apple", "orange"]}
GREEN = BELT / "more" / "green.yaml"
LISTEN_SECONDS = 75
"""A little more than one round of the camera."""


@pytest.fixture(scope="module")
def belt(cluster: Cluster, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The chart with its own registry, and the belt, until every app is Ready."""
    registry.push(["operator", "runner", "trainer", "examples"])
    add_storage(cluster)
    repository, _, tag = IN_CLUSTER_REGISTRY.rpartition(":")
    image = {"repository": repository, "tag": tag}
    values = usual_values(registry) | {"registry": {"inCluster": {"enabled": True, "image": image}}}
    release = Release(plane=cluster.plane)
    release.install(values)
    folder = overlay(tmp_path_factory.mktemp("belt"), registry.images["examples"])
    plane = cluster.plane
    plane.did("apply", "--kustomize", folder)
    ready = ("--for=condition=Ready", "mainstreamapp", "--all", "--namespace=belt")
    waited = plane.kubectl("wait", *ready, "--timeout=170s")
    for _ in range(5):
        if waited.returncode != 0:
            waited = plane.kubectl("wait", *ready, "--timeout=170s")
    assert waited.returncode == 0, f"{waited.stderr}\n{_state(cluster)}"
    yield cluster
    plane.did("delete", "--kustomize", folder, "--timeout=120s")
    release.uninstall()
    remove_storage(cluster)


def _state(cluster: Cluster) -> str:
    asked = (
        ("get", "edgenodes,mainstreamapps,jobs,pods,pvc", "--all-namespaces", "--output=wide"),
        ("get", "edgenodes,mainstreamapps", "--all-namespaces", "--output=jsonpath={..status.conditions}"),
        ("logs", "--namespace=mainstream-system", "deployment/mainstream-operator", "--tail=60"),
        ("get", "events", "--all-namespaces"),
    )
    return "\n".join(cluster.plane.kubectl(*arguments).stdout[-8000:] for arguments in asked)


def _plugin(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """``kubectl mainstream ...``: kubectl finds the plugin by its name on the PATH."""
    path = f"{built()}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        [built() / "kubectl", "mainstream", *arguments, f"--kubeconfig={cluster.plane.kubeconfig}"],
        env={"PATH": path, "HOME": str(cluster.plane.authority.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def _columns(shown: str, kind: str) -> tuple[list[str], dict[str, list[str]]]:
    """Heading and rows by name of one kind in what ``kubectl get`` printed of several."""
    part = next(part for part in shown.split("\n\n") if kind in part)
    heading, *rows = part.strip().splitlines()
    return heading.split(), {row.split()[0]: row.split() for row in rows}


def test_get_shows_the_schedule(belt: Cluster) -> None:
    """Both kinds by their short names: everything is Ready, with branchpoints, rates and F1."""
    shown = belt.plane.did("get", "en,msa", "--namespace=belt")
    print(shown)
    heading, boxes = _columns(shown, "edgenode")
    assert heading == ["NAME", "NODE", "APPS", "MEAN", "F1", "COST", "BUDGET", "READY", "REASON", "AGE"]
    assert boxes["edgenode.mainstream.dev/belt-box"][1:3] == ["edge-1", "4"]
    assert boxes["edgenode.mainstream.dev/belt-box"][-3:-1] == ["True", "Ready"]
    heading, apps = _columns(shown, "mainstreamapp")
    assert heading == ["NAME", "EDGENODES", "BRANCHPOINT", "FPS", "VOTES", "F1", "READY", "REASON", "AGE"]
    assert {name.partition("/")[2] for name in apps} == set(EVENTS)
    for row in apps.values():
        assert row[1] == "1/1"
        assert row[-3:-1] == ["True", "Ready"]
        assert 0 < float(row[5]) <= 1


def test_all_share_one_stem(belt: Cluster) -> None:
    """What was trained here and what was trained elsewhere has the same base DNN, so its first layers run once for all."""
    status = belt.plane.got("edgenode", "belt-box")["status"]
    assert len(status["schedule"]["streams"]) == 1
    assert len(status["profile"]["baseDnns"]) == 1


def test_events_arrive_at_the_broker(belt: Cluster) -> None:
    """Each app's events of one round of the camera, against its truth."""
    heard, true = listen(belt.plane, LISTEN_SECONDS), truth(belt.plane)
    found = {app: measured(heard, f"belt/{app}", labels, true) for app, labels in EVENTS.items()}
    for app, one in found.items():
        print(
            f"{app}: event F1 {one.f1:.3f} (recall {one.recall:.3f}, precision {one.precision:.3f}, "
            f"{len(one.true_events)} true events, {len(one.emitted)} emitted)"
        )
    assert all(one.recall > 0.5 for one in found.values())
    assert sum(one.f1 for one in found.values()) / len(found) > 0.5


def test_describe_tells_what_happened(belt: Cluster) -> None:
    """Kubernetes Events of an app: trained, scheduled, running."""
    described = belt.plane.did("describe", "msa", "apple", "--namespace=belt")
    print(described)
    events = described.partition("\nEvents:")[2]
    assert "Ready" in events
    assert "TrainingPending" in events


def test_explain_says_what_fields_mean(belt: Cluster) -> None:
    """``kubectl explain`` has a sentence for a field."""
    assert "Frames per second" in belt.plane.did("explain", "edgenode.spec.streams.captureFps")


def test_the_plugin_shows_who_shares_what(belt: Cluster) -> None:
    """``tree`` has every app below the stream, measured beside planned; ``doctor`` finds nothing wrong."""
    print(_plugin(belt, "tree", "belt-box").stdout)
    done = _plugin(belt, "tree", "belt-box", "--output=json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (stream,) = told["streams"]
    assert stream["phase"] == "Connected"
    (stem,) = stream["stems"]
    assert {one["app"] for one in stem["apps"]} == {f"belt/{name}" for name in EVENTS}
    assert told["loaded"]
    done = _plugin(belt, "doctor", "--output=json")
    assert (done.returncode, json.loads(done.stdout)["troubles"]) == (0, []), done.stdout


def test_the_plugin_shows_events(belt: Cluster) -> None:
    """``events`` reads what the runner's page has of the app."""
    done = _plugin(belt, "events", "apple", "--namespace=belt", "--output=json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["app"] for one in told} == {"belt/apple"}


def _counters(cluster: Cluster) -> dict[str, Any]:
    """What the runner counted since its start, and which pod it is."""
    with page(cluster.plane) as address:
        state = httpx.get(f"{address}/api/state", trust_env=False).json()
    selector = "--selector=app.kubernetes.io/component=runner"
    (pod,) = cluster.plane.got("pods", selector, "--namespace=mainstream-system")["items"]
    return {
        "pod": (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]),
        "missing": {one["name"]: one["missing"] for one in state["streams"]},
        "dropped": {one["app"]: one["dropped"] for stem in state["stems"] for one in stem["apps"]},
        "analysed": {one["app"]: one["analysed"] for stem in state["stems"] for one in stem["apps"]},
        "changes": state["scheduleChanges"],
    }


def test_an_app_comes_and_goes_without_a_lost_frame(belt: Cluster) -> None:
    """Planned beforehand, then applied and deleted: the same pod, and no counter of lost frames has moved."""
    asked = _plugin(belt, "plan", "--filename", str(GREEN), "--output=json")
    print(_plugin(belt, "plan", "--filename", str(GREEN)).stdout)
    assert asked.returncode == 0, asked.stderr
    (box,) = json.loads(asked.stdout)["edgeNodes"]
    foretold = {row["app"]: row["after"] for row in box["apps"]}
    before = _counters(belt)
    plane = belt.plane
    plane.did("apply", "--filename", GREEN)
    plane.did("wait", "--for=condition=Ready", "msa/green", "--namespace=belt", "--timeout=120s")
    status = plane.got("edgenode", "belt-box")["status"]["schedule"]
    now = {f"{one['namespace']}/{one['name']}": one for one in status["apps"]}
    assert {app: (one["branchpoint"], one["fps"]) for app, one in now.items()} == {
        app: (one["branchpoint"], one["fps"]) for app, one in foretold.items()
    }
    with_it = _counters(belt)
    plane.did("delete", "--filename", GREEN)
    plane.did("wait", "--for=jsonpath={.status.schedule.appCount}=4", "en/belt-box", "--timeout=60s")
    plane.did("wait", "--for=condition=Ready", "en/belt-box", "--timeout=60s")
    after = _counters(belt)
    assert before["pod"] == with_it["pod"] == after["pod"]
    assert before["missing"] == after["missing"]
    # The box shares its cores with a whole cluster, so now and then a frame is late, schedules or not; a change that lost
    # frames would lose those of seconds.
    for app, dropped in before["dropped"].items():
        more = sum(after["dropped"][app].values()) - sum(dropped.values())
        seen = after["analysed"][app] - before["analysed"][app]
        assert more <= 0.05 * seen, (app, more, seen)
    assert after["changes"] == before["changes"] + 2
