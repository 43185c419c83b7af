"""The operator as a process: without CRDs, as one of several, with settings that are wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from .control_plane import free_port, start_control_plane
from .operated import NAMESPACE, Operated, settings
from .operator_fixtures import CRDS
from .packages import Registry
from .stage import Stage, edge_node, packaged_app
from .waiting import eventually

pytestmark = pytest.mark.cluster


def test_without_crds_it_says_so_and_waits(tmp_path: Path) -> None:
    """It is alive and not ready; once they are there it begins anew and is ready."""
    plane = start_control_plane(tmp_path / "plane")
    operated = Operated(plane=plane, folder=tmp_path / "operator", settings=settings("registry.test:5000"))
    try:
        operated.start()
        missing = "the CustomResourceDefinition edgenodes.mainstream.dev is missing"
        eventually("it says what is missing", lambda: missing in operated.ready(), why=operated.tail)
        assert "kubectl apply --server-side -f crds/" in operated.ready()
        assert eventually("the probe answers", operated.alive) == 200
        assert operated.process is not None
        assert operated.process.poll() is None

        plane.did("apply", "--server-side", "--filename", CRDS)
        assert operated.process.wait(240) == 0
        operated.start()
        operated.wait_ready()
    finally:
        operated.kill()
        plane.processes.stop()


def test_wrong_settings_are_said_without_a_stack_trace(operated: Operated) -> None:
    """The field, the value, the file; exit status 2."""
    operated.settings["cache"] = {"size": "much"}
    operated.start()
    assert operated.process is not None
    assert operated.process.wait(240) == 2
    said = operated.log.read_text()
    assert "cache.size" in said
    assert "settings.yaml" in said
    assert "Traceback" not in said


def test_one_of_two_decides_and_the_other_takes_over(operated: Operated, stage: Stage, artifacts: Registry) -> None:
    """At once where the leader ends in good order, after its Lease where it is killed."""
    operated.settings["leaderElection"] = True
    other = replace(
        operated,
        folder=operated.folder.parent / "other",
        metrics_port=free_port(),
        probe_port=free_port(),
        process=None,
    )
    stage.host("box-1")
    stage.apply(edge_node("box-1"))
    try:
        operated.start()
        eventually("one leads", lambda: _leads(operated), why=operated.tail)
        other.start()
        other.wait_ready()
        assert not _leads(other)
        assert operated.stop() == 0
        eventually("the other leads", lambda: _leads(other), why=other.tail)
        stage.apply(packaged_app("red-car", "traffic", artifacts.push_app("traffic/red-car"), "box-1"))
        eventually("it decides", lambda: stage.jobs(NAMESPACE, "profiler"), why=other.tail)

        operated.start()
        operated.wait_ready()
        other.kill()
        eventually("the first leads again", lambda: _leads(operated), why=operated.tail)
    finally:
        other.kill()


def _leads(operated: Operated) -> bool:
    return operated.ready() == "ready" and operated.metrics().get("mainstream_leader") == 1
