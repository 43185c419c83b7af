"""From apply to Ready, on a real API server with a real registry; the test plays kubelet and runner."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .control_plane import ControlPlane
from .operating import NAMESPACE, Operated, Stage, edge_node, eventually, packaged_app, settings
from .packages import Registry

pytestmark = pytest.mark.cluster


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry for everybody."""
    registry = Registry(tmp_path / "registry")
    yield registry
    registry.stop()


@pytest.fixture
def stage(apiserver: ControlPlane) -> Iterator[Stage]:
    """The cluster, with the operator's namespace and one for apps."""
    stage = Stage(apiserver)
    stage.namespace(NAMESPACE)
    stage.namespace("traffic")
    yield stage
    for kind in ("mainstreamapps", "edgenodes"):
        apiserver.did("delete", kind, "--all", *(["--all-namespaces"] if kind == "mainstreamapps" else []))
    stage.close()


@pytest.fixture
def operated(apiserver: ControlPlane, tmp_path: Path, registry: Registry) -> Iterator[Operated]:
    """An operator that runs."""
    operated = Operated(plane=apiserver, folder=tmp_path / "operator", settings=settings(registry.address))
    operated.start()
    yield operated
    operated.kill()


def test_an_app_with_a_package_becomes_ready(operated: Operated, stage: Stage, registry: Registry) -> None:
    """Measured, scheduled, published, reported: each step says what it waits for."""
    reference = registry.push_app("traffic/red-car")
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    stage.apply(packaged_app("red-car", "traffic", reference, "box-1"))
    operated.wait_ready()

    eventually("measuring is asked for", lambda: stage.jobs(NAMESPACE, "profiler"), why=operated.tail)
    assert eventually(
        "it says so", lambda: stage.condition("edgenodes", "box-1", "Profiled")[:2] == ("False", "ProfilePending")
    )
    stage.profile()
    eventually("a schedule", lambda: stage.schedule("box-1"), why=operated.tail)
    eventually(
        "waits for the runner",
        lambda: stage.condition("mainstreamapps", "red-car", "Ready", "traffic")[1] == "RunnerNotReporting",
        why=operated.tail,
    )
    stage.run_pod("box-1")
    stage.report("box-1")
    eventually(
        "ready",
        lambda: stage.condition("mainstreamapps", "red-car", "Ready", "traffic")[0] == "True",
        why=lambda: operated.tail() + str(stage.status("mainstreamapps", "red-car", "traffic")),
    )
    eventually("ready", lambda: stage.condition("edgenodes", "box-1", "Ready")[0] == "True")
    print(stage.plane.did("get", "en,msa", "-A"))
    print(stage.plane.did("get", "all,cm,secret,lease,pvc,role,rolebinding,sa", "-n", NAMESPACE))
    print(stage.plane.did("describe", "en", "box-1"))
