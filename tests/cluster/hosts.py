"""What makes a node a host of its own on this machine: a network with a cable to the LAN, and cgroups that limit it.

Everything has a name that begins with ``ms-``, so that whatever a killed session left behind is found and removed.
"""

import json
import subprocess
import time
from pathlib import Path

from .binaries import program

BRIDGE = "ms-lan"
LAN = "172.30.0"
"""The machine is .1, node N is .1N."""

PODS = "10.244"
"""Node N's pods are in .N.0/24."""

SERVICES = "10.96.0.0/16"
"""Addresses of Services; the first is the API server's."""

_CGROUPS = Path("/sys/fs/cgroup")
_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_ENOUGH_INSTANCES = 8192
"""Each kubelet and containerd takes some dozens; 128 is usual."""


def controllers() -> list[str]:
    """The machine's cgroup hierarchies (version 1 or hybrid: what this cluster knows)."""
    found = sorted(path.parent.name for path in _CGROUPS.glob("*/cgroup.procs") if not path.parent.is_symlink())
    found = [name for name in found if name != "unified"]
    assert "memory" in found, "the cluster's nodes need cgroup version 1 or hybrid, and root"
    return found


def node_name(number: int) -> str:
    """The Kubernetes node's name."""
    return f"edge-{number}"


def address(number: int) -> str:
    """The node's address in the LAN; 0 is the machine's own."""
    return f"{LAN}.{10 + number if number else 1}"


def make_lan(memory: Path) -> None:
    """The LAN, with this machine in it. ``memory`` is a file that keeps the settings that are changed."""
    _run(f"ip link add {BRIDGE} type bridge", f"ip addr add {address(0)}/24 dev {BRIDGE}", f"ip link set {BRIDGE} up")
    before = int(_INSTANCES.read_text())
    memory.write_text(json.dumps({"instances": before}))
    _INSTANCES.write_text(str(max(before, _ENOUGH_INSTANCES)))


def make_host(number: int, *, of: int, memory_bytes: int, cores: float) -> None:
    """A host, number ``number`` of ``of``, with its network and cgroups; nothing runs on it yet."""
    host = f"ms-{node_name(number)}"
    others = [other for other in range(1, of + 1) if other != number]
    inside = [
        "ip link set lo up",
        f"ip addr add {address(number)}/24 dev eth0",
        "ip link set eth0 up",
        f"ip route add default via {address(0)}",
        "sysctl -qw net.ipv4.ip_forward=1",
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1",  # NetworkPolicies hold between pods of one node, too
        *(f"ip route add {PODS}.{other}.0/24 via {address(other)}" for other in others),
    ]
    _run(
        f"ip netns add {host}",
        f"ip link add {host} type veth peer name eth0 netns {host}",
        f"ip link set {host} master {BRIDGE} up",
        *(f"ip netns exec {host} {command}" for command in inside),
        f"ip route add {PODS}.{number}.0/24 via {address(number)}",
    )
    for controller in controllers():
        group = _CGROUPS / controller / host
        group.mkdir(exist_ok=True)
        if controller == "cpuset":
            for name in ("cpuset.cpus", "cpuset.mems"):
                (group / name).write_text((group.parent / name).read_text())
    (_CGROUPS / "memory" / host / "memory.limit_in_bytes").write_text(str(memory_bytes))
    (_CGROUPS / "cpu" / host / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000)))


def set_cable(number: int, *, plugged: bool) -> None:
    """Put the host's network cable in, or take it out."""
    _run(f"ip link set ms-{node_name(number)} {'up' if plugged else 'down'}")


def processes_of(host: str) -> list[int]:
    """The ids of all that runs on a host (``ms-edge-1``), in containers too."""
    found: list[int] = []
    for file in (_CGROUPS / "pids" / host).rglob("cgroup.procs"):
        try:
            found += map(int, file.read_text().split())
        except OSError:
            continue  # a container's group that went away meanwhile
    return found


def remove_hosts(memory: Path) -> None:
    """Remove all hosts and the LAN, from this session or an earlier one; all that ran on them must have been killed."""
    for group in (_CGROUPS / "pids").glob("ms-*"):
        _wait_until_empty(group.name)
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    names = [line.split(": ")[1].partition("@")[0] for line in links.splitlines()]
    _run(*(f"ip link del {name}" for name in names if name.startswith("ms-")))
    _run(*(f"ip netns del {place.name}" for place in Path("/run/netns").glob("ms-*")))
    for group in _CGROUPS.glob("*/ms-*"):
        folders = [group, *(path for path in group.rglob("*") if path.is_dir())]
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            folder.rmdir()
    if memory.exists():
        _INSTANCES.write_text(str(json.loads(memory.read_text())["instances"]))
        memory.unlink()


def _wait_until_empty(host: str, *, seconds: float = 30) -> None:
    """The kernel ends what ran on a host that was killed; its groups can be removed once that is done."""
    end = time.monotonic() + seconds
    while left := processes_of(host):
        assert time.monotonic() < end, f"still on {host}: processes {left}"
        time.sleep(0.1)


def _run(*commands: str) -> None:
    for command in commands:
        name, *arguments = command.split()
        done = subprocess.run(
            [program(name, "iproute2"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
