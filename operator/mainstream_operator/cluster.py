"""What is known of the cluster: a copy fed by watches, as plain values, each object parsed once per version.

Telling it of an object answers who must be looked at again: ``Key`` of EdgeNodes and apps. Changes that carry no decision
(a report that says the same, a Lease that was renewed, a status that we wrote) answer nothing. For several threads.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mainstream.resources.app import MainstreamApp
from mainstream.resources.edgenode import EdgeNode
from mainstream.resources.names import APP, EDGE_NODE, label_value
from mainstream_operator import kinds
from mainstream_operator.client import Plain
from mainstream_operator.known import (
    Host,
    Key,
    Known,
    Space,
    host_name,
    host_of,
    is_old,
    known_app,
    known_edge_node,
    space_of,
)
from mainstream_operator.membership import Membership
from mainstream_operator.values import key_of


@dataclass(slots=True)
class Cluster:
    """See the module. All is by name, or ``namespace/name``."""

    now: Callable[[], datetime]
    edge_nodes: dict[str, Known] = field(default_factory=dict)
    apps: dict[str, Known] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    _membership: Membership = field(default_factory=Membership)
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
                    return {Key("EdgeNode", name)} | _apps(self._membership.edge_node(name, None))
                case "MainstreamApp":
                    if self.apps.pop(name, None) is None:
                        return set()
                    return {Key("MainstreamApp", name)} | _edge_nodes(self._membership.app(name, None))
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
            return self._membership.apps_of(edge_node)

    def selected_by(self, app: str) -> tuple[str, ...]:
        """The EdgeNodes that exist and that an app selects, sorted."""
        return self._membership.selected.get(app, ())

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
        if is_old(before, body):
            return set()
        self.edge_nodes[name] = known = known_edge_node(body, before)
        touched: set[Key] = set()
        if before is None or before.labels != known.labels:
            apps = self._membership.edge_node(name, known.labels)
            touched |= _apps(apps) | _edge_nodes([name] if apps else ())
        if known.differs(before):
            touched.add(Key("EdgeNode", name))
        if before is not None and before.identity.generation != known.identity.generation:
            touched |= _apps(self._membership.apps_of(name))  # a view may be another
        return touched

    def _put_app(self, body: Plain) -> set[Key]:
        name = key_of(body)
        before = self.apps.get(name)
        if is_old(before, body):
            return set()
        self.apps[name] = known = known_app(body, before)
        touched: set[Key] = set()
        if before is None or before.spec is not known.spec:
            selector = known.spec.spec.edge_nodes if isinstance(known.spec, MainstreamApp) else None
            edge_nodes = self._membership.app(name, selector)
            touched |= _edge_nodes(edge_nodes) | _apps([name] if edge_nodes else ())
        if known.differs(before):
            touched.add(Key("MainstreamApp", name))
        return touched

    def _put_host(self, body: Plain) -> set[Key]:
        name, host = body["metadata"]["name"], host_of(body)
        before = self.hosts.get(name)
        self.hosts[name] = host
        return set() if before == host else self._on_host(name)

    def _put_space(self, body: Plain) -> set[Key]:
        name, space = body["metadata"]["name"], space_of(body)
        before = self.spaces.get(name)
        self.spaces[name] = space
        if before == space:
            return set()
        apps = [app for app in self.apps if app.startswith(f"{name}/")]
        return _apps(apps) | _edge_nodes(node for app in apps for node in self.selected_by(app))

    def _on_host(self, host: str) -> set[Key]:
        found = ((name, known.spec) for name, known in self.edge_nodes.items())
        return {Key("EdgeNode", name) for name, spec in found if isinstance(spec, EdgeNode) and host_name(spec) == host}


def _apps(names: Iterable[str]) -> set[Key]:
    return {Key("MainstreamApp", name) for name in names}


def _edge_nodes(names: Iterable[str]) -> set[Key]:
    return {Key("EdgeNode", name) for name in names}


def _whole(label: str, names: Iterable[str]) -> str | None:
    if label in names:
        return label
    return next((name for name in names if label_value(name) == label), None)
