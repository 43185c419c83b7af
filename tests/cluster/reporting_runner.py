"""``mainstream run`` as the operator's Deployment starts it, on this machine: its arguments, its rights, its mounts."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np

from mainstream.basednn import BaseDnn
from mainstream.documents import sha256
from mainstream.packages.artifacts import write_mpackage
from mainstream.packages.folder import StoreFolder
from mainstream.packages.mpackage import Candidate, MPackageConfig
from mainstream.resources.edgenode import EdgeNode, File, Source
from mainstream.resources.names import PROBES_PORT, WEB_PORT, runner_name
from mainstream.schedule import Schedule, ScheduledStream
from mainstream_operator.runner_state import RunnerState, runner_state
from mainstream_operator.runners import CACHE_FOLDER, runner_objects
from mainstream_operator.settings import Settings
from mainstream_operator.values import parse_time
from mainstream_runner.standin import stand_in

from .control_plane import ControlPlane, free_port

NAMESPACE = "reporting"
CUT = 3
MAINSTREAM = Path(sys.executable).with_name("mainstream")
LEASE_SECONDS = 8


def settings(**changes: Any) -> Settings:
    """The operator's, with short times."""
    plain = {
        "namespace": NAMESPACE,
        "images": {"runner": "runner:1", "trainer": "trainer:1"},
        "registry": {"prefix": "registry:5000", "plainHttp": ["registry:5000"]},
        "runner": {"reportSeconds": 5, "leaseSeconds": LEASE_SECONDS},
    }
    return Settings.from_plain({**plain, **changes}, where="test")


def manifest(name: str) -> dict[str, Any]:
    """An EdgeNode with one stream."""
    return {
        "apiVersion": "mainstream.dev/v1alpha1",
        "kind": "EdgeNode",
        "metadata": {"name": name},
        "spec": {"streams": [{"name": "camera", "captureFps": 15, "source": {"file": {"path": "/srv/camera.mp4"}}}]},
    }


