"""Patience: what may go well the next time is tried again.

Connection errors, time-outs, 429 and 5xx are, with growing pauses, with jitter, and as late as ``Retry-After`` says. What
waits can be stopped: ``pause`` waits so many seconds and answers True to give up.
"""

import random as random_numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx

from mainstream.errors import MainstreamError, OperationError, PackageError
from mainstream.packages.registry.connection import REFUSAL_BYTES, Connection, Request, read_body
from mainstream.packages.registry.credentials import Credentials
from mainstream.packages.registry.failures import is_lasting, refused, unreachable

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
"""Also of a ``Retry-After``: a registry that asks for more patience gets none."""

_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_TOKEN_BYTES = 256 << 10

Pause = Callable[[float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL


class Transport:
    """Requests to one registry, from several threads. ``random`` gives numbers in [0, 1)."""

    def __init__(
        self,
        registry: str,
        *,
        credentials: Credentials | None = None,
        ca: Path | None = None,
        insecure_http: bool = False,
        pause: Pause | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.registry = registry
        self.pause: Pause = pause or Event().wait
        self._random = random
        self._connection = Connection(
            registry,
            credentials=credentials,
            ca=ca,
            insecure_http=insecure_http,
            ask=lambda request: self.exchange(lambda: request, limit=_TOKEN_BYTES).body,
        )
        self.base = self._connection.base

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def exchange(self, make: Callable[[], Request], *, limit: int) -> Answer:
        """Send what ``make`` makes for each attempt, and read the answer of at most ``limit`` bytes.

        Errors as ``failures`` has them; ``PackageError`` if the answer is longer.
        """
        for attempt in range(ATTEMPTS):
            request = make()
            try:
                with self._sent(request) as response:
                    body = read_body(response, limit)
                    if body is None:
                        raise PackageError(
                            f"the answer has more than the {limit} bytes that it may have", where=request.where
                        )
                    return Answer(status=response.status_code, headers=response.headers, body=body, url=response.url)
            except _AgainError as again:
                self._wait(attempt, again.failure, again.seconds)
            except httpx.TransportError as error:
                self.broken(attempt, error, where=request.where)
        raise AssertionError  # the last attempt raises

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """Send, and give the answer before it is read: ``httpx.TransportError`` while reading is the caller's to handle."""
        for attempt in range(ATTEMPTS):
            sent = self._sent(request)
            try:
                response = sent.__enter__()
            except _AgainError as again:
                self._wait(attempt, again.failure, again.seconds)
            except httpx.TransportError as error:
                self.broken(attempt, error, where=request.where)
            else:
                try:
                    yield response
                finally:
                    response.close()
                return

    def broken(self, attempt: int, error: httpx.TransportError, *, where: str) -> None:
        """Wait after the ``attempt``-th broken connection, counted from 0; raises if trying again is of no use any more."""
        failure = unreachable(error, where=where, registry=self.registry)
        if is_lasting(error):
            raise failure from None
        self._wait(attempt, failure, 0.0)

    def _wait(self, attempt: int, failure: MainstreamError, at_least: float) -> None:
        longest = min(FIRST_PAUSE_SECONDS * 2.0**attempt, LONGEST_PAUSE_SECONDS)
        seconds = max(longest * (0.5 + self._random() / 2), at_least)
        if attempt + 1 >= ATTEMPTS or seconds > LONGEST_PAUSE_SECONDS:
            raise failure from None
        if self.pause(seconds):
            raise stopped()

    @contextmanager
    def _sent(self, request: Request) -> Iterator[httpx.Response]:
        response = self._connection.send(request)
        try:
            status, after = response.status_code, response.headers.get("Retry-After", "")
            if status not in request.ok:
                body = read_body(response, REFUSAL_BYTES) or b""
                failure = refused(
                    status,
                    body,
                    where=request.where,
                    registry=self.registry,
                    user=self._connection.user,
                    after=after,
                    plain=self.base.scheme == "http",
                )
                if status in _TRY_AGAIN:
                    raise _AgainError(failure, float(after) if after.isdecimal() else 0.0)
                raise failure
            yield response
        finally:
            response.close()


class _AgainError(Exception):
    """An answer after which it is worth asking again, after so many seconds."""

    def __init__(self, failure: MainstreamError, seconds: float) -> None:
        super().__init__()
        self.failure = failure
        self.seconds = seconds


def stopped() -> OperationError:
    """The error of work that was told to stop."""
    return OperationError("stopped while talking to the registry", remedy="Run it again: what was finished is kept.")
