"""Waiting for what a real cluster does in its own time."""

import time
from collections.abc import Callable
from typing import Any

ENOUGH_SECONDS = 240.0
"""On a machine that has much else to do; what goes wrong takes as long to be said."""


def eventually(
    what: str, check: Callable[[], Any], *, seconds: float = ENOUGH_SECONDS, why: Callable[[], str] = str
) -> Any:
    """The first true answer of ``check``; fails after that time with what ``why`` says."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s\n{why()}"
        time.sleep(0.05)
