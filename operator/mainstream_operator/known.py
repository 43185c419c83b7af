"""What is kept of an object of the cluster: its identity, its spec as a value, and a mark of what decisions depend on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream_operator.client import Plain
from mainstream_operator.values import Identity, Invalid, identity, read_app, read_edge_node


@dataclass(frozen=True, slots=True)
class Key:
    """What is looked at by itself: an EdgeNode by name, a MainstreamApp by ``namespace/name``, a Tidying by what it tidies."""

    kind: Literal["EdgeNode", "MainstreamApp", "Tidying"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One of our objects. ``spec`` is Invalid where it cannot be read; ``mark`` changes with what decisions depend on."""

    place: Mapping[str, str]
    """``name``, and ``namespace`` where it has one."""
    version: str
    identity: Identity
    spec: EdgeNode | MainstreamApp | Invalid
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    status_json: bytes
    """As text it takes a tenth of the memory, and few are looked at at a time."""
    mark: Any

    @property
    def status(self) -> Plain:
        """Its status, a copy of one's own; empty if it has none."""
        plain: Plain = json.loads(self.status_json)
        return plain

    def differs(self, before: "Known | None") -> bool:
        """Whether something that is decided by is another than it was."""
        return before is None or before.mark != self.mark or before.identity.uid != self.identity.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A Kubernetes node."""

    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A namespace; in one that is ending nothing can be made."""

    labels: Mapping[str, str]
    ending: bool


def known_edge_node(body: Plain, before: Known | None) -> Known:
    """An EdgeNode as it is now; what cannot have changed is not parsed again."""
    return _known(body, _spec(before, body) or read_edge_node(body), _node_mark(body))


def known_app(body: Plain, before: Known | None) -> Known:
    """A MainstreamApp as it is now; what cannot have changed is not parsed again."""
    return _known(body, _spec(before, body) or read_app(body), _app_mark(body))


def host_of(body: Plain) -> Host:
    """Of a Node."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return Host(ready=any(one["type"] == "Ready" and one["status"] == "True" for one in conditions))


def space_of(body: Plain) -> Space:
    """Of a Namespace."""
    metadata = body["metadata"]
    return Space(labels=metadata.get("labels") or {}, ending="deletionTimestamp" in metadata)


def host_name(edge_node: EdgeNode) -> str:
    """The Kubernetes node that the box is."""
    return edge_node.spec.node_name or edge_node.metadata.name


def is_newer(version: str, than: str) -> bool:
    """Whether an object's version is newer: numbers that grow are (Kubernetes API conventions); others are taken for it."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


def is_old(before: Known | None, body: Plain) -> bool:
    """Whether a newer version of an object is known already, or this one."""
    return before is not None and not is_newer(body["metadata"].get("resourceVersion", ""), before.version)


def _spec(before: Known | None, body: Plain) -> EdgeNode | MainstreamApp | None:
    """The parsed object of before, where neither its spec nor its labels and annotations can have changed."""
    if before is None or isinstance(before.spec, Invalid):
        return None
    metadata = body["metadata"]
    same = (
        before.identity.uid == metadata.get("uid")
        and before.identity.generation == metadata.get("generation")
        and before.labels == (metadata.get("labels") or {})
        and before.annotations == _annotations(metadata)
    )
    return before.spec if same else None


def _known(body: Plain, spec: EdgeNode | MainstreamApp | Invalid, mark: Any) -> Known:
    metadata = body["metadata"]
    return Known(
        place={name: metadata[name] for name in ("name", "namespace") if name in metadata},
        version=metadata.get("resourceVersion", ""),
        identity=identity(body),
        spec=spec,
        labels=metadata.get("labels") or {},
        annotations=_annotations(metadata),
        status_json=json.dumps(body.get("status") or {}, separators=(",", ":")).encode(),
        mark=mark,
    )


def _annotations(metadata: Plain) -> dict[str, str]:
    """Without what kubectl keeps there: a second copy of the whole object."""
    return {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if not name.startswith("kubectl.kubernetes.io/")
    }


def _node_mark(body: Plain) -> Any:
    """Of an EdgeNode: its spec, and of what the runner reports that which decides something."""
    metadata = body["metadata"]
    runner = (body.get("status") or {}).get("runner") or {}
    streams = [
        (one.get("name"), one.get("phase"), one.get("rateToWrite"), one.get("message"))
        for one in runner.get("streams") or ()
    ]
    apps = [
        (one.get("namespace"), one.get("name"), one.get("fps") not in (None, "", "0"), one.get("sinkMessage"))
        for one in runner.get("apps") or ()
    ]
    reported = (runner.get("scheduleDigest"), runner.get("loadedAt"), runner.get("refusal"), streams, apps)
    return (metadata.get("generation"), metadata.get("deletionTimestamp"), metadata.get("labels"), reported)


def _app_mark(body: Plain) -> Any:
    metadata = body["metadata"]
    return (
        metadata.get("generation"), metadata.get("deletionTimestamp"), metadata.get("labels"), _annotations(metadata)
    )  # fmt: skip
