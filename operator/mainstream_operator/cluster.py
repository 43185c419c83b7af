"""What is known of the cluster: a copy fed by watches, as plain values, each object parsed once per version.

Telling it of an object answers who must be looked at again: ``Key`` of EdgeNodes and apps. Changes that carry no decision
(a report that says the same, a Lease that was renewed, a status that we wrote) answer nothing. For several threads.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mainstream.resources.app import EdgeNodeSelector, MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import APP, EDGE_NODE, label_value
from mainstream_operator import kinds
from mainstream_operator.client import Plain
from mainstream_operator.values import Identity, Invalid, identity, key_of, read_app, read_edge_node


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
    status: Plain
    mark: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A Kubernetes node."""

    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A namespace; in one that is ending nothing can be made."""

    labels: Mapping[str, str]
    ending: bool


@dataclass(slots=True)
class Cluster:
    """See the module. ``host_of`` and ``apps_of`` are indexes; the rest is by name or ``namespace/name``."""

    now: Callable[[], datetime]
    edge_nodes: dict[str, Known] = field(default_factory=dict)
    apps: dict[str, Known] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    selected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By app, the EdgeNodes that exist and that it selects, sorted."""
    _members: dict[str, set[str]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, kind: kinds.Kind, body: Plain) -> set[Key]:
        """An object is so now. An older version than the known one is left alone."""
        with self._lock:
            match kind.kind:
                case "EdgeNode":
                    return self._put_edge_node(body)
                case "MainstreamApp":
                    return self._put_app(body)
                case "Node":
                    return self._put_host(body)
                case "Namespace":
                    return self._put_space(body)
        raise ValueError(f"Expected a kind that is watched, got {kind.kind}")

    def gone(self, kind: kinds.Kind, name: str) -> set[Key]:
        """There is no such object any more (``namespace/name``, or a name)."""
        with self._lock:
            match kind.kind:
                case "EdgeNode":
                    if self.edge_nodes.pop(name, None) is None:
                        return set()
                    return {Key("EdgeNode", name)} | self._select(self.apps)
                case "MainstreamApp":
                    if self.apps.pop(name, None) is None:
                        return set()
                    return {Key("MainstreamApp", name)} | self._select([name])
                case "Node":
                    return self._on_host(name) if self.hosts.pop(name, None) is not None else set()
                case "Namespace":
                    self.spaces.pop(name, None)
        return set()

    def keep_only(self, kind: kinds.Kind, names: Iterable[str]) -> set[Key]:
        """These are all there are: forget the others, whose end nobody told."""
        there = set(names)
        with self._lock:
            known: dict[str, set[str]] = {
                "EdgeNode": set(self.edge_nodes),
                "MainstreamApp": set(self.apps),
                "Node": set(self.hosts),
                "Namespace": set(self.spaces),
            }
            touched: set[Key] = set()
            for name in known[kind.kind] - there:
                touched |= self.gone(kind, name)
            return touched

    def named(self, labels: Mapping[str, str], namespace: str | None) -> Key | None:
        """Whose object that is, by the labels of one that the operator made: label values may be cut."""
        with self._lock:
            if EDGE_NODE in labels:
                name = _whole(labels[EDGE_NODE], self.edge_nodes)
                return Key("EdgeNode", name) if name is not None else None
            if APP in labels and namespace is not None:
                prefix = f"{namespace}/"
                names = {key.removeprefix(prefix): key for key in self.apps if key.startswith(prefix)}
                name = _whole(labels[APP], names)
                return Key("MainstreamApp", names[name]) if name is not None else None
        return None

    def members(self, edge_node: str) -> list[str]:
        """The apps that select an EdgeNode, sorted."""
        with self._lock:
            return sorted(self._members.get(edge_node, ()))

    def space_labels(self, apps: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Labels of the namespaces of those apps."""
        with self._lock:
            names = {app.partition("/")[0] for app in apps}
            return {name: self.spaces[name].labels for name in names if name in self.spaces}

    def edge_hosts(self) -> list[str]:
        """Kubernetes nodes that carry an EdgeNode, sorted."""
        with self._lock:
            found = (known.spec for known in self.edge_nodes.values())
            return sorted({host_name(spec) for spec in found if isinstance(spec, EdgeNode)})

    def ending(self, namespace: str) -> bool:
        """Whether a namespace is ending, or gone."""
        space = self.spaces.get(namespace)
        return space is None or space.ending

    def _put_edge_node(self, body: Plain) -> set[Key]:
        name = body["metadata"]["name"]
        before = self.edge_nodes.get(name)
        if _is_old(before, body):
            return set()
        spec = _spec(before, body)
        known = _known(body, read_edge_node(body) if spec is None else spec, _node_mark(body))
        self.edge_nodes[name] = known
        touched = set()
        if before is None or before.labels != known.labels:
            touched |= self._select(self.apps)
        if before is None or before.mark != known.mark or before.identity.uid != known.identity.uid:
            touched.add(Key("EdgeNode", name))
        if before is not None and before.identity.generation != known.identity.generation:
            touched |= {Key("MainstreamApp", app) for app in self._members.get(name, ())}  # a view may be another
        return touched

    def _put_app(self, body: Plain) -> set[Key]:
        name = key_of(body)
        before = self.apps.get(name)
        if _is_old(before, body):
            return set()
        spec = _spec(before, body)
        known = _known(body, read_app(body) if spec is None else spec, _app_mark(body))
        self.apps[name] = known
        touched = set()
        if before is None or spec is None:
            touched |= self._select([name])
        if before is None or before.mark != known.mark or before.identity.uid != known.identity.uid:
            touched.add(Key("MainstreamApp", name))
        return touched

    def _put_host(self, body: Plain) -> set[Key]:
        name = body["metadata"]["name"]
        conditions = (body.get("status") or {}).get("conditions") or ()
        host = Host(ready=any(one["type"] == "Ready" and one["status"] == "True" for one in conditions))
        before = self.hosts.get(name)
        self.hosts[name] = host
        return set() if before == host else self._on_host(name)

    def _put_space(self, body: Plain) -> set[Key]:
        metadata = body["metadata"]
        space = Space(labels=metadata.get("labels") or {}, ending="deletionTimestamp" in metadata)
        before = self.spaces.get(metadata["name"])
        self.spaces[metadata["name"]] = space
        if before == space:
            return set()
        prefix = f"{metadata['name']}/"
        apps = [app for app in self.apps if app.startswith(prefix)]
        nodes = {Key("EdgeNode", node) for app in apps for node in self.selected.get(app, ())}
        return nodes | {Key("MainstreamApp", app) for app in apps}

    def _on_host(self, host: str) -> set[Key]:
        found = ((name, known.spec) for name, known in self.edge_nodes.items())
        return {Key("EdgeNode", name) for name, spec in found if isinstance(spec, EdgeNode) and host_name(spec) == host}

    def _select(self, apps: Iterable[str]) -> set[Key]:
        """Find anew which EdgeNodes those apps select; whom that touches."""
        touched: set[Key] = set()
        labels = {name: known.labels for name, known in self.edge_nodes.items()}
        for app in list(apps):
            known = self.apps.get(app)
            spec = known.spec if known is not None else None
            selector = spec.spec.edge_nodes if isinstance(spec, MainstreamApp) else None
            now = _selected(selector, labels)
            before = self.selected.get(app, ())
            if now == before:
                continue
            for node in set(before) - set(now):
                self._members[node].discard(app)
            for node in set(now) - set(before):
                self._members.setdefault(node, set()).add(app)
            touched |= {Key("EdgeNode", node) for node in set(before) ^ set(now)}
            touched.add(Key("MainstreamApp", app))
            self.selected[app] = now
            if known is None:
                del self.selected[app]
        return touched


def _whole(label: str, names: Iterable[str]) -> str | None:
    if label in names:
        return label
    return next((name for name in names if label_value(name) == label), None)


def host_name(edge_node: EdgeNode) -> str:
    """The Kubernetes node that the box is."""
    return edge_node.spec.node_name or edge_node.metadata.name


def is_newer(version: str, than: str) -> bool:
    """Whether an object's version is newer: numbers that grow are (Kubernetes API conventions); others are taken for it."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


def _is_old(before: Known | None, body: Plain) -> bool:
    return before is not None and not is_newer(body["metadata"].get("resourceVersion", ""), before.version)


def _spec(before: Known | None, body: Plain) -> EdgeNode | MainstreamApp | Invalid | None:
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
        status=body.get("status") or {},
        mark=mark,
    )


def _annotations(metadata: Plain) -> dict[str, str]:
    """Without what kubectl keeps there: a second copy of the whole object."""
    return {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if not name.startswith("kubectl.kubernetes.io/")
    }


def _selected(selector: EdgeNodeSelector | None, labels: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    if selector is None:
        return ()
    if selector.match_names is not None:
        return tuple(sorted(name for name in set(selector.match_names) if name in labels))
    wanted = (selector.match_labels or {}).items()
    return tuple(sorted(name for name, has in labels.items() if all(has.get(key) == value for key, value in wanted)))


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
