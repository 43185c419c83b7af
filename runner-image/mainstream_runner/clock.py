"""The clocks that a run goes by: passed in, so that tests have their own."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the loop gets its times from."""

    def seconds(self) -> float:
        """Monotonic seconds."""
        ...

    def utc(self) -> datetime: ...


class SystemClock:
    """The machine's clocks."""

    def seconds(self) -> float:
        """Monotonic seconds."""
        return time.perf_counter()

    def utc(self) -> datetime:
        """Now, UTC."""
        return datetime.now(UTC)
