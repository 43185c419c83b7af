"""A real cluster: a control plane and nodes that can lose their power, boot again, and lose their network."""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .binaries import cache, program
from .control_plane import ControlPlane, start_control_plane
from .hosts import address, make_host, make_lan, node_name, processes_of, remove_hosts, set_cable
from .images import write_images
from .node_files import POLICIES_USER, NodeFiles
from .processes import Processes

_MEMORY_BYTES = 8 << 30
_CORES = 2.0
_POLICIES_READ = (
    "nodes,pods,namespaces,services,endpoints,endpointslices.discovery.k8s.io,networkpolicies.networking.k8s.io"
)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node."""

    files: NodeFiles
    processes: Processes

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return node_name(self.files.number)

    def boot(self) -> None:
        """Switch its power on; returns when containerd answers."""
        self.files.socket.unlink(missing_ok=True)
        self.processes.start(self.name, program("bash", "bash"), self.files.power_on)
        self.processes.wait_until(f"{self.name} boots", self._answers)

    def cut(self) -> None:
        """Cut its power: everything on it is gone at once, with nothing written that was not written."""
        self.processes.kill(self.name)
        self.processes.wait_until(f"{self.name} is off", lambda: not processes_of(f"ms-{self.name}"), seconds=30)

    def unplug(self) -> None:
        """Take its network cable out."""
        set_cable(self.files.number, plugged=False)

    def plug(self) -> None:
        """Put its network cable in."""
        set_cable(self.files.number, plugged=True)

    def load(self, archive: Path) -> None:
        """Give it the images of an archive (an OCI layout or docker-archive)."""
        done = self._ctr("images", "import", str(archive))
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        return self.files.socket.exists() and self._ctr("version").returncode == 0

    def _ctr(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [program("ctr", "containerd"), "--address", str(self.files.socket), "--namespace", "k8s.io"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=120)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A control plane and its nodes."""

    plane: ControlPlane
    nodes: list[Node] = field(default_factory=list)

    def ready(self) -> set[str]:
        """The names of the nodes that are Ready."""
        conditions = "{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=='Ready')].status} {end}"
        listed = self.plane.did("get", "nodes", f"--output=jsonpath={conditions}")
        return {entry.removesuffix("=True") for entry in listed.split() if entry.endswith("=True")}

    def load(self, archive: Path) -> None:
        """Give every node the images of an archive."""
        for node in self.nodes:
            node.load(archive)


@contextmanager
def running_cluster(count: int) -> Iterator[Cluster]:
    """A cluster of so many nodes, all of them Ready, with names for Services.

    A machine has one at a time; what an earlier one left is removed.
    """
    cache().mkdir(parents=True, exist_ok=True)
    state, memory = cache() / "state", cache() / "settings-before.json"
    with (cache() / "lock").open("w") as lock:
        _wait_for(lock.fileno())
        remove_hosts(memory)
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        stops: list[Processes] = []
        try:
            make_lan(memory)
            cluster = Cluster(plane=start_control_plane(state, address=address(0), controllers=True))
            stops.append(cluster.plane.processes)
            _add_nodes(cluster, state, count, stops)
            yield cluster
        finally:
            for processes in reversed(stops):
                processes.stop()
            remove_hosts(memory)
            shutil.rmtree(state)


def _add_nodes(cluster: Cluster, state: Path, count: int, stops: list[Processes]) -> None:
    plane = cluster.plane
    proxies = ("--clusterrole=system:node-proxier", "--user=system:kube-proxy")
    plane.did("create", "clusterrolebinding", "test-proxy", *proxies)
    plane.did("create", "clusterrole", "test-policies", "--verb=list,watch,get", f"--resource={_POLICIES_READ}")
    plane.did("create", "clusterrolebinding", "test-policies", "--clusterrole=test-policies", f"--user={POLICIES_USER}")
    images = write_images(state)
    for number in range(1, count + 1):
        make_host(number, of=count, memory_bytes=_MEMORY_BYTES, cores=_CORES)
        files = NodeFiles(number=number, home=state / node_name(number), authority=plane.authority)
        files.write()
        node = Node(files=files, processes=Processes(files.home / "logs"))
        stops.append(node.processes)
        node.boot()
        for archive in images:
            node.load(archive)
        cluster.nodes.append(node)
    names = {node.name for node in cluster.nodes}
    plane.processes.wait_until("all nodes are Ready", lambda: cluster.ready() == names)
    account = ("get", "serviceaccount", "default")
    plane.processes.wait_until("pods can be created", lambda: plane.kubectl(*account).returncode == 0)
    if count:
        plane.did("apply", "--filename", Path(__file__).parent / "coredns.yaml")
        plane.did("rollout", "status", "--namespace=kube-system", "deployment/coredns", "--timeout=120s")


def _wait_for(lock: int, *, seconds: float = 600) -> None:
    """Another session on this machine has a cluster: wait until it is done."""
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert time.monotonic() < end, "another session on this machine keeps its cluster running"
            time.sleep(1)
        else:
            return
