"""What `kubectl mainstream doctor` says of clusters in which something is wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstream.kubectl.doctor import CRDS, Seen, Trouble, examine

ROOT = Path(__file__).resolve().parents[2]


def _crds() -> dict[str, Any]:
    return {name: yaml.safe_load((ROOT / "crds" / f"{name}.yaml").read_text()) for name in CRDS}


def _operator(replicas: int = 1) -> dict[str, Any]:
    metadata = {"name": "mainstream-operator", "namespace": "mainstream-system"}
    return {"metadata": metadata, "status": {"availableReplicas": replicas} if replicas else {}}


def _with(kind: str, *conditions: tuple[str, str, str, str]) -> dict[str, Any]:
    metadata = {"name": "box"} if kind == "EdgeNode" else {"name": "red-car", "namespace": "traffic"}
    told = [
        {"type": one, "status": status, "reason": reason, "message": said} for one, status, reason, said in conditions
    ]
    return {"metadata": metadata, "spec": {}, "status": {"conditions": told}}


def _found(**changes: Any) -> list[Trouble]:
    healthy: dict[str, Any] = {"crds": _crds(), "operators": [_operator()], "nodes": ["box"]}
    return examine(Seen(**{**healthy, **changes}))


def test_nothing_is_said_of_a_cluster_that_is_well() -> None:
    """Ready objects, a running operator, CRDs of this version."""
    node = _with("EdgeNode", ("Ready", "True", "Ready", ""), ("Overcommitted", "False", "Ready", ""))
    app = _with("MainstreamApp", ("Ready", "True", "Ready", ""), ("Trained", "True", "Ready", ""))
    assert _found(edge_nodes=[node], apps=[app]) == []


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"operators": []}, "Missing", "no Deployment of the operator"),
        ({"operators": [_operator(0)]}, "NotAvailable", "does not run"),
        (
            {"edge_nodes": [{"metadata": {"name": "box"}, "spec": {"nodeName": "k3s-1"}}]},
            "NotSeen",
            "has not looked at it",
        ),
        (
            {
                "edge_nodes": [
                    _with("EdgeNode", ("StreamsConnected", "False", "StreamUnreachable", "stream north: no route"))
                ]
            },
            "StreamUnreachable",
            "stream north: no route",
        ),
        (
            {"edge_nodes": [_with("EdgeNode", ("Overcommitted", "True", "Infeasible", "not admitted: traffic/bus"))]},
            "Infeasible",
            "not admitted: traffic/bus",
        ),
        (
            {
                "apps": [
                    _with("MainstreamApp", ("Trained", "False", "RegistryCredentialsMissing", "registry.example asks"))
                ]
            },
            "RegistryCredentialsMissing",
            "registry.example asks",
        ),
        (
            {
                "apps": [
                    _with("MainstreamApp", ("Scheduled", "False", "RejectedByPriority", "on box: it would need 0.3"))
                ]
            },
            "RejectedByPriority",
            "it would need 0.3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_an_error_with_a_remedy(changes: dict[str, Any], reason: str, words: str) -> None:
    """The object, the reason of the API, the message of the condition, what to do."""
    (trouble,) = [one for one in _found(**changes) if one.reason == reason]
    assert trouble.level == "error"
    assert words in trouble.message
    assert trouble.remedy


def test_a_node_that_is_not_there_is_named_with_those_that_are() -> None:
    """Also where the operator has not said so yet."""
    body = {"metadata": {"name": "gate"}, "spec": {"nodeName": "k3s-1"}, "status": {}}
    (trouble,) = [one for one in _found(edge_nodes=[body], nodes=["k3s-2", "k3s-3"]) if one.reason == "NodeNotFound"]
    assert "no Node k3s-1; it has: k3s-2, k3s-3" in trouble.message


def test_a_crd_that_is_too_old_is_named_with_what_it_lacks() -> None:
    """New fields would be dropped by the API server without a word."""
    crds = _crds()
    schema = crds["edgenodes.mainstream.dev"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del schema["spec"]["properties"]["objective"]
    (trouble,) = _found(crds=crds)
    assert (trouble.reason, "spec.objective" in trouble.message) == ("TooOld", True)


def test_a_retrained_package_that_waits_is_a_warning() -> None:
    """The condition is True, yet somebody should decide."""
    app = _with("MainstreamApp", ("Trained", "True", "RetrainedWorse", "best p - q of 0.80, 0.93 is in use"))
    (trouble,) = _found(apps=[app])
    assert (trouble.level, trouble.reason) == ("warning", "RetrainedWorse")


def test_what_goes_away_by_itself_is_a_warning() -> None:
    """Training runs: nobody has to do anything, and the doctor's exit status is 0."""
    app = _with(
        "MainstreamApp",
        ("Trained", "False", "TrainingPending", "training runs in Job red-car-train-1"),
        ("Running", "False", "NotScheduled", "no edge node runs it"),
    )
    (trouble,) = _found(apps=[app])
    assert (trouble.level, trouble.reason) == ("warning", "TrainingPending")


def test_a_pod_that_cannot_be_placed_is_named_with_the_schedulers_words() -> None:
    """A trainer that asks for more than any node has."""
    conditions = [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: Insufficient cpu."}]
    pod = {
        "metadata": {"name": "red-car-train-1-abc", "namespace": "traffic"},
        "status": {"phase": "Pending", "conditions": conditions},
    }
    (trouble,) = _found(pods=[pod])
    assert "Insufficient cpu" in trouble.message
    assert trouble.what == "Pod traffic/red-car-train-1-abc"


def test_what_may_not_be_read_is_said() -> None:
    """A tenant may not read Nodes: no silence, no error."""
    (trouble,) = _found(unread=["Nodes"], nodes=None)
    assert (trouble.level, trouble.reason, trouble.what) == ("warning", "Forbidden", "Nodes")
