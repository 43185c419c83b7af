"""A cluster in which the test plays kubelets and runners: how pods end and what a runner reports is written as they would.

API server, controllers and garbage collector are real; objects go by plain HTTP.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mainstream.cost import StreamIngest
from mainstream.jobs import TASK_VARIABLE, JobResult, MeasuredStream, ProfileTask
from mainstream.resources.names import RUNNER, runner_name

from .control_plane import ControlPlane
from .operated import NAMESPACE
from .packages import costs_of
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


class Stage:
    """What is in the cluster, by plain HTTP: hundreds of kubectl processes would take minutes."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.http = plane, plane.client()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply as a person would."""
        return self._did(
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
        self._did("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}}, MERGE)

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

    # What a kubelet and a runner would do

    def jobs(self, namespace: str, component: str) -> list[dict[str, Any]]:
        """Jobs of a component that have not ended."""
        label = f"app.kubernetes.io/component={component}"
        found = self.items(f"/apis/batch/v1/namespaces/{namespace}/jobs?labelSelector={label}")
        ending = {"Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"}
        return [
            job
            for job in found
            if not ending & {one["type"] for one in (job.get("status") or {}).get("conditions") or ()}
            and "deletionTimestamp" not in job["metadata"]
        ]

    def end_job(self, job: Mapping[str, Any], result: JobResult | str, *, code: int = 0) -> None:
        """The Job's pods ran and left that, as a kubelet writes it; the Job controller does the rest."""
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        message = result if isinstance(result, str) else result.termination_message().decode()
        pods = f"/api/v1/namespaces/{namespace}/pods"
        wanted = job["spec"].get("parallelism", 1)
        found = eventually(
            f"pods of Job {name}",
            lambda: self._several(f"{pods}?labelSelector=batch.kubernetes.io/job-name={name}", wanted),
        )
        for pod in found:
            ended = {"exitCode": code, "message": message, "startedAt": now(), "finishedAt": now()}
            container = {
                "name": pod["spec"]["containers"][0]["name"], "image": "x", "imageID": "", "ready": False,
                "restartCount": 0, "state": {"terminated": ended},
            }  # fmt: skip
            status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}
            self._did("PATCH", f"{pods}/{pod['metadata']['name']}/status", {"status": status}, MERGE)

    def _several(self, path: str, count: int) -> list[dict[str, Any]] | None:
        found = [one for one in self.items(path) if "deletionTimestamp" not in one["metadata"]]
        return found if len(found) >= count else None

    def profile(self, *, hardware: str = "a small box", whole: float = 0.055) -> int:
        """Every measurement that is asked for ends well; how many there were."""
        jobs = self.jobs(NAMESPACE, "profiler")
        for job in jobs:
            [variable] = [
                one for one in job["spec"]["template"]["spec"]["containers"][0]["env"] if one["name"] == TASK_VARIABLE
            ]
            self.end_job(job, profiled(ProfileTask.parse(variable["value"], where="task"), hardware, whole))
        return len(jobs)

    def run_pod(self, edge_node: str) -> str:
        """The runner's pod of a Deployment runs now; its name."""
        label = f"mainstream.dev/edge-node={edge_node},app.kubernetes.io/component=runner"
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        found = eventually(
            "the runner's pod", lambda: self._several(f"{pods}?labelSelector={label}", 1), why=self.picture
        )
        [pod] = found[:1]
        name: str = pod["metadata"]["name"]
        self._did("PATCH", f"{pods}/{name}/status", {"status": {"phase": "Running"}}, MERGE)
        return name

    def picture(self) -> str:
        """What is there and what became of it, for whoever waits in vain."""
        kinds = "edgenodes,mainstreamapps,deployments,replicasets,pods,serviceaccounts,configmaps,jobs"
        listed = self.plane.kubectl("get", kinds, "--all-namespaces").stdout
        events = self.plane.kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp").stdout
        deployments = self.plane.kubectl("get", "deployments", f"--namespace={NAMESPACE}", "--output=yaml").stdout
        return f"{listed}\n{events[-3000:]}\n{deployments[-6000:]}"

    def measure(self, edge_node: str) -> None:
        """Measure what is asked for until there is a schedule."""

        def is_scheduled() -> bool:
            self.profile()  # of other boxes, too: each has a Job of its own, and they come one by one
            return self.schedule(edge_node) is not None

        eventually(f"a schedule for {edge_node}", is_scheduled, why=self.picture)

    def bring_up(self, edge_node: str) -> None:
        """Measure, run the runner's pod, report: until the box is ready."""
        self.measure(edge_node)
        self.run_pod(edge_node)
        self.keep_reporting(edge_node, lambda: is_ready(self, "edgenodes", edge_node))

    def keep_reporting(self, edge_node: str, until: Callable[[], bool]) -> None:
        """As a runner does, load whatever schedule comes."""

        def look() -> bool:
            self.report(edge_node)
            return until()

        eventually(f"{edge_node} runs its schedule", look, why=lambda: json.dumps(self.status("edgenodes", edge_node)))

    def renew(self, edge_node: str) -> None:
        """The runner lives."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{runner_name(edge_node)}"
        self._did("PATCH", path, {"spec": {"renewTime": now(), "holderIdentity": "runner"}}, MERGE)

    def schedule(self, edge_node: str) -> dict[str, Any] | None:
        """What a runner would read."""
        found = self.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/mainstream-schedule-{edge_node}")
        return json.loads(found["data"]["schedule.json"]) if found else None

    def report(self, edge_node: str, **more: Any) -> None:
        """The runner has loaded the schedule of now and sees frames of every app."""
        schedule = self.schedule(edge_node)
        assert schedule is not None
        self.renew(edge_node)
        apps = []
        for app in schedule["apps"]:
            namespace, _, name = app["app"].partition("/")
            apps.append({"namespace": namespace, "name": name, "fps": app["fps"]})
        runner = {
            "scheduleDigest": schedule["digest"],
            "loadedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "utilization": schedule["cost"],
            "streams": [{"name": one["name"], "phase": "Connected"} for one in schedule["streams"]],
            "apps": apps,
            **more,
        }
        body = {
            "apiVersion": "mainstream.dev/v1alpha1", "kind": "EdgeNode", "metadata": {"name": edge_node},
            "status": {"runner": runner},
        }  # fmt: skip
        path = f"{API}/edgenodes/{edge_node}/status?fieldManager={RUNNER}&force=true"
        self._did("PATCH", path, body, "application/apply-patch+yaml")

    def _did(self, method: str, path: str, body: Mapping[str, Any], content: str) -> dict[str, Any]:
        answer = self.http.request(method, path, content=json.dumps(body), headers={"Content-Type": content})
        assert answer.is_success, f"{method} {path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found


def is_ready(stage: Stage, kind: str, name: str, namespace: str | None = None) -> bool:
    """Whether it says Ready."""
    return stage.condition(kind, name, "Ready", namespace)[0] == "True"


def path_of(body: Mapping[str, Any]) -> str:
    """Where an object is."""
    version = body["apiVersion"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = body["metadata"].get("namespace")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{place}/{PLURALS[body['kind']]}/{body['metadata']['name']}"


def profiled(task: ProfileTask, hardware: str, whole: float) -> JobResult:
    """What a profiler would answer."""
    costs = None
    if task.base_dnn is not None:
        digest = task.base_dnn.rpartition("@")[2]
        costs = costs_of(digest, hardware=hardware, threads=task.threads, whole=whole)
    streams = tuple(
        MeasuredStream(
            source_digest=one.source_digest,
            stream=one.stream.name,
            ingest=StreamIngest(stream=one.stream.name, cores=0.1, spread=0.01),
        )
        for one in task.streams
    )
    return JobResult(costs=costs, streams=streams)


def edge_node(name: str, **spec: Any) -> dict[str, Any]:
    """An EdgeNode with one camera, open to all namespaces."""
    stream = {"name": "north", "source": {"rtsp": {"url": "rtsp://10.0.0.7/stream1"}}, "captureFps": 10}
    return {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "EdgeNode",
        "metadata": {"name": name},
        "spec": {"streams": [stream], "allowedNamespaces": {}, **spec},
    }


def packaged_app(name: str, namespace: str, reference: str, *edge_nodes: str, **spec: Any) -> dict[str, Any]:
    """An app that brings its package."""
    return {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "MainstreamApp",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "edgeNodes": {"matchNames": list(edge_nodes)},
            "stream": "north",
            "events": ["red-car"],
            "package": {"reference": reference},
            **spec,
        },
    }
