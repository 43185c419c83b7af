"""A thread that brings the records of one sink to it: in order, at least once, however long it is away.

It sends a record, waits for the acknowledgement, removes the record, goes on. A sink that is away is tried again after a pause
that doubles, with jitter; what comes meanwhile does not shorten the pause, or a busy app would hammer a broker that is down. A
sink that is there gets what is new at once. No record is held but the one that is sent.
"""

import threading
from collections.abc import Callable, Iterable

from mainstream_runner.backoff import BackOff
from mainstream_runner.clock import Clock
from mainstream_runner.sinks.link import Link, RecordRefusedError, SinkAwayError
from mainstream_runner.sinks.queue import Entry, Queue
from mainstream_runner.sinks.store import Channel

Wait = Callable[[threading.Event, float | None], bool]
"""``threading.Event.wait``, or a test's own: return when the event is set or the seconds are over."""

ASKED_SECONDS = 3600.0
"""A receiver that asks for more patience (Retry-After) than this is asked again all the same."""

_BUSY_WRITES = 500
"""So many records at a stretch, then they are carried to the disk in passing; the log beside the database stays small."""


class Delivery:
    """See the module. ``link`` makes the connection's keeper; it is given what to call when the connection is lost."""

    def __init__(
        self,
        channels: Iterable[Channel],
        *,
        queue: Queue,
        link: Callable[[Callable[[], None]], Link],
        back_off: BackOff,
        clock: Clock,
        wait: Wait = threading.Event.wait,
        finished: "Callable[[Delivery], None]" = lambda _delivery: None,
    ) -> None:
        """``finished`` is called, in the delivery's thread, when it has ended because it was to ``leave``."""
        self.channels = frozenset(channels)
        self._queue, self._back_off, self._clock, self._wait, self._finished = queue, back_off, clock, wait, finished
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._link = link(self._wake.set)
        self._deadline: float | None = None
        self._leaving = False
        self._after: tuple[Delivery, ...] = ()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self.fault: str | None = None
        self.refusal: str | None = None

    def start(self, *, after: "Iterable[Delivery]" = ()) -> None:
        """Begin; but not before those have ended that still send some of these records."""
        self._after = tuple(after)
        self._thread.start()

    def wake(self) -> None:
        """Something new is queued."""
        self._wake.set()

    def leave(self, seconds: float) -> None:
        """Deliver what is queued, take back what was published to stay, then end; for so many seconds at most."""
        self._leaving = True
        self._end_in(seconds)

    def stop(self, seconds: float) -> None:
        """Deliver what is queued for so many seconds at most, then end; the rest stays queued. Returns at once."""
        self._leaving = False
        self._end_in(seconds)

    def join(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, so many seconds at most; whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _end_in(self, seconds: float) -> None:
        self._deadline = self._clock.seconds() + seconds
        self._hurry.set()
        self._wake.set()

    def _run(self) -> None:
        for earlier in self._after:
            earlier.join()
        self._after = ()
        done = False
        while not done and not self._is_over():
            try:
                done = self._step()
            except SinkAwayError as error:
                self._pause(error.problem, error.retry_after_seconds)
            except Exception as error:  # noqa: BLE001  # the thread's top loop: a fault of ours must not end a sink for years
                self._pause(f"internal error: {type(error).__name__}", 0.0)
        self._link.close()
        if self._leaving:
            self._finished(self)

    def _step(self) -> bool:
        """Deliver what is queued, or wait for more; True if it is to end and has nothing to do any more."""
        self._wake.clear()
        there = self._link.open()
        entry = self._queue.peek(self.channels)
        if entry is not None:
            self._deliver(entry)
            self._queue.settle(least_writes=_BUSY_WRITES)
            return False
        if (
            there
        ):  # with something to send, only its acknowledgement tells: a broker may connect and then refuse the topic
            self._succeeded()
        if self._deadline is not None:
            if self._leaving:
                self._link.retire()
            return True
        self._queue.settle()
        self._wait(self._wake, None)
        return False

    def _deliver(self, entry: Entry) -> None:
        try:
            self._link.send(entry.body, entry.record, fresh=entry.fresh)
        except RecordRefusedError as error:
            self.refusal = error.problem
            self._queue.refuse(entry)
        else:
            self._queue.acknowledge(entry)
        self._succeeded()

    def _succeeded(self) -> None:
        self.fault = None
        self._back_off.succeeded()

    def _pause(self, fault: str, least_seconds: float) -> None:
        self.fault = fault
        self._queue.settle()
        seconds = max(self._back_off.next(), min(least_seconds, ASKED_SECONDS))
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - self._clock.seconds()))
        if self._wait(self._hurry, seconds):
            self._hurry.clear()

    def _is_over(self) -> bool:
        return self._deadline is not None and self._clock.seconds() >= self._deadline
