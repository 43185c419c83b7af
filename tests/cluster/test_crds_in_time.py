"""What becomes of resources that exist: streams that change, two programs that write one status."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from .control_plane import ControlPlane
from .manifests import NODE

pytestmark = pytest.mark.cluster

DIGEST = "sha256:" + "0" * 64
SINCE = "2026-01-01T00:00:00Z"
RENAMED = "a stream cannot be renamed, for applications name it"


def _camera(name: str, host: str, kind: str = "rtsp") -> dict[str, Any]:
    return {"name": name, "source": {kind: {"url": f"{kind}://{host}/stream"}}, "captureFps": 15}


def _replace(apiserver: ControlPlane, name: str, *cameras: Mapping[str, Any]) -> str:
    """Make the edge node's streams these; what is said, empty where it is done."""
    node = {**NODE, "metadata": {"name": name}, "spec": {"streams": list(cameras)}}
    if apiserver.kubectl("get", "en", name).returncode:
        apiserver.did("create", "--filename", "-", stdin=json.dumps(node))
        return ""
    node["metadata"] = {"name": name, "resourceVersion": apiserver.got("en", name)["metadata"]["resourceVersion"]}
    return apiserver.kubectl("replace", "--filename", "-", stdin=json.dumps(node)).stderr


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_streams_are_added_and_removed_but_not_renamed(apiserver: ControlPlane, kind: str) -> None:
    """A renamed camera is refused; one that is replaced, moved or shared by two streams is not."""
    name = f"changing-{kind}"
    north, south = _camera("north", "10.0.0.7", kind), _camera("south", "10.0.0.8", kind)
    assert not _replace(apiserver, name, north)
    assert not _replace(apiserver, name, south, north)
    assert RENAMED in _replace(apiserver, name, south, {**north, "name": "gate"})
    assert not _replace(apiserver, name, south, _camera("north", "10.0.0.9", kind)), "a new camera under the old name"
    assert not _replace(apiserver, name, south, _camera("east", "10.0.0.5", kind)), "another camera"
    assert not _replace(apiserver, name, south, {**south, "name": "again"})
    assert not _replace(apiserver, name, south), "one of two streams of the same camera"
    assert not _replace(apiserver, name)


def _status(apiserver: ControlPlane, manager: str, status: Mapping[str, Any]) -> "str":
    whole = {"apiVersion": NODE["apiVersion"], "kind": "EdgeNode", "metadata": {"name": "shared"}, "status": status}
    done = apiserver.kubectl(
        *("apply", "--server-side", "--subresource=status", f"--field-manager={manager}", "--filename", "-"),
        stdin=json.dumps(whole),
    )
    return done.stderr


def test_operator_and_runner_write_one_status(apiserver: ControlPlane) -> None:
    """Each applies its part again and again; neither takes anything from the other, not even inside lists."""
    apiserver.did("apply", "--filename", "-", stdin=json.dumps({**NODE, "metadata": {"name": "shared"}}))
    app = {"namespace": "traffic", "name": "red-car"}
    ready = {"type": "Ready", "status": "True", "reason": "Running", "message": "", "lastTransitionTime": SINCE}
    operator: dict[str, Any] = {
        "observedGeneration": 1,
        "nodeName": "edge-1",
        "schedule": {
            "digest": DIGEST,
            "apps": [{**app, "fps": "5", "votes": 2}],
            "streams": [
                {
                    "name": "north",
                    "view": "gate",
                    "baseDnn": DIGEST,
                    "stem": [{"upTo": "conv_pw_6", "fps": "8"}, {"upTo": "conv_pw_11", "fps": "5"}],
                }
            ],
        },
        "conditions": [ready],
    }
    runner: dict[str, Any] = {
        "runner": {
            "scheduleDigest": DIGEST,
            "loadedAt": SINCE,
            "utilization": "0.68",
            "streams": [{"name": "north", "phase": "Connected", "since": SINCE}],
            "apps": [{**app, "fps": "4.9", "lastEventAt": SINCE}],
        },
        "conditions": [{**ready, "type": "StreamsConnected"}],
    }
    for _ in range(2):
        assert not _status(apiserver, "operator", operator)
        assert not _status(apiserver, "runner", runner)
    stored = apiserver.got("en", "shared")["status"]
    assert {key: stored[key] for key in ("nodeName", "schedule", "runner")} == {
        "nodeName": "edge-1",
        "schedule": operator["schedule"],
        "runner": runner["runner"],
    }
    assert [condition["type"] for condition in stored["conditions"]] == ["Ready", "StreamsConnected"]


def test_one_cannot_overwrite_the_other_by_accident(apiserver: ControlPlane) -> None:
    """A field that another manager owns is a conflict, and the message names the manager."""
    name = "shared"
    apiserver.did("apply", "--filename", "-", stdin=json.dumps({**NODE, "metadata": {"name": name}}))
    assert not _status(apiserver, "operator", {"nodeName": "edge-1"})
    assert 'conflict with "operator"' in _status(apiserver, "runner", {"nodeName": "edge-2"})


def test_a_status_that_the_crd_does_not_know_is_refused(apiserver: ControlPlane) -> None:
    """A new operator on an old CRD hears about it: fields are not pruned in silence."""
    apiserver.did("apply", "--filename", "-", stdin=json.dumps({**NODE, "metadata": {"name": "shared"}}))
    assert "field not declared in schema" in _status(apiserver, "operator", {"brandNew": 1})


def test_spec_and_status_have_generations_of_their_own(apiserver: ControlPlane) -> None:
    """Only a change of the spec is a new generation, so `observedGeneration` means something."""
    node = copy.deepcopy({**NODE, "metadata": {"name": "generations"}})
    apiserver.did("apply", "--filename", "-", stdin=json.dumps(node))
    status = {**{key: node[key] for key in ("apiVersion", "kind", "metadata")}, "status": {"nodeName": "edge-1"}}
    apiserver.did("apply", "--server-side", "--subresource=status", "--filename", "-", stdin=json.dumps(status))
    assert apiserver.got("en", "generations")["metadata"]["generation"] == 1
    node["spec"]["objective"] = "MaxMinF1"
    apiserver.did("apply", "--filename", "-", stdin=json.dumps(node))
    assert apiserver.got("en", "generations")["metadata"]["generation"] == 2
