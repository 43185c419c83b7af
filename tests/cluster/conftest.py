"""A real API server, and a real cluster, for the tests of this folder; both are gone afterwards, however it ends.

The tests run where somebody asks for them (``make test-cluster``, ``pytest tests/cluster``), whatever is lying around; they
fail, and say what to do, where something is missing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .built_images import Registry, load_registry_image, start_registry
from .control_plane import ControlPlane, start_control_plane
from .nodes import Cluster, running_cluster
from .operator_fixtures import artifacts, governed, operated, stage  # noqa: F401 - fixtures

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "cluster: needs a real API server or cluster (tools/cluster-tools.sh)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone where nobody asked for these tests: they need Go and minutes to build Kubernetes."""
    if collection_path.is_relative_to(HERE) and not _asked_for(config):
        return True
    return None


def _asked_for(config: pytest.Config) -> bool:
    named = ((config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args)
    return "cluster" in config.option.markexpr.split() or any(path.is_relative_to(HERE) for path in named)


@pytest.fixture(scope="session")
def bare_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that nobody has told anything; etcd holds what it is told until the session ends."""
    plane = start_control_plane(tmp_path_factory.mktemp("apiserver"))
    yield plane
    plane.processes.stop()


@pytest.fixture(scope="session")
def apiserver(bare_apiserver: ControlPlane) -> ControlPlane:
    """An API server that has our CRDs."""
    _install_crds(bare_apiserver)
    return bare_apiserver


def _install_crds(plane: ControlPlane) -> None:
    plane.did("apply", "--server-side", "--filename", ROOT / "crds")
    plane.did("wait", "--for=condition=Established", "--timeout=30s", "--filename", ROOT / "crds")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of two nodes, without our CRDs: the chart brings them; tests leave both nodes switched on and plugged in."""
    with running_cluster(2) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry of this machine that nodes and pods reach; tests say which of our images they need (``push``)."""
    folder = tmp_path_factory.mktemp("registry")
    load_registry_image(cluster, folder)
    return start_registry(cluster, folder)
