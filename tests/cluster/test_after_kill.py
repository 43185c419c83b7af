"""Nothing stays behind, even when whoever started an API server or a cluster is killed.

By its name this runs before the session's own cluster is there, of which a machine has one at a time.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .binaries import cache
from .conftest import ROOT
from .nodes import running_cluster
from .processes import Processes

pytestmark = pytest.mark.cluster

_API_SERVER = """
import sys, time
from pathlib import Path
from tests.cluster.control_plane import start_control_plane
start_control_plane(Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(600)
"""

_CLUSTER = """
import time
from tests.cluster.nodes import running_cluster
with running_cluster(1):
    print("ready", flush=True)
    time.sleep(600)
"""

_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")


@contextmanager
def _killed(script: str, *arguments: object) -> Iterator[None]:
    """A process that runs the script until it is ready, and that is killed after the body."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    tests = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert tests.stdout is not None
        assert tests.stdout.readline() == "ready\n"
        yield
    finally:
        os.kill(tests.pid, signal.SIGKILL)
        tests.communicate()


def _naming(folder: Path) -> list[str]:
    """The processes that have the folder on their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile
        if any(str(folder).encode() in word for word in words[1:]):
            found.append(f"{process.name} {words[0].decode(errors='replace')}")
    return found


def _left() -> list[str]:
    """Links, network namespaces, cgroups and mounts of a cluster's nodes."""
    places = ("/sys/class/net", "/run/netns", *map(str, Path("/sys/fs/cgroup").iterdir()))
    named = [str(path) for place in places for path in Path(place).glob("ms-*")]
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(cache()) in line]
    return named + mounts


def test_no_process_outlives_an_api_server_whose_tests_are_killed(tmp_path: Path) -> None:
    """After `kill -9` of whoever started it, it and etcd are gone."""
    state = tmp_path / "state"
    with _killed(_API_SERVER, state):
        assert len(_naming(state)) == 3  # etcd, kube-apiserver, and the script itself
    Processes(tmp_path / "logs").wait_until("all processes gone", lambda: not _naming(state), seconds=30)


def test_the_next_cluster_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    """The kernel ends its processes, containers too; the next start removes the rest; its own end leaves nothing."""
    before = _INSTANCES.read_text()
    state = cache() / "state"
    with _killed(_CLUSTER):
        assert _naming(state)
    Processes(tmp_path / "logs").wait_until("all processes gone", lambda: not _naming(state), seconds=30)
    assert _left()
    with running_cluster(0):
        assert {path for path in _left() if "edge" in path} == set()
    assert _left() == []
    assert _naming(state) == []
    assert _INSTANCES.read_text() == before
    assert not state.exists()
