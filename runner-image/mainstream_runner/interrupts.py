"""Ctrl-C and SIGTERM end a run between two frames, with its summary; a second one ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


class Interrupt:
    """Whether a signal came. ``stop`` is set then; ``exit_status`` is what a shell expects, 128 and the signal's number."""

    def __init__(self) -> None:
        self.stop = Event()
        self.exit_status = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """The handler."""
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.exit_status = 128 + number
        self.stop.set()


@contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Catch both signals while the block runs; the old handlers come back after it."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
