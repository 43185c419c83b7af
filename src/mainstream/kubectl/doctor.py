"""``doctor``: what is wrong in a cluster, in sentences, each with its remedy. Pure: from objects as kubectl gives them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic.alias_generators import to_camel

from mainstream.kubectl.calls import Plain
from mainstream.resources.app import AppSpec
from mainstream.resources.edgenode import EdgeNodeSpec
from mainstream.resources.reasons import REASONS

Level = Literal["error", "warning"]
CRDS = {
    "edgenodes.mainstream.dev": frozenset(to_camel(name) for name in EdgeNodeSpec.model_fields),
    "mainstreamapps.mainstream.dev": frozenset(to_camel(name) for name in AppSpec.model_fields),
}
"""The fields of each kind's spec that this program knows."""
UPGRADE = "Upgrade the chart with crds.enabled=true, or: kubectl apply --server-side --filename crds/"
PARTS = {
    "EdgeNode": ("Profiled", "Scheduled", "RunnerReady", "StreamsConnected"),
    "MainstreamApp": ("Trained", "Scheduled", "Running"),
}
BAD_WHEN_TRUE = {"Overcommitted", "Degraded"}
WORTH_SAYING = {"RetrainingFailed", "RetrainedWorse", "CaptureRateMismatch"}
"""Reasons of conditions that are as they should be."""
WAITING = {
    "ProfilePending", "ScheduleLoading", "Retraining", "BaseDnnPending", "TrainingPending", "PackagePending",
    "SchedulePending", "NotScheduled",
}  # fmt: skip
"""Reasons that go away by themselves: no error, as long as nothing else is wrong."""
IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName"}
CONSEQUENCES = {"NotScheduled", "EdgeNodeUnreachable"}
"""Reasons whose cause is said elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """``what`` names the object, ``message`` says it, ``remedy`` what to do."""

    level: Level
    what: str
    reason: str
    message: str
    remedy: str = ""

    def plain(self) -> Plain:
        """As JSON has it."""
        return {
            "level": self.level, "object": self.what, "reason": self.reason, "message": self.message, "remedy": self.remedy,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of a cluster. ``crds`` are by name, None where one is missing; ``unread`` says what may not be read."""

    crds: Mapping[str, Plain | None]
    operators: Sequence[Plain] = ()
    edge_nodes: Sequence[Plain] = ()
    apps: Sequence[Plain] = ()
    nodes: Sequence[str] | None = None
    pods: Sequence[Plain] = ()
    """Of the operator, its runners and its Jobs, in all namespaces."""
    unread: Sequence[str] = field(default=())


def examine(seen: Seen) -> list[Trouble]:
    """All that is wrong, the most fundamental first."""
    return [
        *(
            Trouble(level="warning", what=what, reason="Forbidden", message="may not be read, so it was not looked at")
            for what in seen.unread
        ),
        *_crds(seen.crds),
        *_operator(seen),
        *(trouble for body in seen.edge_nodes for trouble in _edge_node(body, seen.nodes)),
        *(trouble for body in seen.apps for trouble in _app(body)),
        *(trouble for pod in seen.pods for trouble in _pod(pod)),
    ]


def _crds(crds: Mapping[str, Plain | None]) -> Iterator[Trouble]:
    for name, body in crds.items():
        what = f"CustomResourceDefinition {name}"
        if body is None:
            message = "the cluster does not know this kind"
            yield Trouble(level="error", what=what, reason="Missing", message=message, remedy=UPGRADE)
            continue
        lacking = sorted(CRDS[name] - _served(body))
        if lacking:
            message = f"is older than this program: it does not know {', '.join(f'spec.{one}' for one in lacking)}"
            yield Trouble(level="error", what=what, reason="TooOld", message=message, remedy=UPGRADE)


def _served(crd: Plain) -> set[str]:
    for version in crd["spec"]["versions"]:
        if version["name"] == "v1alpha1" and version.get("served"):
            schema = version["schema"]["openAPIV3Schema"]["properties"]
            return set(schema["spec"].get("properties", ()))
    return set()


