"""How long to wait before the next attempt: twice as long each time, with jitter, so that cameras on one switch that lost
power together are not asked by all runners at the same moment."""

from collections.abc import Callable

FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0


class BackOff:
    """Waits of one stream. ``random`` gives numbers in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._attempts = 0

    def next(self) -> float:
        """Seconds to wait now: between half and all of ``FIRST_SECONDS`` x 2^attempts, at most ``MOST_SECONDS``."""
        longest = min(FIRST_SECONDS * 2.0**self._attempts, MOST_SECONDS)
        self._attempts += 1
        return longest * (0.5 + self._random() / 2)

    def succeeded(self) -> None:
        """The next wait is a short one again."""
        self._attempts = 0
