"""Jobs as the operator starts them: programs with a task in their environment, a registry beside them, no terminal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mainstream.documents import Document
from mainstream.jobs import TASK_VARIABLE, JobResult

from ..registry.conftest import Registry, registry, start_registry  # noqa: TID252 - one registry for all tests
from ..trainer.conftest import red_and_blue  # noqa: TID252

__all__ = ["Registry", "red_and_blue", "registry", "start_registry"]

PROGRAM = """
import os, sys
from pathlib import Path
from mainstream.job_program import Surroundings
from {program}.job import main
there = Path(sys.argv[1])
sys.exit(main(Surroundings(
    environment=os.environ, work=there / "work", credentials=there / "registry", ca=there / "ca" / "ca.crt",
    secrets=there / "secrets", termination_file=there / "termination-log",
)))
"""
"""A Job's program, with the pod's mount points below one folder."""


@dataclass
class Pod:
    """A pod of a Job: its disk and its program."""

    folder: Path
    process: "subprocess.Popen[str]"
    logs: list[dict[str, Any]] = field(default_factory=list)

    def finish(self) -> int:
        """Wait for its end; the exit status."""
        assert self.process.stderr is not None
        self.logs += [json.loads(line) for line in self.process.stderr]
        return self.process.wait(60)

    def until(self, text: str) -> None:
        """Read the log up to a record with that text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.logs.append(json.loads(line))
            if text in self.logs[-1]["event"]:
                return
        raise AssertionError(f"the program ended without {text!r}: {self.logs}")

    @property
    def result(self) -> JobResult:
        """What it left in its termination message."""
        return JobResult.parse((self.folder / "termination-log").read_bytes(), where="termination message")


StartPod = Callable[..., Pod]


@pytest.fixture
def start_pod(tmp_path: Path) -> Iterator[StartPod]:
    """Starts pods, each with an empty disk of its own."""
    pods: list[Pod] = []

    def start(
        program: str,
        task: Document | str,
        *,
        environment: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Pod:
        folder = tmp_path / f"pod-{len(pods)}"
        for name, content in {"termination-log": "", "work/.keep": "", "registry/.keep": "", **(files or {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        text = task if isinstance(task, str) else task.canonical().decode()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(program=program), folder],
            env={**os.environ, TASK_VARIABLE: text, "HOME": "/nonexistent", **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        pods.append(Pod(folder, process))
        return pods[-1]

    yield start
    for pod in pods:
        if pod.process.poll() is None:
            pod.process.send_signal(signal.SIGKILL)
        pod.process.communicate()


@pytest.fixture
def run_pod(start_pod: StartPod) -> Callable[..., tuple[int, Pod]]:
    """Runs a pod to its end: exit status and pod."""

    def run(*arguments: Any, **options: Any) -> tuple[int, Pod]:
        pod = start_pod(*arguments, **options)
        return pod.finish(), pod

    return run
