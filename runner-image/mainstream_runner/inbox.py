"""The frames that wait for the engine: a short queue for each stream, between the reading threads and the engine's."""

from collections import deque
from threading import Condition

from mainstream_runner.ingest import Prepared

DEPTH = 2
"""Frames kept ready per stream: one while the engine works on another, one more against jitter of decoding."""


class Inbox:
    """Queues of at most ``DEPTH`` frames. ``put`` waits for room, so that nothing piles up."""

    def __init__(self, streams: int) -> None:
        self._queues: tuple[deque[Prepared], ...] = tuple(deque() for _ in range(streams))
        self._open = [True] * streams
        self._closed = False
        self._state = 0
        self._changed = Condition()

    def put(self, item: Prepared) -> bool:
        """Wait for room and put the frame in; False if the inbox was closed (the reader may stop)."""
        queue = self._queues[item.stream]
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(queue) < DEPTH)
            if self._closed:
                return False
            queue.append(item)
            self._notify()
        return True

    def finish(self, stream: int) -> None:
        """No more frames will come from the stream."""
        with self._changed:
            self._open[stream] = False
            self._notify()

    def close(self) -> None:
        """Nobody takes frames any more."""
        with self._changed:
            self._closed = True
            self._notify()

    def heads(self) -> list[Prepared]:
        """Every stream's next frame, after waiting until each stream has one or is finished; empty when all are over."""
        with self._changed:
            self._changed.wait_for(
                lambda: all(queue or not more for queue, more in zip(self._queues, self._open, strict=True))
            )
            return [queue[0] for queue in self._queues if queue]

    def heads_now(self) -> tuple[list[Prepared] | None, int]:
        """The next frames of the streams that have one now (None when all streams are over), and the state's number."""
        with self._changed:
            heads = [queue[0] for queue in self._queues if queue]
            return (heads if heads or any(self._open) else None), self._state

    def over(self, stream: int) -> bool:
        """Whether the stream is finished and all its frames were taken."""
        with self._changed:
            return not self._open[stream] and not self._queues[stream]

    def wait(self, state: int, seconds: float) -> None:
        """Wait until the state is another one than ``state``, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != state, seconds)

    def take(self, item: Prepared) -> None:
        """Remove a stream's next frame."""
        with self._changed:
            taken = self._queues[item.stream].popleft()
            assert taken is item  # noqa: S101 - one thread takes, so a head stays until it is taken
            self._notify()

    def _notify(self) -> None:
        self._state += 1
        self._changed.notify_all()
