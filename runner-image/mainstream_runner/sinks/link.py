"""The seam between a delivery and what it delivers to: a broker, a receiver of webhooks."""

from collections.abc import Mapping
from typing import Any, Protocol

from mainstream.errors import OperationError


class SinkAwayError(OperationError):
    """Nothing can be delivered now; the record stays queued and is sent again.

    ``retry_after_seconds`` is the least that the receiver asked to wait. Never holds a credential.
    """

    def __init__(self, problem: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds


class RecordRefusedError(OperationError):
    """This very record will never be taken; it is dropped and counted, so that those behind it get through."""


class Link(Protocol):
    """A connection to a sink. Only the thread of its delivery uses it."""

    def open(self) -> bool:
        """Connect, if that is not so yet; ``SinkAwayError``. True if the sink is known to be there now."""
        ...

    def send(self, body: bytes, record: Mapping[str, Any], *, fresh: bool) -> None:
        """Return when the sink acknowledged ``body``, which is ``record`` in JSON; ``SinkAwayError``, ``RecordRefusedError``.

        ``fresh`` is False for a record of an earlier process: it says nothing about what is the case now.
        """
        ...

    def retire(self) -> None:
        """Take back what was published to stay (discovery, state), for the app is gone; ``SinkAwayError``."""
        ...

    def close(self) -> None:
        """Say goodbye if that is possible, and disconnect. Never raises; may be called twice."""
        ...
