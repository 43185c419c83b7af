"""What there is in the cluster, and what manifests that are not applied yet would make of it: what ``plan`` decides upon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mainstream.cost import LayerCosts
from mainstream.errors import InputError
from mainstream.kubectl.calls import Kubectl, Plain
from mainstream.kubectl.lookup import APPS, EDGE_NODES, Box, application, box
from mainstream.resources.app import MainstreamApp
from mainstream.resources.manifests import Manifests
from mainstream.resources.names import COMPONENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What there is, and what the manifests would make of it; apps by ``namespace/name``."""

    boxes: Mapping[str, Box]
    apps: Mapping[str, MainstreamApp]
    statuses: Mapping[str, Plain]
    created: Mapping[str, str]
    namespaces: Mapping[str, Mapping[str, str]]
    costs: Sequence[tuple[LayerCosts, float]]
    changed: frozenset[str]


def read(kubectl: Kubectl, manifests: Manifests, namespace: str) -> Situation:
    """Read the cluster and put the manifests over it, as ``kubectl apply`` would."""
    boxes = {one["metadata"]["name"]: box(one) for one in kubectl.every(EDGE_NODES)}
    bodies = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in kubectl.every(APPS)}
    apps = {key: application(body) for key, body in bodies.items()}
    changed = set()
    for node in manifests.edge_nodes:
        name = node.metadata.name
        boxes[name] = Box(edge_node=node, status=boxes[name].status if name in boxes else {})
        changed.add(f"EdgeNode {name}")
    for one in manifests.apps:
        named = "namespace" in one.metadata.model_fields_set
        app = (
            one
            if named
            else one.model_copy(update={"metadata": one.metadata.model_copy(update={"namespace": namespace})})
        )
        apps[app.key] = app
        changed.add(app.key)
    maps = kubectl.every("configmaps", selector=f"{COMPONENT}=costs")
    return Situation(
        boxes=boxes,
        apps=apps,
        statuses={key: body.get("status") or {} for key, body in bodies.items()},
        created={key: body["metadata"]["creationTimestamp"] for key, body in bodies.items()},
        namespaces={
            one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in kubectl.every("namespaces")
        },
        costs=[_costs(one) for one in maps],
        changed=frozenset(changed),
    )


def concerned(situation: Situation) -> list[str]:
    """The boxes that the change touches (``InputError`` where an app names one that is not there)."""
    touched = {name.removeprefix("EdgeNode ") for name in situation.changed if name.startswith("EdgeNode ")}
    for key in sorted(situation.changed & situation.apps.keys()):
        app = situation.apps[key]
        absent = [name for name in app.spec.edge_nodes.match_names or () if name not in situation.boxes]
        if absent:
            there = ", ".join(sorted(situation.boxes)) or "none"
            raise InputError(
                f"app {key}: spec.edgeNodes.matchNames: there is no EdgeNode {absent[0]!r}",
                remedy=f"There are: {there}.",
            )
        chosen = {name for name, one in situation.boxes.items() if app.spec.edge_nodes.selects(one.edge_node.metadata)}
        if not chosen:
            raise InputError(f"app {key}: spec.edgeNodes.matchLabels: no EdgeNode has these labels")
        touched |= chosen
    return sorted(touched)


def _costs(config_map: Plain) -> tuple[LayerCosts, float]:
    data, where = config_map.get("data") or {}, f"ConfigMap {config_map['metadata']['name']}"
    return LayerCosts.parse(data.get("costs.json", ""), where=where), float(Fraction(data.get("cpu", "0")))
