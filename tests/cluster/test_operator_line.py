"""From apply to Ready on a real control plane with a real registry; the test plays kubelet and runner."""

import pytest

from .objects import is_ready
from .operated import NAMESPACE, Operated
from .packages import Registry
from .stage import Stage, edge_node, packaged_app
from .waiting import eventually

pytestmark = pytest.mark.cluster


def test_an_app_with_a_package_becomes_ready(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """Measured, scheduled, published, reported: each step says what it waits for, and the columns show the end."""
    reference = artifacts.push_app("traffic/red-car")
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    stage.apply(packaged_app("red-car", "traffic", reference, "box-1"))
    operated.start()
    operated.wait_ready()
    assert eventually("the probe answers", operated.alive) == 200

    eventually("measuring is asked for", lambda: stage.jobs(NAMESPACE, "profiler"), why=operated.tail)
    eventually(
        "it says so", lambda: stage.condition("edgenodes", "box-1", "Profiled")[:2] == ("False", "ProfilePending")
    )
    stage.profile()
    eventually("a schedule", lambda: stage.schedule("box-1"), why=operated.tail)
    eventually(
        "it waits for the runner",
        lambda: stage.condition("mainstreamapps", "red-car", "Running", "traffic")[1].startswith("Runner"),
        why=operated.tail,
    )
    stage.run_pod("box-1")
    stage.report("box-1")
    eventually("the app is ready", lambda: is_ready(stage, "mainstreamapps", "red-car", "traffic"), why=operated.tail)
    eventually("the box is ready", lambda: is_ready(stage, "edgenodes", "box-1"), why=operated.tail)

    columns = stage.plane.did("get", "en", "box-1", "--no-headers").split()
    assert columns[:-1] == ["box-1", "box-1", "1", "0.995", "0.550", "0.807", "True", "Ready"]
    columns = stage.plane.did("get", "msa", "red-car", "--namespace=traffic", "--no-headers").split()
    assert columns[:-1] == ["red-car", "1/1", "input", "10", "5", "0.99", "True", "Ready"]
    told = stage.plane.did("describe", "msa", "red-car", "--namespace=traffic")
    assert "Ready: runs on 1 of 1 edge node" in told
    assert operated.stop() == 0
    assert all("Traceback" not in str(record) for record in operated.records())


def test_nothing_is_written_twice(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """Neither while nothing changes, nor by an operator that was started again; and nothing is solved again."""
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    for name in ("red-car", "blue-car"):
        reference = artifacts.push_app(f"traffic/{name}")
        stage.apply(packaged_app(name, "traffic", reference, "box-1"))
    operated.settings["resyncSeconds"] = 1
    operated.start()
    stage.bring_up("box-1")
    eventually("all is ready", lambda: is_ready(stage, "mainstreamapps", "blue-car", "traffic"))

    before = stage.versions()
    looks = operated.looks()
    eventually("every object was looked at again and again", lambda: operated.looks() > looks + 12)
    assert stage.versions() == before

    operated.kill()
    operated.start()
    operated.wait_ready()
    eventually("every object was looked at", lambda: operated.looks() > 6, why=operated.tail)
    assert stage.versions() == before
    metrics = operated.metrics()
    assert not [name for name in metrics if name.startswith("mainstream_writes_total")], metrics


def test_a_new_app_changes_only_what_it_concerns(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """The other box's objects stay as they are; the running pod is told of the new schedule and not restarted."""
    for box in ("box-1", "box-2"):
        stage.host(box)
        stage.apply(edge_node(box))
        stage.apply(packaged_app(f"app-{box}", "traffic", artifacts.push_app(f"traffic/{box}"), box))
    operated.start()
    stage.bring_up("box-1")
    stage.bring_up("box-2")
    eventually("all is ready", lambda: is_ready(stage, "mainstreamapps", "app-box-2", "traffic"))
    before, old = stage.versions(), stage.schedule("box-1")
    pod = stage.run_pod("box-1")

    stage.apply(packaged_app("new", "traffic", artifacts.push_app("traffic/new"), "box-1"))
    eventually("a new schedule", lambda: stage.schedule("box-1") != old, why=operated.tail)
    digest = (stage.schedule("box-1") or {})["digest"]
    told = "mainstream.dev/schedule"
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}"
    eventually(
        "the pod is told", lambda: (stage.get(path) or {})["metadata"].get("annotations", {}).get(told) == digest
    )
    stage.keep_reporting("box-1", lambda: is_ready(stage, "mainstreamapps", "new", "traffic"))
    after = stage.versions()
    changed = {name for name in before if after.get(name) != before[name]}
    assert not {name for name in changed if "box-2" in name}, changed
    assert not {name for name in changed if name.startswith("deployments")}, changed
