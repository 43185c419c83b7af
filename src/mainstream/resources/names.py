"""Names of what belongs to an EdgeNode or an app in the cluster, and the labels by which it is found, in one place."""

from mainstream.documents import sha256

DNS_LABEL = 63
"""Longest name of what ends up in host names and label values (RFC 1123)."""

MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "mainstream-operator"
"""The operator's field manager, and the value of ``MANAGED_BY`` on all that it made."""
RUNNER = "mainstream-runner"
"""The runner's field manager in an EdgeNode's status."""
COMPONENT = "app.kubernetes.io/component"
"""runner, trainer, profiler or base-dnn."""
EDGE_NODE = "mainstream.dev/edge-node"
APP = "mainstream.dev/app"
SCHEDULE_ANNOTATION = "mainstream.dev/schedule"
"""Of a runner's pod: the digest that it should have; a change makes the kubelet refresh the mounted schedule."""
ACCEPT_ANNOTATION = "mainstream.dev/accept-package"
"""Of an app: the digest of a retrained package that is worse and shall be used all the same."""
REGISTRY_SECRET = "mainstream-registry"  # noqa: S105 - a name
"""In an app's namespace: the credentials for its packages, of type kubernetes.io/dockerconfigjson."""
SCHEDULE_FILE = "schedule.json"
"""The key in the schedule's ConfigMap."""
PROBES_PORT = 8081
WEB_PORT = 8080
"""The page listens on the pod's loopback only: a port-forward reaches it, no other pod does."""


def short(name: str, *, prefix: str = "", limit: int = DNS_LABEL) -> str:
    """``prefix`` and ``name`` if they fit and are a DNS label; else cut and followed by a hash, so that names stay distinct."""
    whole = prefix + name
    plain = whole.replace(".", "-")
    if len(whole) <= limit and plain == whole:
        return whole
    mark = sha256(name.encode())[7:15]
    return f"{plain[: limit - len(mark) - 1].rstrip('-')}-{mark}"


def runner_name(edge_node: str) -> str:
    """Of an edge node's runner: its Deployment, ServiceAccount, Role, Lease, Secret and RBAC objects."""
    return short(edge_node, prefix="mainstream-runner-")


def schedule_name(edge_node: str) -> str:
    """Of the ConfigMap with an edge node's schedule."""
    return short(edge_node, prefix="mainstream-schedule-")


def cache_name(edge_node: str) -> str:
    """Of the PersistentVolumeClaim with an edge node's package cache."""
    return short(edge_node, prefix="mainstream-cache-")


def label_value(name: str) -> str:
    """A name as the value of a label."""
    return short(name)


def stream_secret(name: str) -> str:
    """What a stream's Secret is called in the runner's one Secret (followed by ``.KEY``)."""
    return f"stream.{name}"


def app_secret(namespace: str, name: str) -> str:
    """What a Secret of an app's namespace is called in the runner's one Secret (followed by ``.KEY``)."""
    return f"app.{namespace}.{name}"
