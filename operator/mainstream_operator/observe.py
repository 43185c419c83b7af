"""What of the cluster is watched, and how: which objects, by whom, and whether all of it is known by now."""

import threading
from collections.abc import Callable, Iterable, Iterator

from mainstream.resources.names import MANAGED_BY, OPERATOR
from mainstream_operator import kinds
from mainstream_operator.client import Api, Selection
from mainstream_operator.cluster import Cluster
from mainstream_operator.known import Key
from mainstream_operator.made import MadeObjects
from mainstream_operator.settings import Settings
from mainstream_operator.values import key_of
from mainstream_operator.watch import Reflector

PEOPLES = (kinds.NODE, kinds.NAMESPACE, kinds.EDGE_NODE, kinds.APP)
"""What people make: kopf watches it."""
OURS_EVERYWHERE = (kinds.JOB, kinds.POD)
"""What the operator makes, also in apps' namespaces; ConfigMaps where the registries have a CA of their own."""
OURS_HERE = (
    kinds.DEPLOYMENT, kinds.SECRET, kinds.SERVICE_ACCOUNT, kinds.CLAIM, kinds.LEASE, kinds.ROLE, kinds.ROLE_BINDING
)  # fmt: skip
"""What the operator makes in its own namespace."""
OURS_ABOVE = (kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING)
WHOLE = (kinds.JOB, kinds.POD, kinds.CONFIG_MAP, kinds.LEASE)
"""Of the others the metadata are enough."""
LABEL = f"{MANAGED_BY}={OPERATOR}"


def selections(settings: Settings) -> Iterator[Selection]:
    """What reflectors keep."""
    spaces: tuple[str | None, ...] = (None,)
    if settings.watch_namespaces:
        spaces = tuple(sorted({*settings.watch_namespaces, settings.namespace}))
    places = [(kind, space) for kind in OURS_EVERYWHERE for space in spaces]
    in_apps = settings.registry.ca_config_map is not None
    places += [(kinds.CONFIG_MAP, space) for space in (spaces if in_apps else (settings.namespace,))]
    places += [(kind, settings.namespace) for kind in OURS_HERE]
    places += [(kind, None) for kind in OURS_ABOVE]
    for kind, space in places:
        yield Selection(kind=kind, namespace=space, labels=LABEL, metadata_only=kind not in WHOLE)


class Observer:
    """Fills the cluster and the made objects. ``changed`` hears who has to be looked at."""

    def __init__(
        self,
        api: Api,
        cluster: Cluster,
        made: MadeObjects,
        settings: Settings,
        *,
        changed: Callable[[Iterable[Key]], None],
        stop: threading.Event,
    ) -> None:
        self._api, self._cluster, self._settings, self._changed = api, cluster, settings, changed
        self._reflectors = [Reflector(api, what, made, stop) for what in selections(settings)]

    def begin(self) -> None:
        """List what people made, and start the reflectors (``ApiError``)."""
        for kind in PEOPLES:
            for space in self._spaces(kind):
                for body in self._api.list(Selection(kind=kind, namespace=space)):
                    self._changed(self._cluster.put(kind, body))
        for reflector in self._reflectors:
            if not reflector.alive:
                reflector.start()

    def sweep(self) -> None:
        """Forget what people deleted while nobody watched: a watch that begins anew does not tell (``ApiError``)."""
        for kind in PEOPLES:
            names: set[str] = set()
            for space in self._spaces(kind):
                listed = self._api.list(Selection(kind=kind, namespace=space, metadata_only=True))
                names |= {key_of(body) for body in listed}
            self._changed(self._cluster.keep_only(kind, names))

    def unknown(self) -> str | None:
        """What is not listed yet, or not watched any more; None if everything is."""
        lacking = [one.what.kind.plural for one in self._reflectors if not one.synced.is_set()]
        dead = [one.what.kind.plural for one in self._reflectors if one.synced.is_set() and not one.alive]
        if dead:
            return f"not watched any more: {', '.join(sorted(set(dead)))}"
        return f"not listed yet: {', '.join(sorted(set(lacking)))}" if lacking else None

    def _spaces(self, kind: kinds.Kind) -> tuple[str | None, ...]:
        return self._settings.watch_namespaces if kind is kinds.APP and self._settings.watch_namespaces else (None,)
