"""Progress of long work as log records: one now and then, with the time left. Nobody watches a Job's bars."""

from collections.abc import Callable
from typing import Protocol

EVERY_SECONDS = 15.0


class Say(Protocol):
    """Takes a message and fields for structured logs."""

    def __call__(self, message: str, **fields: object) -> None: ...


class TimedLines:
    """A set of progress bars (``cli.output.Steps``). ``clock`` gives monotonic seconds."""

    def __init__(self, say: Say, clock: Callable[[], float], *, every_seconds: float = EVERY_SECONDS) -> None:
        self._say = say
        self._clock = clock
        self._every_seconds = every_seconds

    def start(self, description: str, total: int) -> Callable[..., None]:
        """Begin; what it gives is told how many more steps are done (1 by default). Says something at the end, too."""
        began = told = self._clock()
        done = 0

        def advance(steps: int = 1) -> None:
            nonlocal done, told
            before, done = done, done + steps
            now = self._clock()
            if done >= total > before:
                seconds = round(now - began, 1)
                self._say(f"{description}: done", total=total, seconds=seconds)
            elif now - told >= self._every_seconds and 0 < done < total:
                told = now
                left = round((now - began) / done * (total - done))
                self._say(f"{description}: {done}/{total}, {left} s left", done=done, total=total, secondsLeft=left)

        return advance
