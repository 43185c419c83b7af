"""The example of the belt on a cluster: applied with our images, its events read at its broker and held against its truth."""

import csv
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from mainstream.evaluation.matching import Interval, Matching, match
from mainstream.kubectl.lookup import runner_pod

from .built_images import IN_CLUSTER_REGISTRY, Registry
from .control_plane import ControlPlane
from .nodes import Cluster
from .releases import Release, usual_values
from .storage import add_storage, remove_storage
from .waiting import eventually

BELT = Path(__file__).resolve().parents[2] / "examples" / "belt"
GREEN = BELT / "more" / "green.yaml"
"""One more app; it brings its package."""
FIRST_NODE = {"kubernetes.io/hostname": "edge-1"}
FPS, FRAMES = 15, 900
"""Of the camera's video, which begins anew at every whole minute."""
EDGE_SECONDS = 2
"""At both ends of what was listened to: events that reach past it are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Records of a while at the broker, by app; ``begin`` and ``end`` are seconds since 1970."""

    begin: float
    end: float
    records: Mapping[str, Sequence[Mapping[str, Any]]]


@contextmanager
def running_belt(cluster: Cluster, registry: Registry, folder: Path) -> Iterator[None]:
    """The chart with its own registry, and the belt, until every app is Ready.

    All but what trains is on the first node, so that the second may be switched off.
    """
    registry.push(["operator", "runner", "trainer", "examples"])
    add_storage(cluster)
    repository, _, tag = IN_CLUSTER_REGISTRY.rpartition(":")
    values = usual_values(registry)
    image = {"repository": repository, "tag": tag}
    values |= {"registry": {"inCluster": {"enabled": True, "image": image, "nodeSelector": FIRST_NODE}}}
    values["operator"] |= {"nodeSelector": FIRST_NODE}
    release = Release(plane=cluster.plane)
    release.install(values)
    plane = cluster.plane
    plane.did("apply", "--kustomize", _overlay(folder, registry.images["examples"]))
    ready = ("--for=condition=Ready", "mainstreamapp", "--all", "--namespace=belt")
    waited = plane.kubectl("wait", *ready, "--timeout=170s")
    for _ in range(5):
        if waited.returncode != 0:
            waited = plane.kubectl("wait", *ready, "--timeout=170s")
    assert waited.returncode == 0, f"{waited.stderr}\n{_state(cluster)}"
    yield
    plane.did("delete", "--kustomize", folder, "--timeout=120s")
    release.uninstall()
    remove_storage(cluster)


def _state(cluster: Cluster) -> str:
    asked = (
        ("get", "edgenodes,mainstreamapps,jobs,pods,pvc", "--all-namespaces", "--output=wide"),
        ("get", "edgenodes,mainstreamapps", "--all-namespaces", "--output=jsonpath={..status.conditions}"),
        ("logs", "--namespace=mainstream-system", "deployment/mainstream-operator", "--tail=60"),
        ("get", "events", "--all-namespaces"),
    )
    return "\n".join(cluster.plane.kubectl(*arguments).stdout[-8000:] for arguments in asked)


def _overlay(folder: Path, image: str) -> Path:
    """A kustomization of the example with that image (``repository:tag``); ``folder`` is where it is written."""
    name, _, tag = image.rpartition(":")
    placed = [{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": FIRST_NODE}]
    written = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(BELT, folder)],
        "images": [{"name": "mainstream-examples", "newName": name, "newTag": tag}],
        "patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps(placed)}],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(written))
    return folder


def listen(plane: ControlPlane, seconds: int) -> Heard:
    """What arrives at the broker in so many seconds (``mosquitto_sub`` counts them)."""
    begin = time.time()
    subscribe = ("mosquitto_sub", "--topic", "belt/+", "-W", str(seconds))
    done = plane.kubectl("exec", "--namespace=belt", "deployment/broker", "--", *subscribe)
    records: dict[str, list[Any]] = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["subject"], []).append(record)
    return Heard(begin=begin, end=time.time(), records=records)


