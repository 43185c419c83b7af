"""A second box beside the belt's, with a camera of its own, and what becomes of its events while it cannot be reached.

Both boxes run the app ``both``, which chooses them by label and sends its events to a broker on this machine: one that is still
there when a node is not.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mainstream.evaluation.matching import Matching

from .belt import Heard, measured, pod_of, truth
from .binaries import program
from .hosts import LAN
from .nodes import Cluster, Node

BOX, APP, LABELS = "belt-box-2", "both", ["broccoli"]
NAMESPACE = "belt"
PORT = 1883
"""Of the broker: no port that outgoing connections of this machine get."""
LINE = {"line": "belt"}


@dataclass(frozen=True, kw_only=True)
class SecondBox:
    """It runs on ``node``; ``heard`` is a file of everything that arrived at the broker, one record a line."""

    cluster: Cluster
    node: Node
    heard: Path

    def records(self, box: str = BOX) -> list[Mapping[str, Any]]:
        """What arrived of a box's app so far, in the order of arrival."""
        told = [json.loads(line) for line in self.heard.read_text().splitlines() if line.endswith("}")]
        return [one for one in told if one["source"].startswith(f"/edgenodes/{box}/")]

    def condition(self, kind: str, name: str, condition: str) -> str:
        """Its status."""
        query = f"--output=jsonpath={{.status.conditions[?(@.type=='{condition}')].status}}"
        return self.cluster.plane.did("get", kind, name, query, f"--namespace={NAMESPACE}")

    def wait_ready(self) -> None:
        """Until the API says so of the box and of the app, which runs on both boxes."""
        self._wait_for("both run", ready="True", degraded="False")

    def wait_lost(self) -> None:
        """Until the API says that the box is not ready; the app is, but not everywhere."""
        self._wait_for("the box is lost", ready="False", degraded="True")

    def _wait_for(self, what: str, *, ready: str, degraded: str) -> None:
        def is_so() -> bool:
            app = [self.condition("msa", APP, one) for one in ("Ready", "Degraded")]
            return self.condition("en", BOX, "Ready") == ready and app == ["True", degraded]

        self.cluster.plane.processes.wait_until(what, is_so, seconds=300)

    def wait_event(self, since: float, *, box: str = BOX) -> None:
        """Until an event arrived that the camera showed after that time (seconds since 1970)."""
        self.cluster.plane.processes.wait_until(
            f"an event of {box}", lambda: any(_time(one) > since for one in self.records(box)), seconds=180
        )

    def pod(self) -> tuple[str, int]:
        """See ``pod_of``."""
        return pod_of(self.cluster.plane, BOX)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What had arrived of that time's events when it was over, and what it was in the end."""

    arrived_meanwhile: int
    events: Matching
    in_order: bool


@contextmanager
def running_second_box(cluster: Cluster, image: str, folder: Path) -> Iterator[SecondBox]:
    """Until it and the app on both boxes are Ready; ``image`` has the camera's video."""
    plane, node = cluster.plane, next(one for one in cluster.nodes if one.name == "edge-2")
    config = folder / "broker.conf"
    config.write_text(f"listener {PORT} {LAN}.1\nallow_anonymous true\npersistence false\n")
    plane.processes.start("host-broker", program("mosquitto", "mosquitto"), "-c", config)
    plane.processes.wait_until("the broker listens", _listens)
    listener = (program("mosquitto_sub", "mosquitto-clients"), "-h", f"{LAN}.1", "-p", PORT, "-q", 1, "-t", "both")
    plane.processes.start("listener", *listener)
    second = SecondBox(cluster=cluster, node=node, heard=plane.processes.log("listener"))
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(image, f"mqtt://{LAN}.1:{PORT}")})
    plane.did("label", "edgenode", "belt-box", "line=belt")
    plane.did("apply", "--filename=-", stdin=manifest)
    try:
        second.wait_ready()
        yield second
    finally:
        plane.did("delete", "--filename=-", "--timeout=120s", stdin=manifest)
        plane.did("label", "edgenode", "belt-box", "line-")
        for name in ("listener", "host-broker"):
            plane.processes.kill(name)


