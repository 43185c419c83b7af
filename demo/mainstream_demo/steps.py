"""Steps that are done once: each leaves a stamp when it has succeeded, and is passed over when its stamp still holds.

A stamp holds if the step's words (commands, settings) are the same, its outputs are there and every step before it was
passed over too. A step that is interrupted leaves no stamp, and its verb keeps what it had finished.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mainstream.cli.main import TerminatedError
from mainstream.documents import sha256
from mainstream.errors import OperationError
from mainstream_demo.video import said, write_text

MAINSTREAM = (sys.executable, "-c", "from mainstream.cli.main import main; main()")
"""The command line of this very installation, so that no program imports another."""
PATIENCE_SECONDS = 20
"""What a verb gets to end in good order after Ctrl-C or SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``words`` is all that the result depends on besides the steps before; ``command`` what a person would type."""

    name: str
    title: str
    command: str
    words: str
    outputs: tuple[Path, ...]
    work: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished step: how long it took, now or when it was done."""

    step: Step
    seconds: float
    resumed: bool


class Stamped:
    """Does steps in order, each once; stamps are kept in ``folder``. ``done`` holds what was done or passed over."""

    def __init__(self, folder: Path, total: int, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._total = total
        self._say = say
        self._fingerprint = ""
        self._anew = False
        self.done: list[Done] = []

    def do(self, step: Step) -> None:
        """Do the step, or pass it over."""
        self._fingerprint = sha256(f"{self._fingerprint}\n{step.name}\n{step.words}".encode())
        stamp = self._folder / f"{step.name}.json"
        place = f"[{len(self.done) + 1}/{self._total}] {step.title}"
        seconds = None if self._anew else _kept(stamp, self._fingerprint, step)
        if seconds is not None:
            self._say(f"{place}: done before, in {seconds:.0f} s")
            self.done.append(Done(step=step, seconds=seconds, resumed=True))
            return
        self._anew = True
        self._say(place)
        with said(stamp):
            stamp.unlink(missing_ok=True)
        start = time.monotonic()
        step.work()
        seconds = round(time.monotonic() - start, 3)
        write_text(stamp, json.dumps({"fingerprint": self._fingerprint, "seconds": seconds}) + "\n")
        self.done.append(Done(step=step, seconds=seconds, resumed=False))


def _kept(stamp: Path, fingerprint: str, step: Step) -> float | None:
    try:
        kept = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("fingerprint") != fingerprint:
        return None
    return float(kept["seconds"]) if all(output.exists() for output in step.outputs) else None


def _end(process: "subprocess.Popen[str]", *, terminated: bool) -> None:
    """Let a verb end: Ctrl-C the terminal has sent to it as well, SIGTERM only this process got."""
    if terminated:
        process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def verb(arguments: Sequence[str], *, folder: Path, result: Path | None = None, show: bool = False) -> None:
    """Run one of Mainstream's verbs in ``folder``. Its progress is seen; its result goes to the file ``result``, to the
    screen with ``show``, else nowhere.

    ``OperationError`` if it fails (it has said why); after Ctrl-C it gets the time to end in good order.
    """
    aside = None if show else subprocess.DEVNULL
    process = subprocess.Popen(
        [*MAINSTREAM, *arguments], cwd=folder, stdout=aside if result is None else subprocess.PIPE, text=True
    )
    try:
        text, _ = process.communicate()
    except KeyboardInterrupt as stop:
        _end(process, terminated=isinstance(stop, TerminatedError))
        raise
    if process.returncode != 0:
        raise OperationError(
            f"`mainstream {' '.join(arguments)}` failed with exit status {process.returncode}",
            where=folder,
            remedy="What it said is above. Run the demo again to go on from here, or with --fresh to start anew.",
        )
    if result is not None:
        write_text(result, text)
