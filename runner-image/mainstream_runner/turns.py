"""Who may use the engine's cores: frames come first, whatever else runs a graph does it between two of them."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from mainstream_runner.clock import Clock


class EngineTurns:
    """Turns of the loop and of a thread that makes a new schedule's graphs warm.

    Side by side on the same cores the two would take more than twice as long each: their threads wait for one another busily.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()

    def of_a_frame(self) -> AbstractContextManager[object]:
        """A frame's call; it waits for one run between frames at most."""
        return self._lock

    @contextmanager
    def between_frames(self) -> Iterator[None]:
        """One run; the engine is left alone afterwards for as long as the run took, so that frames never wait for two."""
        with self._lock:
            began = self._clock.seconds()
            yield
            took = self._clock.seconds() - began
        time.sleep(took)