def _listens() -> bool:
    try:
        socket.create_connection((f"{LAN}.1", PORT), timeout=1).close()
    except OSError:
        return False
    return True


def undisturbed(second: SecondBox, seconds: float) -> Outage:
    """Nothing happens for that long: what outages are compared with."""
    begin = time.time()
    time.sleep(seconds)
    end = time.time()
    return _outage(second, begin, end, arrived_meanwhile=len(_within(second.records(), begin + 1, end)))


def without_network(second: SecondBox, seconds: float) -> Outage:
    """Take its cable out for that long; returns when an event from after it has arrived."""
    begin = time.time()
    second.node.unplug()
    try:
        second.wait_lost()
        time.sleep(max(0.0, begin + seconds - time.time()))
        meanwhile = len(_within(second.records(), begin + 1, time.time()))
    finally:
        end = time.time()
        second.node.plug()
    return _outage(second, begin, end, arrived_meanwhile=meanwhile)


def without_answers(second: SecondBox, seconds: float) -> Outage:
    """The API server stands still for that long; returns when an event from after it has arrived."""
    begin = time.time()
    second.cluster.plane.processes.freeze("kube-apiserver", seconds=seconds)
    end = time.time()
    meanwhile = len(_within(second.records(), begin + 1, end))
    return _outage(second, begin, end, arrived_meanwhile=meanwhile)


def _outage(second: SecondBox, begin: float, end: float, *, arrived_meanwhile: int) -> Outage:
    """It is over: once all is well again and an event from after it has arrived, what there is of its time."""
    second.wait_ready()
    second.wait_event(end)
    told = _within(second.records(), begin, end)
    numbers = [one["data"]["frame"] for one in told]
    heard = Heard(begin=begin, end=end, records={APP: told})
    return Outage(
        arrived_meanwhile=arrived_meanwhile,
        events=measured(heard, APP, LABELS, truth(second.cluster.plane)),
        in_order=numbers == sorted(numbers),
    )


def _within(records: Sequence[Mapping[str, Any]], begin: float, end: float) -> list[Mapping[str, Any]]:
    return [one for one in records if begin < _time(one) < end]


def _time(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["time"]).timestamp()


def _objects(image: str, broker: str) -> list[dict[str, Any]]:
    camera = {"app.kubernetes.io/name": "camera-2"}
    container = {
        "name": "camera",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "camera.py", "camera/belt.mp4", "8554"],
        "readinessProbe": {"tcpSocket": {"port": 8554}, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - of the container
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": "edge-2"},
        "securityContext": security,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    template = {"metadata": {"labels": camera}, "spec": pod}
    here = {"name": "camera-2", "namespace": NAMESPACE}
    stream = {
        "name": "belt",
        "captureFps": 15,
        "source": {"rtsp": {"url": "rtsp://camera-2.belt.svc:8554/belt"}},
    }
    package = "mainstream-registry.mainstream-system.svc:5000/belt/broccoli:v1"
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": here,
            "spec": {"selector": {"matchLabels": camera}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": here,
            "spec": {"selector": camera, "ports": [{"port": 8554, "targetPort": 8554}]},
        },
        {
            "apiVersion": "mainstream.dev/v1alpha1",
            "kind": "EdgeNode",
            "metadata": {"name": BOX, "labels": LINE},
            "spec": {
                "nodeName": "edge-2",
                "budget": {"cpu": "1", "utilization": 30, "memory": "1Gi"},
                "runtime": {"threads": 1},
                "streams": [stream],
                "allowedNamespaces": {"matchLabels": {"mainstream.dev/boxes": "belt"}},
            },
        },
        {
            "apiVersion": "mainstream.dev/v1alpha1",
            "kind": "MainstreamApp",
            "metadata": {"name": APP, "namespace": NAMESPACE},
            "spec": {
                "edgeNodes": {"matchLabels": LINE},
                "stream": "belt",
                "events": LABELS,
                "endAfterSeconds": "0.3",
                "package": {"reference": package},
                "sinks": [{"mqtt": {"url": broker, "topic": "both"}}],
            },
        },
    ]
