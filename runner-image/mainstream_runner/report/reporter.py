"""Reports to the cluster: at once when something turns, else now and then; never in the way of a frame.

Whatever the API server does, the runner runs on; what it reports when the server is back is how it is then.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Protocol

from mainstream.errors import OperationError
from mainstream.resources.metadata import API_VERSION
from mainstream.resources.names import RUNNER
from mainstream_runner.backoff import BackOff
from mainstream_runner.board import Board
from mainstream_runner.clock import Clock
from mainstream_runner.report.api import APPLY, Patches
from mainstream_runner.report.document import Plain, document, urgent
from mainstream_runner.report.utilization import Utilization

LOOK_SECONDS = 0.5
SETTLING_SECONDS = 60.0
"""After a change rates are those of seconds; a minute later they are right, and told once more."""
BURST, REFILL_SECONDS = 10.0, 30.0
"""So many reports may follow one another at once, then one each ``REFILL_SECONDS``: a camera may come and go all day."""
OF_A_SCHEDULE = 4.0
"""So many may follow another schedule, whatever was reported before: it is loaded, its streams come, its apps look."""


class Say(Protocol):
    """Takes a message for the log, and fields."""

    def __call__(self, message: str, **fields: object) -> None: ...


class Reporter:
    """For one EdgeNode. ``warn`` is told when reporting fails for another reason than before, ``say`` when it works again."""

    def __init__(
        self,
        board: Board,
        server: Patches,
        *,
        edge_node: str,
        every_seconds: float,
        clock: Clock,
        random: Callable[[], float],
        say: Say,
        warn: Say,
    ) -> None:
        self._board = board
        self._server = server
        self._edge_node = edge_node
        self._every_seconds = every_seconds
        self._clock = clock
        self._say, self._warn = say, warn
        self._back_off = BackOff(random)
        self._utilization = Utilization()
        self._digest: str | None = None
        self._loaded_at: datetime | None = None
        self._sent: Plain | None = None
        self._due_at = self._wait_until = self._refilled_at = clock.seconds()
        self._tokens = BURST
        self._fault: str | None = None

    def run(self, stop: Event) -> None:
        """The thread."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread's top loop: a fault of ours must not silence a box for years
                self._warn(f"internal error while reporting: {type(error).__name__}: {error}")
                self._wait_until = self._clock.seconds() + self._back_off.next()
        self._server.close()

    def look(self) -> None:
        """One look at the board, and a report if it is time for one."""
        now = self._clock.seconds()
        self._utilization.look(self._board, now_seconds=now)
        report = self._document()
        if now < self._wait_until:
            return
        turned = self._sent is None or urgent(report) != urgent(self._sent)
        if not (now >= self._due_at or (turned and self._may(now))):
            return
        if report != self._sent and not self._send(report):
            self._wait_until = self._clock.seconds() + self._back_off.next()
            return
        settling = min(SETTLING_SECONDS, self._every_seconds)
        self._due_at = self._clock.seconds() + (settling if turned else self._every_seconds)

    def _document(self) -> Plain:
        schedule = self._board.schedule()
        digest = schedule.digest if schedule else None
        if digest != self._digest:
            self._digest, self._loaded_at = digest, self._clock.utc() + self._server.skew
            self._tokens = max(self._tokens, OF_A_SCHEDULE)
        return document(
            self._board,
            loaded_at=self._loaded_at,
            utilization=self._utilization.median(),
            before=self._sent or {},
        )

    def _may(self, now: float) -> bool:
        """Whether one more report out of turn is within the limit."""
        self._tokens = min(BURST, self._tokens + (now - self._refilled_at) / REFILL_SECONDS)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _send(self, report: Plain) -> bool:
        body = {
            "apiVersion": API_VERSION,
            "kind": "EdgeNode",
            "metadata": {"name": self._edge_node},
            "status": {"runner": report},
        }
        try:
            self._server.patch(
                f"/apis/{API_VERSION}/edgenodes/{self._edge_node}/status",
                body,
                content_type=APPLY,
                query={"fieldManager": RUNNER, "force": "true"},
            )
        except OperationError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                self._warn(f"cannot report: {error}; the runner runs on")
            return False
        if self._fault is not None:
            self._fault = None
            self._say("reports arrive again")
        self._back_off.succeeded()
        self._sent = report
        return True
