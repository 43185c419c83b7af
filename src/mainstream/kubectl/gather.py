"""What ``doctor`` looks at, as far as the user may read it."""

from collections.abc import Callable
from typing import TypeVar

from mainstream.errors import InputError
from mainstream.kubectl.calls import Kubectl, Plain
from mainstream.kubectl.doctor import CRDS, Seen
from mainstream.kubectl.lookup import APPS, EDGE_NODES, operators
from mainstream.resources.names import MANAGED_BY, OPERATOR

Read = TypeVar("Read")


def gather(kubectl: Kubectl) -> Seen:
    """Read it all; what is forbidden is named, whatever else fails is an error."""
    unread: list[str] = []

    def tried(what: str, read: Callable[[], Read], without: Read) -> Read:
        try:
            return read()
        except InputError as error:
            if "(Forbidden)" not in error.problem:
                raise
            unread.append(what)
            return without

    crds: dict[str, Plain | None] = tried(
        "CustomResourceDefinitions", lambda: {name: kubectl.get("customresourcedefinitions", name) for name in CRDS}, {}
    )
    known = not crds or all(crds.values())
    return Seen(
        crds=crds,
        operators=tried(
            "Deployments", lambda: operators(kubectl), [{"metadata": {}, "status": {"availableReplicas": 1}}]
        ),
        edge_nodes=tried("EdgeNodes", lambda: kubectl.every(EDGE_NODES), []) if known else [],
        apps=tried("MainstreamApps", lambda: kubectl.every(APPS), []) if known else [],
        nodes=tried("Nodes", lambda: [one["metadata"]["name"] for one in kubectl.every("nodes")], None),
        pods=tried("Pods", lambda: kubectl.every("pods", selector=f"{MANAGED_BY}={OPERATOR}"), []),
        unread=unread,
    )
