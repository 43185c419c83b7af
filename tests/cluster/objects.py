"""What is in a cluster, by plain HTTP: hundreds of kubectl processes would take minutes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .control_plane import ControlPlane
from .waiting import eventually

API = "/apis/mainstream.dev/v1alpha1"
MERGE = "application/merge-patch+json"
MADE = (
    "/apis/batch/v1/jobs", "/api/v1/pods", "/api/v1/configmaps", "/api/v1/secrets", "/api/v1/serviceaccounts",
    "/api/v1/persistentvolumeclaims", "/apis/apps/v1/deployments", "/apis/coordination.k8s.io/v1/leases",
    "/apis/rbac.authorization.k8s.io/v1/roles", "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
)  # fmt: skip
"""Lists of all kinds that the operator makes."""

PLURALS = {
    "EdgeNode": "edgenodes", "MainstreamApp": "mainstreamapps", "Namespace": "namespaces", "Node": "nodes", "Pod": "pods",
    "Secret": "secrets", "ConfigMap": "configmaps", "Job": "jobs", "ResourceQuota": "resourcequotas",
}  # fmt: skip


def now() -> str:
    """As the API writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Objects:
    """What is in the cluster, by plain HTTP: hundreds of kubectl processes would take minutes."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.http = plane, plane.client()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply as a person would."""
        return self.did(
            "PATCH", f"{path_of(body)}?fieldManager=kubectl&force=true", body, "application/apply-patch+yaml"
        )

    def delete(self, body: Mapping[str, Any]) -> None:
        """Delete an object, in the background what it owns."""
        answer = self.http.request("DELETE", path_of(body), json={"propagationPolicy": "Background"})
        assert answer.status_code in {200, 202, 404}, answer.text

    def get(self, path: str) -> dict[str, Any] | None:
        """An object or a list by its path; None if there is none."""
        answer = self.http.get(path)
        if answer.status_code == 404:
            return None
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def items(self, path: str) -> list[dict[str, Any]]:
        """Of a list."""
        found = self.get(path)
        return list(found["items"]) if found else []

    def namespace(self, name: str, **labels: str) -> None:
        """Make one."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        eventually("the namespace's account", lambda: self.get(account) is not None)  # pods need it

    def host(self, name: str, *, ready: bool = True) -> None:
        """A Kubernetes node, as its kubelet reports it."""
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        condition = {
            "type": "Ready", "status": "True" if ready else "Unknown", "reason": "Test", "message": "",
            "lastHeartbeatTime": now(), "lastTransitionTime": now(),
        }  # fmt: skip
        self.did("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}}, MERGE)

    def status(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """The status of one of our objects; empty while there is none."""
        place = f"namespaces/{namespace}/" if namespace else ""
        found = self.get(f"{API}/{place}{kind}/{name}")
        return (found or {}).get("status") or {}

    def condition(self, kind: str, name: str, condition: str, namespace: str | None = None) -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        for one in self.status(kind, name, namespace).get("conditions") or ():
            if one["type"] == condition:
                return one["status"], one["reason"], one.get("message", "")
        return "", "", ""

    def leftovers(self) -> list[str]:
        """What the operator made and is there still, as ``kind namespace/name``."""
        label = "labelSelector=app.kubernetes.io/managed-by=mainstream-operator"
        found = []
        for path in MADE:
            for body in self.items(f"{path}?{label}"):
                metadata = body["metadata"]
                found.append(f"{path.rpartition('/')[2]} {metadata.get('namespace', '')}/{metadata['name']}")
        return sorted(found)

    def versions(self) -> dict[str, str]:
        """Everything of ours and what the operator made, with its version: a write makes another one (not a Lease's)."""
        label = "labelSelector=app.kubernetes.io/managed-by=mainstream-operator"
        paths = [f"{path}?{label}" for path in MADE if not path.endswith("leases")]
        found = {}
        for path in (*paths, f"{API}/edgenodes", f"{API}/mainstreamapps"):
            for body in self.items(path):
                metadata = body["metadata"]
                plural = path.partition("?")[0].rpartition("/")[2]
                place = f"{plural} {metadata.get('namespace', '')}/{metadata['name']}"
                found[place] = metadata["resourceVersion"]
        return found

    def forget_shared(self) -> None:
        """Delete what has no owner, as the operator would once it came round."""
        label = "labelSelector=app.kubernetes.io/component in (costs,base-dnn,registry-ca)"
        for namespace in (one["metadata"]["name"] for one in self.items("/api/v1/namespaces")):
            self.http.delete(f"/api/v1/namespaces/{namespace}/configmaps?{label}&propagationPolicy=Background")
            self.http.delete(f"/apis/batch/v1/namespaces/{namespace}/jobs?{label}&propagationPolicy=Background")

    def did(self, method: str, path: str, body: Mapping[str, Any], content: str) -> dict[str, Any]:
        """Send something; the answer, which must be a good one."""
        answer = self.http.request(method, path, content=json.dumps(body), headers={"Content-Type": content})
        assert answer.is_success, f"{method} {path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found


def is_ready(objects: Objects, kind: str, name: str, namespace: str | None = None) -> bool:
    """Whether it says Ready."""
    return objects.condition(kind, name, "Ready", namespace)[0] == "True"


def path_of(body: Mapping[str, Any]) -> str:
    """Where an object is."""
    version = body["apiVersion"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = body["metadata"].get("namespace")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{place}/{PLURALS[body['kind']]}/{body['metadata']['name']}"