def truth(plane: ControlPlane) -> dict[str, list[Interval]]:
    """The camera's own: by label, first and last frame of each event."""
    shown = ("exec", "--namespace=belt", "deployment/camera", "--container=camera", "--", "cat", "camera/truth.csv")
    found: dict[str, list[Interval]] = {}
    for row in csv.DictReader(io.StringIO(plane.did(*shown))):
        found.setdefault(row["label"], []).append((int(row["start_frame"]), int(row["end_frame"])))
    return found


def measured(heard: Heard, app: str, labels: Sequence[str], truth: Mapping[str, Sequence[Interval]]) -> Matching:
    """An app's events against the truth, in frames since 1970."""
    first, last = (heard.begin + EDGE_SECONDS) * FPS, (heard.end - EDGE_SECONDS) * FPS
    rounds = range(int(first) // FRAMES, int(last) // FRAMES + 1)
    true = [
        (start + turn * FRAMES, end + turn * FRAMES)
        for turn in rounds
        for label in labels
        for start, end in truth[label]
    ]
    emitted = [frames_of(one) for one in heard.records.get(app, ()) if one["type"].endswith(".ended")]
    return match(
        [one for one in true if first <= one[0] and one[1] <= last],
        [one for one in emitted if first <= one[0] and one[1] <= last],
    )


def frames_of(record: Mapping[str, Any]) -> Interval:
    """First and last frame of an event that ended, by the camera's clock, since 1970."""
    data = record["data"]
    decided = datetime.fromisoformat(record["time"]).timestamp() - float(data["streamSeconds"])
    start, end = (round((decided + float(data[name])) * FPS) for name in ("startSeconds", "endSeconds"))
    return start, end


@contextmanager
def page(plane: ControlPlane) -> Iterator[str]:
    """The address of the runner's page on this machine, for as long as the block runs."""
    pod = runner_pod(plane.plugin, "belt-box")["metadata"]
    with plane.plugin.forwarded(f"pod/{pod['name']}", 8080, namespace=pod["namespace"]) as port:
        yield f"http://127.0.0.1:{port}"


def pod_of(plane: ControlPlane, box: str) -> tuple[str, int]:
    """The uid of a runner's pod and how often its container was started again."""
    selector = f"--selector=app.kubernetes.io/component=runner,mainstream.dev/edge-node={box}"
    (pod,) = plane.got("pods", selector, "--namespace=mainstream-system")["items"]
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def counters(plane: ControlPlane) -> dict[str, Any]:
    """What the runner counted since its start, and which pod it is."""
    with page(plane) as address:
        state = httpx.get(f"{address}/api/state", trust_env=False).json()
    return {
        "pod": pod_of(plane, "belt-box"),
        "missing": {one["name"]: one["missing"] for one in state["streams"]},
        "dropped": {one["app"]: one["dropped"] for stem in state["stems"] for one in stem["apps"]},
        "analysed": {one["app"]: one["analysed"] for stem in state["stems"] for one in stem["apps"]},
        "changes": state["scheduleChanges"],
    }


def seconds_to_report(plane: ControlPlane, client: httpx.Client, verb: str) -> float:
    """``apply`` or ``delete`` one more app: seconds from the command's begin to a report of the box that says so.

    ``client`` is the plane's.
    """
    begin = time.monotonic()
    plane.did(verb, "--filename", GREEN, *(("--wait=false",) if verb == "delete" else ()))
    wanted = verb == "apply"

    def is_reported() -> bool:
        status = client.get("/apis/mainstream.dev/v1alpha1/edgenodes/belt-box").raise_for_status().json()["status"]
        return wanted == any(one["name"] == "green" for one in status["runner"].get("apps", ()))

    eventually(f"a report after {verb}", is_reported, seconds=120)
    return time.monotonic() - begin
