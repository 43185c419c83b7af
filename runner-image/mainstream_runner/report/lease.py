"""The Lease that says that the runner lives: renewed four times as often as it must be, while the loop comes round.

It is there already (the operator makes it), so one patch renews it, and nothing is ever created.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Event

from mainstream.errors import OperationError
from mainstream.resources.names import runner_name
from mainstream_runner.backoff import BackOff
from mainstream_runner.board import Board
from mainstream_runner.clock import Clock
from mainstream_runner.health import liveness
from mainstream_runner.report.api import MERGE, Patches
from mainstream_runner.report.reporter import Say

SHARE = 4
JITTER = 0.2
"""A renewal comes up to this share early: runners that started together drift apart."""


class LeaseKeeper:
    """``holder`` names this pod. ``warn`` as ``Reporter`` has it."""

    def __init__(
        self,
        board: Board,
        server: Patches,
        *,
        edge_node: str,
        namespace: str,
        holder: str,
        lease_seconds: int,
        clock: Clock,
        random: Callable[[], float],
        warn: Say,
    ) -> None:
        self._board = board
        self._server = server
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{runner_name(edge_node)}"
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._random = random
        self._warn = warn
        self._back_off = BackOff(random)
        self._acquired = False
        self._fault: str | None = None

    def run(self, stop: Event) -> None:
        """The thread."""
        wait = 0.0
        while not stop.wait(wait):
            wait = self.renew()
        self._server.close()

    def renew(self) -> float:
        """Renew it if the loop comes round; seconds until the next time."""
        period = self._lease_seconds / SHARE
        if not liveness(self._board).ok:
            return period / SHARE
        skew = self._server.skew
        now = micro_time(self._clock.utc() + skew)
        spec = {"holderIdentity": self._holder, "leaseDurationSeconds": self._lease_seconds, "renewTime": now}
        if not self._acquired:
            spec["acquireTime"] = now
        try:
            self._server.patch(self._path, {"spec": spec}, content_type=MERGE)
        except OperationError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                self._warn(f"cannot renew the Lease: {error}")
            return min(self._back_off.next(), period)
        self._fault = None
        self._back_off.succeeded()
        if skew != self._server.skew and not self._acquired:
            return 0.0  # what was just written was by a clock that is wrong
        self._acquired = True
        return period * (1 - JITTER * self._random())


def micro_time(time: datetime) -> str:
    """Kubernetes' MicroTime."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
