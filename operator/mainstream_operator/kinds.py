"""The kinds of objects that the operator reads and writes, and with which verbs: the chart's rights are compared with these."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of the API. ``plural`` is its resource's name."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """Its API group; the core group is empty."""
        return self.api_version.rpartition("/")[0]


EDGE_NODE = Kind("mainstream.dev/v1alpha1", "EdgeNode", "edgenodes", namespaced=False)
APP = Kind("mainstream.dev/v1alpha1", "MainstreamApp", "mainstreamapps")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
POD = Kind("v1", "Pod", "pods")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
JOB = Kind("batch/v1", "Job", "jobs")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
EVENT = Kind("events.k8s.io/v1", "Event", "events")
CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)

KINDS = {
    kind.kind: kind
    for kind in (
        EDGE_NODE, APP, NODE, NAMESPACE, POD, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, CLAIM, DEPLOYMENT, JOB, LEASE, ROLE,
        ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, EVENT, CRD,
    )
}  # fmt: skip
