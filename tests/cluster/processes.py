"""Processes that end with the tests, however the tests end.

Rules: each process gets SIGKILL from the kernel when the thread that started it dies (``setpriv --pdeathsig``), so even
``kill -9`` of pytest leaves none behind; each has a log of its own, which is shown when something goes wrong.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .binaries import program


class Processes:
    """Processes of one control plane or node; ``logs`` is the folder of their logs."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, *command: object) -> int:
        """Start a process that is called ``name``; its id. It keeps its id over ``exec``."""
        guard = [program("setpriv", "util-linux"), "--pdeathsig", "KILL"]
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [*guard, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[name] = process
        return process.pid

    def log(self, name: str) -> Path:
        """Where a process prints to."""
        return self._logs / f"{name}.log"

    def kill(self, name: str) -> None:
        """End a process and wait until it is gone."""
        process = self._running.pop(name)
        process.kill()
        process.wait(30)

    def freeze(self, name: str, *, seconds: float) -> None:
        """Let a process stand still for a while: connections stay open, and nobody is answered."""
        process = self._running[name]
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End all, the newest first."""
        for name in reversed(list(self._running)):
            self.kill(name)

    def wait_until(self, what: str, check: Callable[[], bool], *, seconds: float = 120) -> None:
        """Return once ``check`` says so; fail, with the logs' ends, when a process ends first or it takes too long."""
        end = time.monotonic() + seconds
        while not check():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > end:
                reason = f"{', '.join(ended)} ended" if ended else f"not within {seconds:.0f} s"
                raise AssertionError(f"{what}: {reason}\n{self._tails()}")
            time.sleep(0.1)

    def _tails(self) -> str:
        logs = sorted(self._logs.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)
