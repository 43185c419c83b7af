"""The frames that wait for the engine: a short queue for each reading thread, between it and the engine's thread."""

from collections import deque
from threading import Condition

from mainstream_runner.ingest import Item

DEPTH = 2
"""Frames kept ready per stream: one while the engine works on another, one more against jitter of decoding."""


class Inbox:
    """Queues of at most ``DEPTH`` items, by the reader's number. ``put`` waits for room, so that nothing piles up."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Item]] = {}
        self.finished: set[int] = set()
        """Readers at their end, some of whose items may still wait. Changed with the lock held only."""
        self._closed = False
        self._woken = False
        self._state = 0
        self._changed = Condition()

    def add(self, reader: int) -> None:
        """A new reader will put items in."""
        with self._changed:
            self._queues[reader] = deque()
            self._notify()

    def remove(self, reader: int) -> None:
        """A reader whose items were all taken is forgotten."""
        with self._changed:
            del self._queues[reader]
            self.finished.discard(reader)
            self._notify()

    def put(self, item: Item) -> bool:
        """Wait for room and put the item in; False if the inbox was closed (the reader may stop)."""
        queue = self._queues[item.reader]
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(queue) < DEPTH)
            if self._closed:
                return False
            queue.append(item)
            self._notify()
        return True

    def finish(self, reader: int) -> None:
        """Nothing more will come from the reader."""
        with self._changed:
            self.finished.add(reader)
            self._notify()

    def close(self) -> None:
        """Nobody takes items any more."""
        with self._changed:
            self._closed = True
            self._notify()

    def wake(self) -> None:
        """Let the waiting thread look around."""
        with self._changed:
            self._woken = True
            self._notify()

    def heads(self, seconds: float) -> list[Item] | None:
        """Every reader's next item, after waiting until each has one or is finished; empty when all are over.

        None if that took longer than ``seconds``, or if ``wake`` was called.
        """
        with self._changed:
            heads = self._heads()
            if heads is None:
                self._changed.wait_for(lambda: self._woken or self._heads() is not None, seconds)
                heads = self._heads()
            self._woken = False
            return heads

    def heads_now(self) -> tuple[list[Item] | None, int]:
        """The next items of the readers that have one now (None when all are over), and the state's number."""
        with self._changed:
            heads = [queue[0] for queue in self._queues.values() if queue]
            more = heads or len(self.finished) < len(self._queues)
            return (heads if more else None), self._state

    def over(self, reader: int) -> bool:
        """Whether the reader is finished and all its items were taken."""
        with self._changed:
            return reader in self.finished and not self._queues[reader]

    def wait(self, state: int, seconds: float) -> None:
        """Wait until the state is another one than ``state``, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != state, seconds)

    def take(self, item: Item) -> None:
        """Remove a reader's next item."""
        with self._changed:
            taken = self._queues[item.reader].popleft()
            assert taken is item  # noqa: S101 - one thread takes, so a head stays until it is taken
            self._notify()

    def _heads(self) -> list[Item] | None:
        heads = []
        for reader, queue in self._queues.items():
            if queue:
                heads.append(queue[0])
            elif reader not in self.finished:
                return None
        return heads

    def _notify(self) -> None:
        self._state += 1
        self._changed.notify_all()