def _operator(seen: Seen) -> Iterator[Trouble]:
    if not seen.operators:
        yield Trouble(
            level="error",
            what="operator",
            reason="Missing",
            message="no Deployment of the operator is in this cluster: nothing is scheduled, trained or reported",
            remedy="Install the chart: helm install mainstream charts/mainstream (docs/quickstart-k3s.md)",
        )
    for body in seen.operators:
        metadata, status = body["metadata"], body.get("status") or {}
        if not status.get("availableReplicas"):
            what = f"Deployment {metadata['namespace']}/{metadata['name']}"
            yield Trouble(
                level="error",
                what=what,
                reason="NotAvailable",
                message="the operator does not run: boxes go on with their last schedules, nothing new is done",
                remedy=f"kubectl logs --namespace {metadata['namespace']} deployment/{metadata['name']} --previous",
            )


def _edge_node(body: Plain, nodes: Sequence[str] | None) -> Iterator[Trouble]:
    name = body["metadata"]["name"]
    what = f"EdgeNode {name}"
    host = (body.get("spec") or {}).get("nodeName") or name
    conditions = _conditions(body)
    if not conditions:
        yield _unseen(what)
    if nodes is not None and host not in nodes and not any(one["reason"] == "NodeNotFound" for one in conditions):
        message = f"the cluster has no Node {host}; it has: {', '.join(sorted(nodes)) or 'none'}"
        yield Trouble(
            level="error", what=what, reason="NodeNotFound", message=message, remedy=REASONS["NodeNotFound"].remedy
        )
    yield from _from_conditions(what, "EdgeNode", conditions)


def _app(body: Plain) -> Iterator[Trouble]:
    metadata = body["metadata"]
    what = f"MainstreamApp {metadata['namespace']}/{metadata['name']}"
    conditions = _conditions(body)
    if not conditions:
        yield _unseen(what)
    yield from _from_conditions(what, "MainstreamApp", conditions)


def _unseen(what: str) -> Trouble:
    return Trouble(
        level="error",
        what=what,
        reason="NotSeen",
        message="the operator has not looked at it",
        remedy="Is the operator there, and does it look at this namespace (chart value watchNamespaces)?",
    )


def _conditions(body: Plain) -> list[Plain]:
    return (body.get("status") or {}).get("conditions") or []


def _from_conditions(what: str, kind: str, conditions: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    said: set[str] = set()
    for one in conditions:
        kind_of, status, reason = one["type"], one["status"], one["reason"]
        if kind_of in BAD_WHEN_TRUE:
            wrong = status == "True"
        elif kind_of in PARTS[kind]:
            wrong = status != "True"
        else:
            continue
        good_but = not wrong and reason in WORTH_SAYING
        if not (wrong or good_but) or reason in said or reason in CONSEQUENCES or reason == "Suspended":
            continue
        said.add(reason)
        known = REASONS.get(reason)
        mild = good_but or reason in WAITING or status == "Unknown"
        yield Trouble(
            level="warning" if mild else "error",
            what=what,
            reason=reason,
            message=one.get("message") or (known.means if known else ""),
            remedy=known.remedy if known else "",
        )


def _pod(pod: Plain) -> Iterator[Trouble]:
    """A pod that is not placed, or whose image or volume is not there."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    what = f"Pod {metadata['namespace']}/{metadata['name']}"
    if status.get("phase") in {"Succeeded", "Failed"}:
        return
    for one in status.get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            message = f"cannot be placed: {one.get('message', '')}"
            remedy = (
                "Make room, or change what it asks for (spec.training: resources, nodeSelector, tolerations; a budget)."
            )
            yield Trouble(level="error", what=what, reason="Unschedulable", message=message, remedy=remedy)
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason and reason not in {"ContainerCreating", "PodInitializing"}:
            logs = f"kubectl logs --previous --namespace {metadata['namespace']} {metadata['name']}"
            remedy = "Check the chart's images and pullSecrets." if reason in IMAGE_REASONS else logs
            yield Trouble(level="error", what=what, reason=reason, message=waiting.get("message", ""), remedy=remedy)
