"""A cluster in which the test plays kubelets and runners: how pods end and what a runner reports is written as they would.

API server, controllers and garbage collector are real.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mainstream.cost import StreamIngest
from mainstream.jobs import TASK_VARIABLE, JobResult, MeasuredStream, ProfileTask
from mainstream.resources.names import RUNNER, runner_name

from .objects import API, MERGE, Objects, is_ready, now
from .operated import NAMESPACE
from .packages import costs_of
from .waiting import eventually


class Stage(Objects):
    """See the module."""

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
            self.did("PATCH", f"{pods}/{pod['metadata']['name']}/status", {"status": status}, MERGE)

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
        self.did("PATCH", f"{pods}/{name}/status", {"status": {"phase": "Running"}}, MERGE)
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
        self.did("PATCH", path, {"spec": {"renewTime": now(), "holderIdentity": "runner"}}, MERGE)

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
        self.did("PATCH", path, body, "application/apply-patch+yaml")


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
