"""The process that joins graphs (``prepare``), as the running schedule's process sees it."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event

from mainstream.errors import OperationError

PREPARE_SECONDS = 300.0
"""After which preparing is given up: a box that cannot join a schedule's graphs in five minutes cannot run it."""
POLL_SECONDS = 0.1
"""How often a run that ends is noticed meanwhile."""


class Preparer:
    """Stands by from ``start`` to ``close``; a process that died is replaced when it is needed. Used by one thread."""

    def __init__(
        self, stop: Event, command: tuple[str, ...] = (sys.executable, "-m", "mainstream_runner.prepare")
    ) -> None:
        """``stop`` ends a wait."""
        self._stop = stop
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; it gets ready by itself."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A group, so that its child ends with it and Ctrl-C is not its business; not a session, since Linux shares the
            # processor among sessions first and looks at niceness within one.
            process_group=0,
            env={
                **os.environ,
                "OPENBLAS_NUM_THREADS": "1",
            },  # a process with threads should not fork, and needs no algebra
        )

    def prepare(self, folder: Path) -> str | None:
        """Why it cannot be done; None: it is done. ``OperationError`` after ``PREPARE_SECONDS``, or if the run ends."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.start()
        process = self._process
        assert process is not None  # noqa: S101 - started above
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
            self._wait_for(process.stdout.fileno())
            line = process.stdout.readline()
            problem = (
                json.loads(line)["problem"] if line else f"joining the graphs failed (exit status {process.wait()})"
            )
        except BrokenPipeError:
            problem = f"joining the graphs failed (exit status {process.wait()})"
        except BaseException:
            self.close()
            raise
        return None if problem is None else str(problem)

    def _wait_for(self, answers: int) -> None:
        for _ in range(round(PREPARE_SECONDS / POLL_SECONDS)):
            if select.select([answers], [], [], POLL_SECONDS)[0]:
                return
            if self._stop.is_set():
                raise OperationError("the run ended")
        raise OperationError(
            f"joining the graphs took more than {PREPARE_SECONDS:g} s", remedy="Is the box overloaded?"
        )

    def close(self) -> None:
        """End the process and what it does; may be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            process.wait()
