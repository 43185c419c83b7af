"""`kubectl mainstream` as kubectl finds it, on a real API server: what it says where something is missing or wrong."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .binaries import built
from .control_plane import ControlPlane
from .manifests import APP, NODE, PROFILE, changed

pytestmark = pytest.mark.cluster

Plugin = Callable[..., "subprocess.CompletedProcess[str]"]
NOW = "2026-11-28T12:00:00Z"


@pytest.fixture
def plugin(apiserver: ControlPlane) -> Plugin:
    """Run it with the administrator's rights, or with other arguments or another PATH."""

    def run(*arguments: str, kubeconfig: object = apiserver.kubeconfig, path: str | None = None) -> Any:
        programs = Path(sys.executable).parent
        return subprocess.run(
            [programs / "kubectl-mainstream", *arguments, f"--kubeconfig={kubeconfig}"],
            env={
                "PATH": path if path is not None else f"{built()}:{programs}",
                "HOME": str(apiserver.authority.folder),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def objects(apiserver: ControlPlane) -> Iterator[ControlPlane]:
    """A box with a camera that is away, and an application on it; nobody but the test writes their status."""
    apiserver.did("create", "--filename", "-", stdin=json.dumps(NODE))
    app = {**changed(APP, "spec.eventProfile", PROFILE), "metadata": {"name": "red-car", "namespace": "default"}}
    apiserver.did("create", "--filename", "-", stdin=json.dumps(app))
    yield apiserver
    apiserver.did("delete", "edgenode/box", "--wait=true")
    apiserver.did("delete", "mainstreamapp/red-car", "--namespace=default")


def _conditions(plane: ControlPlane, what: str, *told: tuple[str, str, str, str]) -> None:
    """Write the status as the operator would."""
    conditions = [
        {"type": one, "status": status, "reason": reason, "message": said, "lastTransitionTime": NOW}
        for one, status, reason, said in told
    ]
    patch = json.dumps({"status": {"conditions": conditions}})
    plane.did("patch", what, "--namespace=default", "--subresource=status", "--type=merge", f"--patch={patch}")


def test_kubectl_finds_the_plugin(apiserver: ControlPlane) -> None:
    """`kubectl mainstream` lists its verbs."""
    done = subprocess.run(
        [built() / "kubectl", "mainstream", "--help"],
        env={"PATH": f"{built()}:{Path(sys.executable).parent}", "HOME": str(apiserver.authority.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert {"tree", "plan", "events", "doctor"} <= set(done.stdout.split())


def test_an_edge_node_that_is_not_there_is_named_with_what_is_meant(objects: ControlPlane, plugin: Plugin) -> None:
    """Exit status 2, and no stack trace."""
    assert objects
    done = plugin("tree", "bix")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no EdgeNode 'bix'" in done.stderr
    assert '"box"' in done.stderr


def test_the_tree_of_a_box_without_a_schedule(objects: ControlPlane, plugin: Plugin) -> None:
    """Nothing runs yet, and the tree says why."""
    _conditions(
        objects, "edgenode/box", ("Ready", "False", "ProfilePending", "1 base DNNs are being measured on the box")
    )
    done = plugin("tree", "box")
    assert done.returncode == 0, done.stderr
    assert "ProfilePending" in done.stdout
    assert "no schedule" in done.stdout


def test_the_doctor_names_what_is_wrong_and_what_to_do(objects: ControlPlane, plugin: Plugin) -> None:
    """No operator, no such Node, a camera that is away: exit status 1, each with a remedy."""
    _conditions(
        objects, "edgenode/box", ("StreamsConnected", "False", "StreamUnreachable", "stream north: no route to host")
    )
    _conditions(objects, "mainstreamapp/red-car", ("Trained", "False", "DatasetInvalid", "events.csv:3: past the end"))
    done = plugin("doctor", "--output=json")
    assert done.returncode == 1, done.stderr
    told = {one["reason"]: one for one in json.loads(done.stdout)["troubles"]}
    assert {"Missing", "NodeNotFound", "StreamUnreachable", "DatasetInvalid"} <= set(told)
    assert told["StreamUnreachable"]["object"] == "EdgeNode box"
    assert "no route to host" in told["StreamUnreachable"]["message"]
    assert all(one["remedy"] for one in told.values())


def test_planning_an_app_that_is_not_trained_asks_for_an_assumption(
    objects: ControlPlane, plugin: Plugin, tmp_path: Path
) -> None:
    """It is named, with the option that helps; exit status 1, for it would not run."""
    patch = json.dumps({"spec": {"allowedNamespaces": {}}})
    objects.did("patch", "edgenode/box", "--type=merge", f"--patch={patch}")
    file = tmp_path / "bus.json"
    file.write_text(json.dumps({**changed(APP, "spec.events", ["bus"]), "metadata": {"name": "bus"}}))
    done = plugin("plan", "--filename", str(file), "--namespace=default", "--output=json")
    assert done.returncode == 1, done.stderr
    (box,) = json.loads(done.stdout)["edgeNodes"]
    told = {row["app"]: row for row in box["apps"]}
    assert told["default/bus"]["reason"] == "TrainingPending"
    assert "--like bus=APP" in told["default/bus"]["message"]


def test_planning_for_a_box_that_is_not_there_is_refused(objects: ControlPlane, plugin: Plugin, tmp_path: Path) -> None:
    """With the names of those that are."""
    assert objects
    file = tmp_path / "bus.json"
    file.write_text(json.dumps(changed(APP, "spec.edgeNodes.matchNames", ["gate"])))
    done = plugin("plan", "--filename", str(file), "--namespace=default")
    assert done.returncode == 2
    assert "there is no EdgeNode 'gate'" in done.stderr
    assert re.search(r"There are: (.*, )?box[,.]", done.stderr)


def test_events_of_an_app_that_runs_nowhere(objects: ControlPlane, plugin: Plugin) -> None:
    """It says so, and where to look."""
    assert objects
    done = plugin("events", "red-car", "--namespace=default")
    assert done.returncode == 2
    assert "runs on no edge node" in done.stderr
    assert "doctor" in done.stderr


def test_a_cluster_that_is_away_is_said(plugin: Plugin, apiserver: ControlPlane, tmp_path: Path) -> None:
    """Exit status 1 with the address, not kubectl's five lines."""
    written = apiserver.kubeconfig.read_text()
    file = tmp_path / "kubeconfig"
    file.write_text(written.replace(apiserver.authority.server, "https://127.0.0.1:1"))
    done = plugin("tree", "box", kubeconfig=file)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_kubectl_it_says_what_to_install(plugin: Plugin, tmp_path: Path) -> None:
    """Exit status 2."""
    done = plugin("doctor", path=str(tmp_path))
    assert done.returncode == 2
    assert "kubectl is not there" in done.stderr
