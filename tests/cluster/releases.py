"""What ``helm`` does to a cluster: install, upgrade, roll back and uninstall the chart."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .binaries import binary
from .built_images import HOST, TAG, Registry
from .control_plane import ControlPlane

CHART = Path(__file__).resolve().parents[2] / "charts" / "mainstream"

Values = dict[str, Any]


def usual_values(registry: Registry) -> Values:
    """Images and packages from and to the registry of this machine; no registry in the cluster."""
    return {
        "images": {"registry": registry.repository_prefix, "tag": TAG},
        "registry": {"prefix": f"{HOST}/packages", "plainHttp": [HOST], "inCluster": {"enabled": False}},
        "operator": {"resources": {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": "640Mi"}}},
    }


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release of the chart, installed or not; ``helm`` is the program that is used."""

    plane: ControlPlane
    name: str = "mainstream"
    namespace: str = "mainstream-system"
    helm: Path = field(default_factory=lambda: binary("helm"))

    def install(self, values: Values, *arguments: str) -> str:
        """Install it and wait until its pods are ready; what helm prints."""
        return self._with_values("install", values, "--create-namespace", *arguments)

    def upgrade(self, values: Values, *arguments: str) -> str:
        """Upgrade it to these values and wait."""
        return self._with_values("upgrade", values, *arguments)

    def rollback(self, revision: int) -> str:
        """Go back to a revision and wait."""
        return self._did("rollback", self.name, str(revision), "--wait", "--timeout=180s")

    def uninstall(self) -> str:
        """Uninstall it and wait until its objects are gone."""
        return self._did("uninstall", self.name, "--wait", "--timeout=180s")

    def tried(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run helm for this release's namespace; its exit status is the caller's to look at."""
        command = [self.helm, "--kubeconfig", self.plane.kubeconfig, "--namespace", self.namespace, *arguments]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.plane.authority.folder,
        )

    def _with_values(self, verb: str, values: Values, *arguments: str) -> str:
        chart = (self.name, str(CHART), "--values=-", "--wait", "--timeout=180s")
        return self._did(verb, *chart, *arguments, stdin=json.dumps(values))

    def _did(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.tried(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{done.stderr}\n{self._state()}"
        return done.stdout

    def _state(self) -> str:
        pods = self.plane.kubectl("describe", "pods", f"--namespace={self.namespace}").stdout
        selector = "--selector=app.kubernetes.io/component=operator"
        logs = self.plane.kubectl("logs", f"--namespace={self.namespace}", selector, "--tail=40").stdout
        return f"{pods[-6000:]}\n{logs}"
