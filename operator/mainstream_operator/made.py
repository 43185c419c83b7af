"""What the operator made and what came of it: the copy that reflectors keep of objects with its label.

Of most kinds the metadata are enough: an annotation holds the digest of what was applied, so applying it again writes nothing,
also after a restart. Jobs, pods, Leases and measured costs are kept with what decisions need of them. For several threads.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mainstream.resources.names import APP, COMPONENT, EDGE_NODE
from mainstream_operator import kinds
from mainstream_operator.client import ObjectKey, Plain, Selection
from mainstream_operator.kinds import Kind
from mainstream_operator.known import is_newer
from mainstream_operator.values import parse_time

APPLIED = "mainstream.dev/applied"
"""Annotation of what the operator applied: the digest of what it applied."""
KEPT_WHOLE = frozenset({"Job", "Pod", "Lease", "ConfigMap"})
_STATUS_ELSEWHERE = frozenset({"Deployment", "PersistentVolumeClaim", "Lease", "Job", "Pod"})
"""Kinds whose version changes though nobody touched what was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object that the operator made, as far as it is kept; ``trusted`` is False once somebody else changed it."""

    key: ObjectKey
    uid: str
    version: str
    generation: int
    created: str
    labels: Mapping[str, str]
    applied: str | None
    ending: bool
    trusted: bool = True
    body: Plain | None = None


Told = Callable[[Made], None]
"""Hears of each object that came, changed or went and that somebody may have to look at."""


class MadeObjects:
    """See the module; the ``Mirror`` of all reflectors. ``now`` is the operator's clock: boxes' clocks may be wrong."""

    def __init__(self, now: Callable[[], datetime], told: Told) -> None:
        self._now, self._told = now, told
        self._lock = threading.RLock()
        self._objects: dict[ObjectKey, Made] = {}
        self._by_owner: dict[tuple[str, str | None, str], set[ObjectKey]] = {}
        self._renewed: dict[str, tuple[str, datetime]] = {}

    def replace(self, what: Selection, bodies: Iterable[Plain]) -> None:
        """These are all objects of the selection."""
        there = set()
        for body in bodies:
            there.add(ObjectKey.of(body, what.kind))
            self.change(what, body, gone=False)
        with self._lock:
            lost = [
                key
                for key in self._objects
                if key.kind == what.kind and what.namespace in (None, key.namespace) and key not in there
            ]
        for key in lost:
            self._drop(key)

    def change(self, what: Selection, body: Plain, *, gone: bool) -> None:
        """One object came, changed or went."""
        key = ObjectKey.of(body, what.kind)
        if gone:
            self._drop(key)
            return
        with self._lock:
            before = self._objects.get(key)
            if before is not None and not is_newer(_version(body), before.version):
                return
            made = _made(key, body, before)
            self._keep(made)
            if what.kind is kinds.LEASE:
                self._renew(key.name, body)
        if _matters(before, made):
            self._told(made)

    def wrote(self, kind: Kind, body: Plain) -> None:
        """The answer to a write of ours."""
        with self._lock:
            key = ObjectKey.of(body, kind)
            known = self._objects.get(key)
            if known is None or known.uid != body["metadata"]["uid"] or not is_newer(known.version, _version(body)):
                self._keep(_made(key, body, None))

    def get(self, key: ObjectKey) -> Made | None:
        """The object, None if it is not there."""
        return self._objects.get(key)

    def of_edge_node(self, kind: Kind, component: str, edge_node_label: str) -> list[Made]:
        """Objects of a component that belong to an EdgeNode, by the value of its label."""
        return self._owned(("EdgeNode", None, edge_node_label), kind, component)

    def of_app(self, kind: Kind, namespace: str, app_label: str) -> list[Made]:
        """Objects that belong to an app."""
        return self._owned(("MainstreamApp", namespace, app_label), kind, None)

    def of_component(self, kind: Kind, component: str) -> list[Made]:
        """All objects of a component."""
        with self._lock:
            return [
                made
                for key, made in self._objects.items()
                if key.kind == kind and made.labels.get(COMPONENT) == component
            ]

    def renewed(self, lease: str) -> datetime | None:
        """When a Lease was last renewed, by our clock."""
        found = self._renewed.get(lease)
        return found[1] if found else None

    def _owned(self, owner: tuple[str, str | None, str], kind: Kind, component: str | None) -> list[Made]:
        with self._lock:
            found = (self._objects[key] for key in self._by_owner.get(owner, ()) if key.kind == kind)
            return [made for made in found if component is None or made.labels.get(COMPONENT) == component]

    def _keep(self, made: Made) -> None:
        before = self._objects.get(made.key)
        if before is not None:
            for owner in _owners(before):
                self._by_owner.get(owner, set()).discard(made.key)
        self._objects[made.key] = made
        for owner in _owners(made):
            self._by_owner.setdefault(owner, set()).add(made.key)

    def _drop(self, key: ObjectKey) -> None:
        with self._lock:
            made = self._objects.pop(key, None)
            if made is None:
                return
            for owner in _owners(made):
                keys = self._by_owner.get(owner, set())
                keys.discard(key)
                if not keys:
                    self._by_owner.pop(owner, None)
            if key.kind is kinds.LEASE:
                self._renewed.pop(key.name, None)
        self._told(made)

    def _renew(self, name: str, body: Plain) -> None:
        text = (body.get("spec") or {}).get("renewTime")
        if not text or (name in self._renewed and self._renewed[name][0] == text):
            return
        # The first time it may be an old one; afterwards a change was a moment ago, whatever the box's clock says.
        at = parse_time(text) if name not in self._renewed else None
        self._renewed[name] = (text, min(self._now(), at) if at else self._now())


def _owners(made: Made) -> Iterable[tuple[str, str | None, str]]:
    if EDGE_NODE in made.labels:
        yield ("EdgeNode", None, made.labels[EDGE_NODE])
    if APP in made.labels:
        yield ("MainstreamApp", made.key.namespace, made.labels[APP])


def _made(key: ObjectKey, body: Plain, before: Made | None) -> Made:
    metadata = body["metadata"]
    generation = metadata.get("generation", 0)
    applied = (metadata.get("annotations") or {}).get(APPLIED)
    trusted = True
    if before is not None and before.uid == metadata["uid"]:
        untouched = generation == before.generation if key.kind.kind in _STATUS_ELSEWHERE else False
        trusted = before.trusted and untouched
    return Made(
        key=key,
        uid=metadata["uid"],
        version=_version(body),
        generation=generation,
        created=metadata.get("creationTimestamp", ""),
        labels=metadata.get("labels") or {},
        applied=applied,
        ending="deletionTimestamp" in metadata,
        trusted=trusted,
        body=_kept(key.kind, body),
    )


def _kept(kind: Kind, body: Plain) -> Plain | None:
    """What decisions need of an object."""
    metadata = body["metadata"]
    match kind.kind:
        case "Pod":
            kept = {name: metadata[name] for name in ("name", "creationTimestamp", "annotations") if name in metadata}
            status = body.get("status") or {}
            return {
                "metadata": kept,
                "status": {
                    name: status[name] for name in ("phase", "conditions", "containerStatuses") if name in status
                },
            }
        case "Job":
            return {"metadata": {"name": metadata["name"]}, "status": body.get("status") or {}}
        case "ConfigMap" if (metadata.get("labels") or {}).get(COMPONENT) in {"costs", "base-dnn"}:
            return {"metadata": {"name": metadata["name"]}, "data": body.get("data") or {}}
    return None


def _matters(before: Made | None, after: Made) -> bool:
    """Whether somebody may have to look: not for a Lease that was renewed, nor for what we wrote."""
    if before is None or before.uid != after.uid or before.ending != after.ending:
        return True
    return before.trusted != after.trusted or _decisive(before) != _decisive(after)


def _decisive(made: Made) -> Any:
    return made.body


def _version(body: Plain) -> str:
    version: str = body["metadata"]["resourceVersion"]
    return version
