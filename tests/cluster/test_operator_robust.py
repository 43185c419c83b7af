"""What must not happen: an end state that depends on luck, a broken app that holds up others, anything left behind."""

import json
import random
from typing import Any

import pytest

from .objects import API, is_ready, path_of
from .operated import NAMESPACE, Operated
from .packages import Registry
from .stage import Stage, edge_node, packaged_app
from .waiting import eventually

pytestmark = pytest.mark.cluster

BOXES = ("box-1", "box-2")
STEPS = 50
OUTAGES = {STEPS // 3: 45.0, 2 * STEPS // 3: 6.0}
"""Seconds for which the API server is away, by the step before which it goes."""


def _plan(references: dict[str, str], seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Applies and deletes of eight apps on two boxes, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    there: set[str] = set()
    steps = []
    for _ in range(STEPS):
        name = chance.choice(sorted(references))
        boxes = chance.choice([BOXES[:1], BOXES[1:], BOXES])
        app = packaged_app(name, "traffic", references[name], *boxes, priority=chance.randrange(3))
        if name in there and chance.random() < 0.4:
            there.discard(name)
            steps.append(("delete", app))
        else:
            there.add(name)
            steps.append(("apply", app))
    return steps


def _wanted(steps: list[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What is there after all steps."""
    there: dict[str, dict[str, Any]] = {}
    for step, app in steps:
        if step == "apply":
            there[app["metadata"]["name"]] = app
        else:
            there.pop(app["metadata"]["name"], None)
    return there


def _is_scheduled(stage: Stage, apps: dict[str, dict[str, Any]]) -> bool:
    """Whether each box's schedule holds exactly its apps, and each app's status says so."""
    for box in BOXES:
        names = sorted(f"traffic/{name}" for name, app in apps.items() if box in app["spec"]["edgeNodes"]["matchNames"])
        schedule = stage.schedule(box)
        if [app["app"] for app in (schedule or {}).get("apps", [])] != names:
            return False
    return all(
        [one["edgeNode"] for one in stage.status("mainstreamapps", name, "traffic").get("assignments") or ()]
        == sorted(app["spec"]["edgeNodes"]["matchNames"])
        for name, app in apps.items()
    )


def _seen(stage: Stage, apps: dict[str, dict[str, Any]]) -> str:
    found = {box: [app["app"] for app in (stage.schedule(box) or {}).get("apps", [])] for box in BOXES}
    statuses = {name: stage.status("mainstreamapps", name, "traffic").get("assignments") for name in apps}
    return json.dumps([found, statuses])


@pytest.fixture
def measured(operated: Operated, stage: Stage, artifacts: Registry) -> dict[str, str]:
    """Two boxes that are measured, and eight packages by app; the operator runs."""
    references = {f"app-{number}": artifacts.push_app(f"traffic/app-{number}", seed=number) for number in range(8)}
    for box in BOXES:
        stage.host(box)
        stage.apply(edge_node(box))
        stage.apply(packaged_app(f"first-{box}", "traffic", references["app-0"], box))
    operated.start()
    for box in BOXES:
        stage.measure(box)
        stage.delete(packaged_app(f"first-{box}", "traffic", references["app-0"], box))
    return references


def test_killed_at_random_moments_the_end_is_the_same(
    operated: Operated, stage: Stage, measured: dict[str, str]
) -> None:
    """Fifty applies and deletes; the operator is killed, or started, between them and in the middle of its work."""
    steps = _plan(measured, seed=5)
    chance = random.Random(7)  # noqa: S311 - no secret
    running = True
    for step, app in steps:
        (stage.apply if step == "apply" else stage.delete)(app)
        if chance.random() < 0.25:
            if running:
                operated.kill()
            else:
                operated.start()
            running = not running
    operated.kill()
    operated.start()
    wanted = _wanted(steps)
    eventually(
        "the end state", lambda: _is_scheduled(stage, wanted), why=lambda: _seen(stage, wanted) + operated.tail()
    )


def test_an_api_server_that_is_away_changes_nothing_of_the_end(
    operated: Operated, stage: Stage, measured: dict[str, str]
) -> None:
    """It stops answering in the middle of the work, once for long; what was deleted meanwhile is noticed."""
    steps = _plan(measured, seed=11)
    for number, (step, app) in enumerate(steps):
        if number in OUTAGES:  # nobody can have an open request any more
            stage.plane.processes.freeze("kube-apiserver", seconds=OUTAGES[number])
        (stage.apply if step == "apply" else stage.delete)(app)
    wanted = _wanted(steps)
    eventually(
        "the end state",
        lambda: _is_scheduled(stage, wanted),
        why=lambda: _seen(stage, wanted) + operated.tail(),
    )


def test_a_broken_app_holds_up_no_other(operated: Operated, stage: Stage, measured: dict[str, str]) -> None:
    """Each says what is wrong with it, in its own words; the box runs the ones that are well."""
    digest = "sha256:" + "0" * 64
    host = measured["app-1"].partition("/")[0]
    broken = {
        "wrong-digest": ({"package": {"reference": f"{host}/traffic/app-1@{digest}"}}, "PackageNotFound"),
        "no-registry": ({"package": {"reference": f"registry.invalid:5000/x@{digest}"}}, "PackageNotFound"),
        "unknown-stream": ({"stream": "south"}, "StreamNotFound"),
        "unknown-box": ({"edgeNodes": {"matchNames": ["box-9"]}}, "EdgeNodeNotFound"),
        "other-events": ({"events": ["blue-car"]}, "PackageInvalid"),
        "too-good": ({"minF1": "1"}, "MinF1Unreachable"),
        "local-name": ({"package": {"reference": "mpackage/traffic/app-1"}}, "PackageInvalid"),
    }
    for name, (change, _) in broken.items():
        stage.apply(packaged_app(name, "traffic", measured["app-1"], "box-1", **change))
    stage.apply(packaged_app("well", "traffic", measured["app-2"], "box-1"))
    eventually(
        "the one that is well is scheduled",
        lambda: [app["app"] for app in (stage.schedule("box-1") or {}).get("apps", [])] == ["traffic/well"],
        why=operated.tail,
    )
    for name, (_, reason) in broken.items():
        eventually(
            f"{name} says {reason}",
            lambda name=name, reason=reason: stage.condition("mainstreamapps", name, "Ready", "traffic")[1] == reason,
            why=lambda name=name: json.dumps(stage.status("mainstreamapps", name, "traffic")) + operated.tail(),
        )
        assert stage.condition("mainstreamapps", name, "Ready", "traffic")[2]
    assert stage.condition("mainstreamapps", "unknown-stream", "Stalled", "traffic")[0] == "True"
    # Mended, it runs; nobody has to wait for its back-off.
    stage.apply(packaged_app("unknown-stream", "traffic", measured["app-1"], "box-1"))
    eventually("the mended one runs", lambda: len((stage.schedule("box-1") or {})["apps"]) == 2, why=operated.tail)


@pytest.mark.parametrize("order", [("app", "node", "box"), ("box", "app", "node"), ("namespace", "box", "node")])
@pytest.mark.parametrize("down", [False, True])
def test_nothing_is_left_and_nothing_sticks(
    operated: Operated, stage: Stage, artifacts: Registry, order: tuple[str, ...], *, down: bool
) -> None:
    """Deleted in any order, with the operator up or down at the time."""
    stage.namespace("leaving")
    reference = artifacts.push_app("leaving/app")
    things = {
        "app": packaged_app("app", "leaving", reference, "box-1"),
        "box": edge_node("box-1"),
        "node": {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "box-1"}},
        "namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leaving"}},
    }
    stage.host("box-1")
    stage.apply(things["box"])
    stage.apply(things["app"])
    operated.start()
    stage.measure("box-1")
    eventually(
        "a Deployment", lambda: stage.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mainstream-runner-box-1")
    )
    if down:
        operated.kill()
    for thing in order:
        stage.delete(things[thing])
    for thing in order:
        gone = path_of(things[thing])
        eventually(f"{thing} is gone", lambda gone=gone: stage.get(gone) is None, why=operated.tail)
    if down:
        operated.start()
    if "app" not in order and "namespace" not in order:
        stage.delete(things["app"])
    eventually("nothing is left", lambda: not stage.leftovers(), why=lambda: str(stage.leftovers()) + operated.tail())


def test_a_deleted_secret_and_node_are_said(operated: Operated, stage: Stage, measured: dict[str, str]) -> None:
    """What runs goes on; what is missing is named."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cam", "namespace": NAMESPACE},
        "stringData": {"username": "u", "password": "pass-of-the-camera"},
    }  # fmt: skip
    camera = {"rtsp": {"url": "rtsp://10.0.0.7/s", "credentialsSecretRef": {"name": "cam"}}}
    stage.apply(secret)
    stage.apply(edge_node("box-1", streams=[{"name": "north", "source": camera, "captureFps": 10}]))
    stage.apply(packaged_app("one", "traffic", measured["app-1"], "box-1"))
    stage.bring_up("box-1")
    eventually("ready", lambda: is_ready(stage, "mainstreamapps", "one", "traffic"))

    stage.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "box-1"}})
    eventually("the node is missed", lambda: stage.condition("edgenodes", "box-1", "Profiled")[1] == "NodeNotFound")
    assert [app["app"] for app in (stage.schedule("box-1") or {})["apps"]] == ["traffic/one"]
    operated.settings["resyncSeconds"] = 2
    operated.kill()
    operated.start()
    operated.wait_ready()
    stage.delete(secret)
    eventually(
        "the Secret is missed",
        lambda: stage.condition("edgenodes", "box-1", "StreamsConnected")[1] == "CredentialsRejected",
        why=operated.tail,
    )
    assert "pass-of-the-camera" not in operated.log.read_text()
    assert all("pass-of-the-camera" not in json.dumps(one) for one in stage.items(f"{API}/edgenodes"))
