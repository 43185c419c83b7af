"""Writing to the cluster: what is there already is not written again.

Objects are applied by server-side apply with an annotation that holds the digest of what was applied; a status is compared
with what is known of it. Statuses are bound to the object's uid, so one that was deleted and made again does not get the
status of the first.
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog

from mainstream.documents import canonical_json, sha256
from mainstream_operator import kinds
from mainstream_operator.client import Api, ApiError, ObjectKey, Plain
from mainstream_operator.cluster import Cluster
from mainstream_operator.conditions import Change, event, worth_telling
from mainstream_operator.kinds import KINDS, Kind
from mainstream_operator.known import Key, Known
from mainstream_operator.made import APPLIED, MadeObjects

NEVER_UPDATED = frozenset({"PersistentVolumeClaim", "Lease", "Job"})
"""Created if missing: a claim's and a Job's spec cannot change, and a Lease is its runner's."""
NOISE = frozenset({"solveMilliseconds"})
"""Of a status: a change of it alone says nothing new."""
CONFLICT, NOT_FOUND = 409, 404

log = structlog.stdlib.get_logger(__name__)


class Writer:
    """See the module. ``wrote`` hears of each write, by kind; ``touched`` of those whom our own write concerns."""

    def __init__(
        self,
        api: Api,
        made: MadeObjects,
        cluster: Cluster,
        *,
        now_text: Callable[[], str],
        wrote: Callable[[str], None],
        touched: Callable[[Iterable[Key]], None],
    ) -> None:
        self._api, self._made, self._cluster = api, made, cluster
        self._now_text, self._wrote, self._touched = now_text, wrote, touched

    def apply(self, bodies: Iterable[Plain]) -> None:
        """Have these objects in the cluster, in this order (``ApiError``)."""
        for body in bodies:
            kind = KINDS[body["kind"]]
            key = ObjectKey.of(body, kind)
            digest = sha256(canonical_json(body))
            there = self._made.get(key)
            same = there is not None and there.applied == digest and there.trusted
            if there is not None and not there.ending and (same or kind.kind in NEVER_UPDATED):
                continue
            self._write(kind, _marked(body, digest))

    def create(self, body: Plain) -> None:
        """Create an object whose name says what it is for; one that is there is left alone (``ApiError``)."""
        kind = KINDS[body["kind"]]
        if self._made.get(ObjectKey.of(body, kind)) is None and self._api.create(body, kind):
            self._wrote(kind.kind)
            log.info("created", **_named(body))

    def delete(self, keys: Iterable[ObjectKey]) -> None:
        """Delete those that are there."""
        for key in keys:
            there = self._made.get(key)
            if there is not None and not there.ending:
                self._api.delete(key)
                self._wrote(key.kind.kind)
                log.info("deleted", kind=key.kind.kind, namespace=key.namespace, name=key.name)

    def annotate(self, key: ObjectKey, annotations: Plain) -> None:
        """Set annotations of an object that somebody else owns."""
        self._api.merge(key, {"metadata": {"annotations": annotations}})
        self._wrote(key.kind.kind)

    def status(self, kind: Kind, known: Known, status: Plain, changes: Iterable[Change]) -> None:
        """Write a status if it means something else than what is there, and tell of what turned in Events."""
        before = {name: value for name, value in known.status.items() if name != "runner"}
        if meaning(before) == meaning(status):
            return
        name = known.place
        body: Plain = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {**name, "uid": known.identity.uid},
            "status": status,
        }
        try:
            answer = self._api.apply(body, kind, status=True)
        except ApiError as error:
            if error.status in {CONFLICT, NOT_FOUND}:
                return  # it is gone, or another one of its name is there: its own look comes
            raise
        self._wrote(kind.kind)
        self._touched(self._cluster.put(kind, answer))
        self._tell(kind, known, changes)

    def _tell(self, kind: Kind, known: Known, changes: Iterable[Change]) -> None:
        name = known.place
        about = {"apiVersion": kind.api_version, "kind": kind.kind, **name, "uid": known.identity.uid}
        for change in worth_telling(changes):
            now = self._now_text()
            mark = sha256(canonical_json([about, change.type, change.reason, change.message, now]))[7:19]
            body = event(
                change, about, now=now, name=f"{name['name'][:200]}.{mark}", namespace=name.get("namespace", "default")
            )
            log.info(
                change.reason, object=f"{kind.kind} {'/'.join(reversed(list(name.values())))}",
                condition=change.type, message=change.message,
            )  # fmt: skip
            try:
                self._api.create(body, kinds.EVENT)
            except ApiError as error:
                log.warning("cannot tell an Event", error=str(error), **name)

    def _write(self, kind: Kind, body: Plain) -> None:
        answer = self._api.apply(body, kind)
        self._wrote(kind.kind)
        self._made.wrote(kind, answer)
        log.info("applied", **_named(body))


def meaning(value: Any) -> Any:
    """A status such that equal ones mean the same: lists are by content, what is empty is as good as absent."""
    if isinstance(value, dict):
        # In order: the API server orders names otherwise than we do, and lists are ordered by how their entries are written.
        inside = {name: meaning(one) for name, one in sorted(value.items()) if name not in NOISE}
        return {name: one for name, one in inside.items() if one not in ({}, [], None)}
    if isinstance(value, list):
        return sorted((meaning(one) for one in value), key=repr)
    return value


def _marked(body: Plain, digest: str) -> Plain:
    metadata = body["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: digest}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def _named(body: Plain) -> Plain:
    metadata = body["metadata"]
    return {"kind": body["kind"], "namespace": metadata.get("namespace"), "name": metadata["name"]}
