"""kopf's part: the watches of what people make, liveness, and an orderly end. Its handlers put keys on the queue.

* Only ``on.event``: it writes no annotations and needs no finalizers, so a dead operator blocks no deletion.
* ``/healthz`` asks the probe; a plain exception would be tried again after a minute, inside the request.
* A server that is away is asked again at growing, jittered intervals for about ten minutes before kopf gives up and the process
  ends: a Deployment starts it again.
"""

import asyncio
import random
from collections.abc import Iterable
from functools import partial
from typing import Any

import kopf

from mainstream_operator import kinds
from mainstream_operator.assembly import Operator
from mainstream_operator.observe import PEOPLES
from mainstream_operator.values import key_of

BACKOFFS = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60, 60, 60, 60, 60)

LIST_SECONDS = 10.0
"""kopf's own list comes after the operator's: two of thousands of objects at once would be the process's peak of memory."""

LIST_CHUNK = 200
IDLE_SECONDS = 0.1
"""kopf keeps a task and the body of each object that it heard of for so long; in five seconds, its default, it lists all."""


def registry(operator: Operator) -> kopf.OperatorRegistry:
    """All handlers."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        operator.start()
        await asyncio.get_running_loop().run_in_executor(None, operator.wait_until_listed, LIST_SECONDS)

    @kopf.on.cleanup(registry=handlers)
    async def cleanup(**_: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(None, operator.stop)

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.probe(id="alive", registry=handlers, errors=kopf.ErrorsMode.PERMANENT, retries=1)
    async def alive(**_: Any) -> str:
        reason = operator.not_alive()
        if reason is not None:
            raise kopf.PermanentError(reason)
        return "yes"

    for kind in PEOPLES:
        group, _, version = kind.api_version.rpartition("/")
        kopf.on.event(group, version, kind.plural, id=f"heard-{kind.plural}", registry=handlers)(
            partial(_heard, operator, kind)
        )
    return handlers


async def _heard(operator: Operator, kind: kinds.Kind, *, event: Any, **_: Any) -> None:
    """Something happened to an object that people make."""
    body = event["object"]
    if event["type"] == "DELETED":
        operator.left(operator.cluster.gone(kind, key_of(body)))
    else:
        operator.mended(operator.cluster.put(kind, body))


def configure(settings: kopf.OperatorSettings) -> None:
    """See the module."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.watching.chunk_size = LIST_CHUNK
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = _Jittered(BACKOFFS)


class _NoDiffBase(kopf.DiffBaseStorage):
    """kopf copies each object that it hears of for a comparison that no handler of ours asks for: most of its work."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    def store(self, **_: Any) -> None:
        """Nothing is written to objects."""


class _Jittered(Iterable[float]):
    """Back-offs that differ each time they are gone through."""

    def __init__(self, seconds: Iterable[float]) -> None:
        self._seconds = tuple(seconds)

    def __iter__(self) -> Any:
        return iter([one * random.uniform(0.7, 1.3) for one in self._seconds])  # noqa: S311 - no secret


def run(operator: Operator, *, probe_port: int, probe_host: str) -> None:
    """Until a signal, or until kopf gives up."""
    spaces = operator.settings.watch_namespaces
    kopf.run(
        registry=registry(operator),
        standalone=True,
        clusterwide=not spaces,
        namespaces=spaces,
        liveness_endpoint=f"http://{probe_host}:{probe_port}/healthz",
    )
