"""The chart's life on a real cluster, with the real images: install, upgrade, roll back, uninstall."""

from collections.abc import Iterator

import pytest

from .built_images import Registry
from .nodes import Cluster
from .releases import Release, usual_values

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def release(cluster: Cluster, registry: Registry) -> Iterator[Release]:
    """The chart, installed."""
    registry.push(["operator"])
    release = Release(plane=cluster.plane)
    release.install(usual_values(registry))
    yield release
    release.uninstall()


def test_the_operator_runs(release: Release) -> None:
    """Its pod is ready: it has read its settings, and every kind that it watches."""
    shown = release.plane.got("deployment", "mainstream-operator", f"--namespace={release.namespace}")
    assert shown["status"]["readyReplicas"] == 1
