"""What ``control_plane.py`` measures on: an API server, a registry with packages, and the operator as a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import yaml
from fleet import OPERATOR_NAMESPACE
from fleet_packages import write_packages

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.cluster.control_plane import ControlPlane, free_port, start_control_plane  # noqa: E402

PACKAGES = 20


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def running_operator(plane: ControlPlane, settings: Path, log: Path) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """The operator as a process of its own, ended by SIGTERM."""
    command = [sys.executable, "-m", "mainstream_operator", "--settings", settings, "--kubeconfig", plane.kubeconfig]
    with log.open("ab") as file:
        process = subprocess.Popen(list(map(str, command)), stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        say("\n".join(log.read_text().splitlines()[-3:]))


@contextmanager
def running_control_plane(folder: Path) -> Iterator[ControlPlane]:
    plane = start_control_plane(folder / "plane")
    try:
        plane.did("apply", "--server-side", "--filename", ROOT / "crds")
        plane.did("wait", "--for=condition=Established", "--timeout=30s", "--filename", ROOT / "crds")
        yield plane
    finally:
        plane.processes.stop()


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """Debian's docker-registry; its address."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": False}},
        "http": {"addr": address},
    }
    path = folder / "registry.yml"
    path.write_text(yaml.safe_dump(config))
    with (folder / "registry.log").open("wb") as log:
        environment = {"OTEL_TRACES_EXPORTER": "none", **os.environ}
        process = subprocess.Popen(
            [_program("docker-registry"), "serve", str(path)], stdout=log, stderr=log, env=environment
        )
    try:
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: make tools")
    return found


def push_packages(store: Path, registry: str) -> list[str]:
    """Packages in the registry, as references by digest."""
    base, names = write_packages(store, PACKAGES)
    verb = [sys.executable, "-c", "from mainstream.cli.main import main; main()", "packages", "push"]
    command = [*verb, *names, "--to", f"{registry}/"]
    done = subprocess.run(
        [*command, "--store", str(store), "--output", "json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    pushed = [one["reference"] for one in json.loads(done.stdout)["artifacts"]]
    return [reference for reference in pushed if not reference.endswith(base.digest)]


def operator_settings(registry: str) -> dict[str, object]:
    return {
        "namespace": OPERATOR_NAMESPACE,
        "images": {"runner": "runner:1", "trainer": "trainer:1"},
        "registry": {"prefix": f"{registry}/mainstream", "plainHttp": [registry]},
        "runner": {"leaseSeconds": 120},
    }


def peak_bytes(process: int) -> int:
    """The most memory that a process had resident so far."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
