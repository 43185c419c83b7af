"""The operator as a process: ``python -m mainstream_operator`` against a real control plane."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from .control_plane import ControlPlane, free_port
from .waiting import eventually

NAMESPACE = "mainstream-system"


@dataclass
class Operated:
    """An operator's process. ``settings`` are those of its file; ``start`` begins it, as often as one likes."""

    plane: ControlPlane
    folder: Path
    settings: dict[str, Any]
    kubeconfig: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    metrics_port: int = field(default_factory=free_port)
    probe_port: int = field(default_factory=free_port)

    @property
    def log(self) -> Path:
        """Everything that it says."""
        return self.folder / "operator.log"

    def start(self) -> None:
        """Begin a process; returns at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "settings.yaml").write_text(yaml.safe_dump(self.settings))
        command = [
            *("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "mainstream_operator"),
            *("--settings", str(self.folder / "settings.yaml")),
            *("--kubeconfig", str(self.kubeconfig or self.plane.kubeconfig)),
            *("--host", "127.0.0.1", "--metrics-port", str(self.metrics_port), "--probe-port", str(self.probe_port)),
            *("--folder", str(self.folder / "work")),
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def kill(self) -> None:
        """As a node's power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def stop(self) -> int:
        """As Kubernetes does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def ready(self) -> str:
        """What /readyz says; empty while nobody answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.metrics_port}/readyz", timeout=5, trust_env=False).text
        except httpx.TransportError:
            return ""

    def wait_ready(self) -> None:
        """Until it decides."""
        eventually("the operator is ready", lambda: self.ready() == "ready", why=self.tail)

    def alive(self) -> int:
        """The status of /healthz; 0 while nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.probe_port}/healthz"
            return httpx.get(url, timeout=20, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Its metrics, by name with labels."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=20, trust_env=False).text
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    def looks(self) -> float:
        """How often it looked at an object since its start."""
        found = self.metrics().items()
        return sum(value for name, value in found if name.startswith("mainstream_reconcile_seconds_count"))

    def records(self) -> list[dict[str, Any]]:
        """Its log; every line is a record."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


def settings(registry: str, **more: Any) -> dict[str, Any]:
    """An operator's settings for that registry."""
    return {
        "namespace": NAMESPACE,
        "images": {"runner": "registry.test/runner:1", "trainer": "registry.test/trainer:1"},
        "registry": {"prefix": f"{registry}/mainstream", "plainHttp": [registry]},
        "batching": {"idleSeconds": 0.1, "maxSeconds": 1.0},
        "runner": {"leaseSeconds": 600},  # the test renews it once
        **more,
    }
