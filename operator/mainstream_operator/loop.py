"""The loop: threads that look at what is due, each object by itself, so that one that fails holds up no other."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from mainstream_operator.client import ApiError
from mainstream_operator.known import Key
from mainstream_operator.nodes import RefusedError
from mainstream_operator.trigger import LONGEST_RETRY_SECONDS, Queue

WORKERS = 6
AWAY_RETRY_SECONDS = 10.0
"""An API server that was away is not the object's fault: once it is back, everything is looked at soon."""
LOOK_SECONDS = 1.0
"""A worker that has nothing to do comes round so often."""
STUCK_SECONDS = 180.0
"""A look that takes longer hangs: reading and writing have time-outs, solving has a deadline."""

log = structlog.stdlib.get_logger(__name__)

Look = Callable[[str], float | None]
"""Looks at an object by name; after how many seconds to look again, None: at the next resync."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What the loop is told: ``clock`` is monotonic seconds; ``looked`` hears of each look's kind, seconds and outcome."""

    clock: Callable[[], float]
    exists: Callable[[Key], bool]
    looked: Callable[[str, float, str], None]
    chance: Callable[[], float] = random.random


class Loop:
    """See the module."""

    def __init__(
        self,
        looks: Mapping[str, Look],
        *,
        window: Callable[[Key], tuple[float, float]],
        resync_seconds: float,
        seams: Seams,
        workers: int = WORKERS,
    ) -> None:
        self._looks, self._resync, self._seams = looks, resync_seconds, seams
        self._queue: Queue[Key] = Queue(window)
        self._condition = threading.Condition()
        self._stopped = False
        self._since: dict[str, float | None] = {}
        self._threads = [threading.Thread(target=self._work, name=f"look-{n}", daemon=True) for n in range(workers)]

    def changed(self, keys: Iterable[Key], *, forgive: bool = False, follows: bool = False) -> None:
        """Something about these changed; ``forgive`` and ``follows`` as ``Queue.changed`` has them."""
        with self._condition:
            now = self._seams.clock()
            for key in keys:
                self._queue.changed(key, now, forgive=forgive, follows=follows)
            self._condition.notify_all()

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def halt(self) -> None:
        """Begin no look any more."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def stop(self, seconds: float) -> None:
        """End after the looks that are under way, waiting for each at most so long."""
        self.halt()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    def stuck(self) -> str | None:
        """Which worker hangs or has died, None if none has: then a restart is the remedy."""
        now = self._seams.clock()
        for thread in self._threads:
            if thread.ident is not None and not thread.is_alive() and not self._stopped:
                return f"worker {thread.name} has ended"
            since = self._since.get(thread.name)
            if since is not None and now - since > STUCK_SECONDS:
                return f"worker {thread.name} has been at one object for {now - since:.0f} s"
        return None

    def depth(self) -> int:
        """How many objects changed, or failed, and wait for their look, or are looked at."""
        with self._condition:
            return self._queue.depth()

    def _work(self) -> None:
        name = threading.current_thread().name
        while True:
            with self._condition:
                if self._stopped:
                    return
                now = self._seams.clock()
                key = self._queue.take(now)
                if key is None:
                    at = self._queue.next_at()
                    self._condition.wait(LOOK_SECONDS if at is None else min(max(at - now, 0.0), LOOK_SECONDS))
                    continue
                self._since[name] = now
            self._look(key, now)
            self._since[name] = None

    def _look(self, key: Key, begin: float) -> None:
        outcome, again, longest = "done", None, LONGEST_RETRY_SECONDS
        try:
            again = self._looks[key.kind](key.name)
        except (ApiError, RefusedError) as error:
            outcome = "refused" if isinstance(error, RefusedError) else "failed"
            if isinstance(error, ApiError) and (error.status == 0 or error.status >= 500):
                longest = AWAY_RETRY_SECONDS
            log.warning("a look failed", object=f"{key.kind} {key.name}", error=str(error))
        except Exception:  # a fault of ours with one object must not end the looks at all others
            outcome = "crashed"
            log.exception("a look crashed", object=f"{key.kind} {key.name}")
        now = self._seams.clock()
        self._seams.looked(key.kind, now - begin, outcome)
        with self._condition:
            if outcome == "done":
                self._queue.done(key)
            else:
                self._queue.failed(key, now, longest=longest)
            if again is not None:
                self._queue.again(key, now + again)
            if self._seams.exists(key):
                self._queue.again(key, now + self._resync * (0.9 + 0.2 * self._seams.chance()))
            self._condition.notify()
