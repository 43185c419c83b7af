"""Boxes that only talk: what 300 kubelets, profilers and runners say to the API server, without a machine behind them.

A Job of the profiler is done at once, with costs as a real profile has them; a new schedule is reported as loaded; Leases are
renewed. Everything else (API server, registry, operator) is real.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from fleet_packages import ENDS

from mainstream.cost import LayerCosts, StreamIngest
from mainstream.jobs import TASK_VARIABLE, JobResult, MeasuredStream, ProfileTask
from mainstream.resources.names import COMPONENT, EDGE_NODE, RUNNER, SCHEDULE_FILE, runner_name

Plain = dict[str, Any]

OPERATOR_NAMESPACE = "mainstream-system"
APPS_NAMESPACE = "traffic"
API = "mainstream.dev/v1alpha1"
AT_ONCE = 16
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases"
EDGE_NODES = f"/apis/{API}/edgenodes"
APPS = f"/apis/{API}/namespaces/{APPS_NAMESPACE}/mainstreamapps"
SEGMENT_SECONDS = tuple(0.055 * share for share in (0.06, *(0.07,) * 13, 0.03))
"""A MobileNet that takes 55 ms on a small box, its work spread evenly."""


def now() -> str:
    """As the API writes micro times."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Fleet:
    """``nodes`` boxes of ``apps_each`` applications; ``count`` of what they wrote, by resource."""

    def __init__(self, client: httpx.AsyncClient, *, nodes: int, apps_each: int, references: list[str]) -> None:
        self.written: dict[str, int] = {}
        self.settled: dict[str, str] = {}
        """The digest of each box's newest schedule, by EdgeNode."""
        self.changed: asyncio.Condition = asyncio.Condition()
        self._client = client
        self._names = [f"box-{number:03d}" for number in range(nodes)]
        self._apps_each = apps_each
        self._references = references
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def install(self, deployment: str) -> None:
        """Namespaces, Nodes, EdgeNodes; ``deployment`` is the operator's namespace's default account's owner."""
        for name in (OPERATOR_NAMESPACE, APPS_NAMESPACE):
            labels = {"tenant": "yes"} if name == APPS_NAMESPACE else {}
            await self._post("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
            # nobody runs the controller that makes it, and pods need it
            await self._post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": deployment}})
        await self._all(self._node(name) for name in self._names)
        await self._all(self._post(EDGE_NODES, edge_node(name)) for name in self._names)

    async def apply_apps(self) -> None:
        """All applications; one of 30 runs on ten boxes, by label, the others on one."""
        await self._all(self._post(APPS, app) for app in self._apps())

    async def change(self, number: int) -> str:
        """Change an app that runs on one box; the box's name."""
        box = self._names[number % len(self._names)]
        # Other votes must be solved for; another end of events changes what the box is told even if the same votes were best.
        patch = {"spec": {"votes": 1 + number % 4, "endAfterSeconds": f"{1 + number / 100:.2f}"}}
        await self._merge(f"{APPS}/{box}-app-1", patch)
        return box

    def _apps(self) -> Iterable[Plain]:
        for place, box in enumerate(self._names):
            for number in range(self._apps_each):
                wide = number == 0 and place % 3 == 0
                selector = {"matchLabels": {"ten": str(place // 10)}} if wide else {"matchNames": [box]}
                yield {
                    "apiVersion": API,
                    "kind": "MainstreamApp",
                    "metadata": {"name": f"{box}-app-{number}"},
                    "spec": {
                        "edgeNodes": selector,
                        "stream": f"camera-{number % 2}",
                        "events": ["car"],
                        "package": {"reference": self._references[(place + number) % len(self._references)]},
                    },
                }

    async def _node(self, name: str) -> None:
        await self._post("/api/v1/nodes", {"metadata": {"name": name}})
        ready = {"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": now()[:19] + "Z"}
        await self._merge(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [ready]}})

    async def run(self) -> None:
        """Answer whatever the operator does, until cancelled."""
        jobs = f"/apis/batch/v1/namespaces/{OPERATOR_NAMESPACE}/jobs"
        maps = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps"
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(jobs, f"{COMPONENT}=profiler", self._profile))
            group.create_task(self._follow(maps, f"{COMPONENT}=runner", self._load))
            group.create_task(self._renew())

    async def _follow(self, path: str, labels: str, answer: Callable[[Plain], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            async for event in self._watch(path, labels):
                if event["type"] in {"ADDED", "MODIFIED"}:
                    group.create_task(answer(event["object"]))

    async def _watch(self, path: str, labels: str) -> AsyncIterator[Plain]:
        query: dict[str, str] = {"watch": "true", "labelSelector": labels, "timeoutSeconds": "3600"}
        async with self._client.stream("GET", path, params=query, timeout=None) as answer:
            async for line in answer.aiter_lines():
                yield json.loads(line)

    async def _profile(self, job: Plain) -> None:
        if (job.get("status") or {}).get("conditions"):
            return
        name = job["metadata"]["name"]
        template = job["spec"]["template"]
        container = template["spec"]["containers"][0]
        variables = {one["name"]: one.get("value", "") for one in container["env"]}
        result = _measured(ProfileTask.parse(variables[TASK_VARIABLE], where=name))
        labels = {**template["metadata"]["labels"], "job-name": name, "batch.kubernetes.io/job-name": name}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": name,
            "uid": job["metadata"]["uid"],
            "controller": True,
        }
        pods = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
        metadata = {"name": f"{name}-0", "labels": labels, "ownerReferences": [owner]}
        await self._post(pods, {"metadata": metadata, "spec": template["spec"]})
        ended = {"exitCode": 0, "message": result.termination_message().decode(), "finishedAt": now()[:19] + "Z"}
        state = {
            "name": container["name"], "state": {"terminated": ended}, "image": "", "imageID": "", "ready": False,
            "restartCount": 0,
        }  # fmt: skip
        await self._merge(f"{pods}/{name}-0/status", {"status": {"phase": "Succeeded", "containerStatuses": [state]}})
        done = {"type": "Complete", "status": "True", "lastTransitionTime": now()[:19] + "Z"}
        about = {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now()[:19] + "Z"}
        times = {"startTime": now()[:19] + "Z", "completionTime": now()[:19] + "Z"}
        status = {"conditions": [about, done], "succeeded": 1, **times}
        await self._merge(f"/apis/batch/v1/namespaces/{OPERATOR_NAMESPACE}/jobs/{name}/status", {"status": status})

    async def _load(self, config_map: Plain) -> None:
        data = (config_map.get("data") or {}).get(SCHEDULE_FILE)
        if data is None:
            return
        schedule = json.loads(data)
        box = schedule["edgeNode"]
        if self.settled.get(box) == schedule["digest"]:
            return
        apps = [
            {**dict(zip(("namespace", "name"), app["app"].split("/"), strict=True)), "fps": app["fps"]}
            for app in schedule["apps"]
        ]
        streams = [
            {"name": stream["name"], "phase": "Connected", "since": now()[:19] + "Z"} for stream in schedule["streams"]
        ]
        report = {
            "scheduleDigest": schedule["digest"], "loadedAt": now()[:19] + "Z", "utilization": schedule["cost"],
            "streams": streams, "apps": apps,
        }  # fmt: skip
        body = {"apiVersion": API, "kind": "EdgeNode", "metadata": {"name": box}, "status": {"runner": report}}
        await self._send(
            "PATCH", f"{EDGE_NODES}/{box}/status", body, "application/apply-patch+yaml",
            {"fieldManager": RUNNER, "force": "true"},
        )  # fmt: skip
        async with self.changed:
            self.settled[box] = schedule["digest"]
            self.changed.notify_all()

    async def _renew(self) -> None:
        while True:
            leases = (await self._client.get(LEASES, params={"resourceVersion": "0"})).json()["items"]
            patch = {"spec": {"renewTime": now(), "holderIdentity": "benchmark", "leaseDurationSeconds": 120}}
            names = [one["metadata"]["name"] for one in leases if EDGE_NODE in (one["metadata"].get("labels") or {})]
            await self._all(self._merge(f"{LEASES}/{name}", patch) for name in names)
            known = set(map(runner_name, self._names)) - set(names)
            await asyncio.sleep(1 if known else 25)

    async def _post(self, path: str, body: Plain) -> None:
        await self._send("POST", path, body, "application/json", {}, fine=(409,))

    async def _merge(self, path: str, patch: Plain) -> None:
        await self._send("PATCH", path, patch, "application/merge-patch+json", {})

    async def _send(
        self, method: str, path: str, body: Plain, content: str, query: dict[str, str], *, fine: tuple[int, ...] = ()
    ) -> None:
        async with self._limit:
            answer = await self._client.request(
                method, path, content=json.dumps(body), headers={"Content-Type": content}, params=query
            )
        if answer.status_code >= 300 and answer.status_code not in fine:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        resource = next(part for part in reversed(path.split("/")) if part.endswith("s") and "-" not in part)
        self.written[resource] = self.written.get(resource, 0) + 1

    async def _all(self, calls: Iterable[Awaitable[None]]) -> None:
        await asyncio.gather(*calls)


@asynccontextmanager
async def connected(server: str, trusted: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API server with as many connections as the fleet needs."""
    limits = httpx.Limits(max_connections=AT_ONCE + 8)
    async with httpx.AsyncClient(base_url=server, verify=trusted, timeout=60, trust_env=False, limits=limits) as client:
        yield client


def edge_node(name: str) -> Plain:
    """A box with two cameras."""
    number = int(name.rpartition("-")[2])
    urls = [f"rtsp://10.0.{number % 250}.{camera + 1}/stream" for camera in range(2)]
    streams = [
        {"name": f"camera-{camera}", "captureFps": 10, "source": {"rtsp": {"url": url}}}
        for camera, url in enumerate(urls)
    ]
    return {
        "apiVersion": API,
        "kind": "EdgeNode",
        "metadata": {"name": name, "labels": {"ten": str(number // 10)}},
        "spec": {
            "budget": {"cpu": "2", "memory": "1Gi"},
            "streams": streams,
            "allowedNamespaces": {"matchLabels": {"tenant": "yes"}},
        },
    }


def _measured(task: ProfileTask) -> JobResult:
    costs = None
    if task.base_dnn is not None:
        costs = LayerCosts(
            base_dnn=task.base_dnn.rpartition("@")[2],
            engine=task.engine,
            engine_version="2.3.0",
            threads=task.threads,
            hardware="simulated box",
            segment_seconds=SEGMENT_SECONDS,
            branch_seconds=tuple(sum(SEGMENT_SECONDS[place:]) + 0.0002 for place in range(len(ENDS) + 1)),
            whole_seconds=sum(SEGMENT_SECONDS),
            spread=0.03,
            runs=20,
        )
    streams = tuple(
        MeasuredStream(
            source_digest=one.source_digest,
            stream=one.stream.name,
            ingest=StreamIngest(stream=one.stream.name, cores=0.05, spread=0.02),
        )
        for one in task.streams
    )
    return JobResult(costs=costs, streams=streams)