@dataclass
class Box:
    """An EdgeNode on a real API server with all that the operator makes for its runner, and that runner."""

    plane: ControlPlane
    name: str
    folder: Path
    store: StoreFolder
    base: BaseDnn
    segments: Sequence[bytes]
    objects: Sequence[Mapping[str, Any]] = ()
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    more: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.folder / "etc" / "schedule" / "schedule.json"
        self.account = self.folder / "account"
        self.probes = f"http://127.0.0.1:{free_port()}"
        for folder in (self.file.parent, self.account, self.folder / "cache"):
            folder.mkdir(parents=True, exist_ok=True)

    def create(self) -> None:
        """Apply the EdgeNode, and what its runner needs of the API server; mount its service account."""
        node = EdgeNode.from_plain(manifest(self.name), where="test")
        self.plane.did("apply", "-f-", stdin=json.dumps(manifest(self.name)))
        uid = self.plane.got("edgenode", self.name)["metadata"]["uid"]
        self.objects = runner_objects(node, uid, "host", self.schedule(), {}, settings())
        for one in self.objects:
            if one["kind"] not in {"Deployment", "PersistentVolumeClaim"}:
                applied = ("apply", "--server-side", "--field-manager=mainstream-operator", "-f-")
                self.plane.did(*applied, stdin=json.dumps(one))
        token = self.plane.did("create", "token", "-n", NAMESPACE, runner_name(self.name))
        (self.account / "token").write_text(token)
        (self.account / "ca.crt").write_bytes(self.plane.authority.ca.read_bytes())
        self.port = int(self.plane.authority.server.rpartition(":")[2])

    def schedule(self, apps: int = 1) -> Schedule:
        """Apps that look at every frame of a video that loops, and always find something."""
        made = self._package()
        stem = {
            "name": "camera/full/base",
            "stream": "camera",
            "view": "full",
            "baseDnn": self.base.digest,
            "inputShape": list(self.base.config.input_shape),
            "preprocessing": self.base.config.preprocessing.plain(),
            "segments": [
                {"end": one.end, "digest": one.digest, "fps": "15", "plannedSeconds": "0.001"}
                for one in self.base.config.segments[:CUT]
            ],
        }
        app = {
            "stem": stem["name"],
            "package": made[0],
            "branchpoint": self.base.config.segments[CUT - 1].end,
            "depth": CUT,
            "branchDigest": made[1],
            "plannedSeconds": "0.001",
            "fps": "15",
            "votes": 1,
            "threshold": 1,
            "expectedF1": "0.5",
            "classes": ["background", "event"],
            "events": ["event"],
        }
        plain = {
            "schemaVersion": 1,
            "edgeNode": self.name,
            "engine": "LiteRT",
            "threads": 1,
            "memoryBytes": 1 << 30,
            "cost": "0.03",
            "budget": "0.8",
            "streams": [],
            "stems": [stem] if apps else [],
            "apps": [{**app, "app": f"traffic/app-{number}"} for number in range(apps)],
        }
        stream = ScheduledStream(
            name="camera",
            source=Source(file=File(path=str(self._video()), loop=True, real_time=True)),
            capture_fps=Fraction(15),
            views=(),
        )
        return Schedule.from_plain(plain, where="test").model_copy(update={"streams": (stream,) if apps else ()})

    def publish(self, content: bytes | Schedule) -> None:
        """As the kubelet refreshes a mounted ConfigMap: by a rename."""
        new = self.file.with_suffix(".new")
        new.write_bytes(content.to_json() if isinstance(content, Schedule) else content)
        new.replace(self.file)

    def start(self) -> None:
        """Start the runner with the Deployment's arguments, its mounts below this box's folder."""
        (deployment,) = (one for one in self.objects if one["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        places = {
            f"{CACHE_FOLDER}/store": str(self.store.root),
            CACHE_FOLDER: str(self.folder / "cache"),
            "/etc/mainstream": str(self.folder / "etc"),
            f"127.0.0.1:{WEB_PORT}": "127.0.0.1:0",
            f":{PROBES_PORT}": self.probes.removeprefix("http://"),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    MAINSTREAM,
                    *(_placed(argument, places) for argument in container["args"]),
                    "--service-account",
                    self.account,
                    *self.more,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                    "KUBERNETES_SERVICE_PORT": str(self.port),
                    "POD_NAMESPACE": NAMESPACE,
                    "HOSTNAME": f"{self.name}-pod",
                },
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status. It has the Deployment's grace period."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def kill(self) -> None:
        """Whatever is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()

    def report(self) -> dict[str, Any]:
        """``status.runner`` as the API server has it."""
        found: dict[str, Any] = self.plane.got("edgenode", self.name).get("status", {}).get("runner", {})
        return found

    def state(self) -> RunnerState:
        """The runner as the operator sees it."""
        status = self.plane.got("edgenode", self.name).get("status", {})
        spec = self.lease().get("spec", {})
        renewed = parse_time(spec.get("renewTime"))
        return runner_state(status, renewed, [], now=datetime.now(UTC), lease_seconds=LEASE_SECONDS)

    def lease(self) -> dict[str, Any]:
        """Its Lease."""
        lease: dict[str, Any] = self.plane.got("lease", "-n", NAMESPACE, runner_name(self.name))
        return lease

    def probe(self, path: str) -> int:
        """The status that a kubelet gets; 0 while nobody answers."""
        try:
            return httpx.get(self.probes + path, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def client(self) -> httpx.Client:
        """The API server with this runner's token."""
        token = (self.account / "token").read_text()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=self.plane.authority.server, verify=self._trust(), headers=headers, timeout=60, trust_env=False
        )

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.plane.authority.ca))

    def _package(self) -> tuple[str, str]:
        """An M-Package in the store that the runner is given: its digest and its branch's."""
        shape = self.base.config.segments[-1].output_shape
        branch = stand_in(self.segments[CUT:], shape)
        segments = self.base.config.segments[:CUT]
        candidate = Candidate(
            branchpoint=segments[-1].end,
            branch_digest=sha256(branch),
            branch_size=len(branch),
            true_positive_rate=(0.9,) * 9,
            false_positive_rate=(0.1,) * 9,
            event_frames=100,
            background_frames=100,
            interval=0.1,
            correlation=0.2,
            confusion=((90, 10), (10, 90)),
            history=(),
            trainable_parameters=10,
        )
        config = MPackageConfig(
            base_dnn=self.base.digest,
            input_shape=self.base.config.input_shape,
            preprocessing=self.base.config.preprocessing,
            segments=segments,
            classes=("background", "event"),
            events=("event",),
            candidates=(candidate,),
            dataset_digest=sha256(b"dataset"),
            training_hash=sha256(branch),
            seed=0,
            made_by={},
        )
        made = write_mpackage(self.store.layout, config, {sha256(branch): branch}, name="mpackage/reporting/app")
        return made.digest, sha256(branch)

    def _video(self) -> Path:
        path = self.folder / "camera.mp4"
        if not path.exists():
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", rate=15, options={"g": "15", "bf": "0"})
                stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
                for number in range(60):
                    pixels = np.full((120, 160, 3), number * 4, np.uint8)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
                container.mux(stream.encode(None))
        return path


def _placed(argument: str, places: Mapping[str, str]) -> str:
    for before, after in places.items():
        if argument.startswith(before):
            return after + argument.removeprefix(before)
    return argument
