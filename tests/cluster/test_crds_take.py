"""What both take, and the few manifests that only one of API server and command line takes."""

from collections.abc import Mapping
from typing import Any

import pytest

from .control_plane import ControlPlane
from .manifests import APP, NODE, changed, faults, refusals

pytestmark = pytest.mark.cluster

STREAM = "spec.streams.0"

GOOD: dict[str, tuple[Mapping[str, Any], str, object]] = {
    "branchpoints by name": (APP, "spec.training.branchpoints", ["conv_pw_9", "pooled"]),
    "branchpoints left to the trainer": (APP, "spec.training.branchpoints", "Auto"),
    "a reference by digest": (APP, "spec.training.baseDnn", {"reference": f"registry.example/b@sha256:{'0' * 64}"}),
    "a reference by name": (APP, "spec.training.baseDnn", {"reference": "base/mobilenet-1.0-128"}),
    "all edge nodes": (APP, "spec.edgeNodes", {"matchLabels": {}}),
    "resources": (APP, "spec.training.resources", {"limits": {"nvidia.com/gpu": 1, "memory": "8Gi"}}),
    "a Secret for the camera": (NODE, f"{STREAM}.source.rtsp.credentialsSecretRef", {"name": "north-camera"}),
    "an @ in a path": (NODE, f"{STREAM}.source.rtsp.url", "rtsp://10.0.0.7/user@domain?a=b@c"),
    "a device": (NODE, f"{STREAM}.source", {"device": {"path": "/dev/video0"}}),
    "namespaces with a label": (NODE, "spec.allowedNamespaces", {"matchLabels": {"tenant": "yes"}}),
    "all namespaces": (NODE, "spec.allowedNamespaces", {}),
    "64 streams": (
        NODE, "spec.streams",
        [{"name": f"s-{n}", "source": {"rtsp": {"url": f"rtsp://c/{n}"}}, "captureFps": 15} for n in range(64)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right_is_taken_by_both(apiserver: ControlPlane, case: str) -> None:
    """Nothing is refused that the formats allow."""
    manifest = changed(*GOOD[case])
    with apiserver.client() as client:
        assert (faults(manifest), refusals(client, manifest)) == ([], [])


COMMAND_LINE_TAKES: dict[str, tuple[Mapping[str, Any], str, object]] = {
    "a float": (NODE, "spec.budget.utilization", 62.5),
    "a float in a crop": (NODE, f"{STREAM}.views.0.crop.3", 0.25),
    "an integer as text": (APP, "spec.training.epochs", "40"),
}


@pytest.mark.parametrize("case", COMMAND_LINE_TAKES)
def test_what_only_the_command_line_takes(apiserver: ControlPlane, case: str) -> None:
    """Kubernetes knows no floats here and no numbers as text where it asks for an integer; the meaning is not in doubt."""
    manifest = changed(*COMMAND_LINE_TAKES[case])
    with apiserver.client() as client:
        assert faults(manifest) == []
        assert len(refusals(client, manifest)) == 1


def test_a_fraction_that_is_too_high_is_seen_by_the_operator_only(apiserver: ControlPlane) -> None:
    """No pattern divides, and a rule that does costs too much in a list."""
    manifest = changed(NODE, f"{STREAM}.captureFps", "5000/1")
    with apiserver.client() as client:
        assert refusals(client, manifest) == []
    assert faults(manifest) == ["spec.streams[0].captureFps: expected less than or equal to 1000, got '5000/1'"]
