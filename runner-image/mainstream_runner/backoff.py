"""How long to wait before the next attempt: twice as long each time, with jitter, so that cameras on one switch that lost
power together are not asked by all runners at the same moment."""

from collections.abc import Callable

FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0


class BackOff:
    """Waits of one stream. ``random`` gives numbers in [0, 1)."""

    def __init__(
        self, random: Callable[[], float], *, first_seconds: float = FIRST_SECONDS, most_seconds: float = MOST_SECONDS
    ) -> None:
        self._random = random
        self._first_seconds, self._most_seconds = first_seconds, most_seconds
        self._attempts = 0

    def next(self) -> float:
        """Seconds to wait now: between half and all of ``first_seconds`` x 2^attempts, at most ``most_seconds``."""
        longest = min(self._first_seconds * 2.0 ** min(self._attempts, 60), self._most_seconds)
        self._attempts += 1
        return longest * (0.5 + self._random() / 2)

    def succeeded(self) -> None:
        """The next wait is a short one again."""
        self._attempts = 0
