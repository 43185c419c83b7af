"""One of several replicas decides: who holds a Lease (coordination.k8s.io), as client-go's leader election does it.

A holder counts as gone when its Lease did not change for ``DURATION_SECONDS`` of *our* clock: clocks of machines may differ. A
leader that cannot renew for ``RENEW_SECONDS`` ends itself, before another one can begin.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from mainstream_operator import kinds
from mainstream_operator.client import Api, ApiError, ObjectKey, Plain

LEASE = "mainstream-operator"
DURATION_SECONDS = 15
RENEW_SECONDS = 10.0
RETRY_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was last seen of the Lease, and since when it is so (monotonic seconds)."""

    mark: tuple[str, str]
    since: float


class Leadership:
    """``run`` in a thread. ``won`` is called once we lead, ``lost`` when we must not any more.

    Nothing of a release may outlive it: a holder that ends deletes the Lease, and ``pod`` (name and uid of the holder's, where
    there is one) owns it, for a holder that was killed.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        identity: str,
        pod: tuple[str, str] | None,
        clock: Callable[[], float],
        stop: threading.Event,
    ) -> None:
        self._api, self._identity, self._pod, self._clock, self._stop = api, identity, pod, clock, stop
        self._key = ObjectKey(kinds.LEASE, namespace, LEASE)
        self._seen: Seen | None = None

    def run(self, won: Callable[[], None], lost: Callable[[], None]) -> None:
        """Until ``stop``; gives the Lease back then, so that another one need not wait."""
        leads, renewed = False, self._clock()
        while not self._stop.is_set():
            try:
                holds = self._try()
            except ApiError as error:
                log.warning("cannot ask for the Lease", error=str(error))
                holds = leads and self._clock() - renewed < RENEW_SECONDS
            else:
                renewed = self._clock() if holds else renewed
            if holds and not leads:
                log.info("leads", identity=self._identity)
                leads = True
                won()
            elif leads and not holds:
                log.error("leads no more", identity=self._identity)
                lost()
                return
            self._stop.wait(RETRY_SECONDS)
        if leads:
            self._give_back()

    def _try(self) -> bool:
        body = self._api.get(self._key)
        if body is None:
            return self._api.create(self._lease({}, transitions=0), kinds.LEASE)
        spec = body.get("spec") or {}
        if spec.get("holderIdentity") not in ("", None, self._identity) and not self._is_over(spec):
            return False
        mine = spec.get("holderIdentity") == self._identity
        transitions = int(spec.get("leaseTransitions") or 0) + (0 if mine else 1)
        try:
            lease = self._lease(spec, transitions=transitions)
            metadata = {**body["metadata"], "ownerReferences": lease["metadata"]["ownerReferences"]}
            self._api.replace({**body, "metadata": metadata, "spec": lease["spec"]}, kinds.LEASE)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _is_over(self, spec: Plain) -> bool:
        mark = (str(spec.get("holderIdentity")), str(spec.get("renewTime")))
        now = self._clock()
        if self._seen is None or self._seen.mark != mark:
            self._seen = Seen(mark=mark, since=now)
        return now - self._seen.since > float(spec.get("leaseDurationSeconds") or DURATION_SECONDS)

    def _lease(self, spec: Plain, *, transitions: int) -> Plain:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = spec.get("holderIdentity") == self._identity
        owners: list[Plain] = []
        if self._pod is not None:
            name, uid = self._pod
            owners = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}]
        return {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.kind,
            "metadata": {"name": self._key.name, "namespace": self._key.namespace, "ownerReferences": owners},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": spec.get("acquireTime", now) if mine else now,
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    def _give_back(self) -> None:
        try:
            body = self._api.get(self._key)
            if body is not None and (body.get("spec") or {}).get("holderIdentity") == self._identity:
                self._api.delete(self._key, version=body["metadata"]["resourceVersion"])
        except ApiError as error:
            log.info("the Lease is not given back; it ends by itself", error=str(error))
