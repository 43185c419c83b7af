"""No process stays behind, even when the tests are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT
from .processes import Processes

pytestmark = pytest.mark.cluster

_RUN = """
import sys, time
from pathlib import Path
from tests.cluster.control_plane import start_control_plane
start_control_plane(Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(600)
"""


def _of(state: Path) -> list[str]:
    """The processes that have the folder on their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile
        if any(str(state).encode() in word for word in words[1:]):
            found.append(f"{process.name} {words[0].decode(errors='replace')}")
    return found


def test_no_process_outlives_tests_that_are_killed(tmp_path: Path) -> None:
    """After `kill -9` of whoever started an API server, it and etcd are gone."""
    state = tmp_path / "state"
    tests = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert tests.stdout is not None
        assert tests.stdout.readline() == "ready\n"
        assert len(_of(state)) == 3
    finally:
        os.kill(tests.pid, signal.SIGKILL)
        tests.communicate()
    Processes(tmp_path / "none").wait_until("all processes gone", lambda: not _of(state), seconds=30)
