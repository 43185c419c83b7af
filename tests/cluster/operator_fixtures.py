"""What tests of the operator need: a control plane without nodes, a registry with packages, an operator that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .control_plane import ControlPlane, start_control_plane
from .objects import API
from .operated import NAMESPACE, Operated, settings
from .packages import Registry
from .stage import Stage
from .waiting import eventually

CRDS = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture(scope="session")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """API server, controllers (Jobs, Deployments, garbage collector) and our CRDs; no nodes."""
    plane = start_control_plane(tmp_path_factory.mktemp("governed"), controllers=True)
    plane.did("apply", "--server-side", "--filename", CRDS)
    plane.did("wait", "--for=condition=Established", "--timeout=30s", "--filename", CRDS)
    yield plane
    plane.processes.stop()


@pytest.fixture
def artifacts(tmp_path: Path) -> Iterator[Registry]:
    """A registry for everybody, and what can be pushed to it."""
    registry = Registry(tmp_path / "artifacts")
    yield registry
    registry.stop()


@pytest.fixture
def stage(governed: ControlPlane) -> Iterator[Stage]:
    """A cluster in which nothing of ours is; the operator's namespace and one for apps are there."""
    stage = Stage(governed)
    stage.namespace(NAMESPACE)
    stage.namespace("traffic")
    yield stage
    for path in (f"{API}/mainstreamapps", f"{API}/edgenodes", "/api/v1/nodes"):
        for body in stage.items(path):
            namespace = body["metadata"].get("namespace")
            place = path.replace("/mainstreamapps", f"/namespaces/{namespace}/mainstreamapps") if namespace else path
            stage.http.delete(f"{place}/{body['metadata']['name']}")
    eventually("nothing of ours is left", lambda: not stage.leftovers(), why=lambda: str(stage.leftovers()))
    stage.close()


@pytest.fixture
def operated(governed: ControlPlane, tmp_path: Path, artifacts: Registry, stage: Stage) -> Iterator[Operated]:
    """An operator, not started yet; it ends before the stage is cleared: owners take along what they own without it."""
    operated = Operated(plane=governed, folder=tmp_path / "operator", settings=settings(artifacts.address))
    yield operated
    operated.kill()
    print(operated.tail())  # pytest shows it where the test failed
    stage.forget_shared()
