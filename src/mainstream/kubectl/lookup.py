"""Finding things in a cluster: our objects by name, the operator, runners' pods, schedules, measured costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainstream.errors import InputError
from mainstream.kubectl.calls import Kubectl, Plain
from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.faults import meant
from mainstream.resources.names import COMPONENT, EDGE_NODE, SCHEDULE_FILE, label_value
from mainstream.schedule import Schedule

EDGE_NODES = "edgenodes.mainstream.dev"
APPS = "mainstreamapps.mainstream.dev"
OPERATOR_SELECTOR = f"app.kubernetes.io/name=mainstream,{COMPONENT}=operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An EdgeNode: as it was written, and its status."""

    edge_node: EdgeNode
    status: Plain


def edge_node(kubectl: Kubectl, name: str) -> Box:
    """The EdgeNode of that name (``InputError``, with the names that there are)."""
    body = kubectl.get(EDGE_NODES, name)
    if body is None:
        names = [one["metadata"]["name"] for one in kubectl.every(EDGE_NODES)]
        raise InputError(f"there is no EdgeNode {name!r}{meant(name, names) or '; there is none at all'}")
    return box(body)


def app(kubectl: Kubectl, name: str, namespace: str) -> Plain:
    """The MainstreamApp of that name (``InputError``)."""
    body = kubectl.get(APPS, name, namespace=namespace)
    if body is None:
        names = [one["metadata"]["name"] for one in kubectl.every(APPS, namespace=namespace)]
        there = meant(name, names) or "; the namespace has none"
        raise InputError(
            f"there is no MainstreamApp {name!r} in namespace {namespace}{there}",
            remedy="Name another with --namespace.",
        )
    return body


def box(body: Mapping[str, Any]) -> Box:
    """An EdgeNode of the cluster."""
    where = f"EdgeNode {body['metadata']['name']}"
    return Box(edge_node=EdgeNode.from_plain(_written(body), where=where), status=body.get("status") or {})


def application(body: Mapping[str, Any]) -> MainstreamApp:
    """A MainstreamApp of the cluster."""
    metadata = body["metadata"]
    return MainstreamApp.from_plain(_written(body), where=f"MainstreamApp {metadata['namespace']}/{metadata['name']}")


def operators(kubectl: Kubectl) -> list[Plain]:
    """Deployments of the operator."""
    return kubectl.every("deployments.apps", selector=OPERATOR_SELECTOR)


def schedule(kubectl: Kubectl, edge_node: str) -> Schedule | None:
    """The schedule that was rendered for a box; None if there is none."""
    found = kubectl.every("configmaps", selector=f"{COMPONENT}=runner,{EDGE_NODE}={label_value(edge_node)}")
    for one in found:
        text = (one.get("data") or {}).get(SCHEDULE_FILE)
        if text is not None:
            metadata = one["metadata"]
            return Schedule.from_json(text, where=f"ConfigMap {metadata['namespace']}/{metadata['name']}")
    return None


def runner_pod(kubectl: Kubectl, edge_node: str) -> Plain:
    """The newest pod of a box's runner that runs (``InputError`` if there is none)."""
    pods = kubectl.every("pods", selector=f"{COMPONENT}=runner,{EDGE_NODE}={label_value(edge_node)}")
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
    if not running:
        raise InputError(f"no runner runs on EdgeNode {edge_node}", remedy="See why: kubectl mainstream doctor")
    return max(running, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def _written(body: Mapping[str, Any]) -> Plain:
    """What a person wrote of it: the server's own metadata are no part of our types."""
    metadata = body["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "labels", "annotations") if name in metadata}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": body.get("spec", {})}
