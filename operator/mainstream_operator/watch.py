"""Reflector: a copy of what the operator made, kept up to date by a watch.

kopf watches what people write; it cannot ask the server for labels only, and what it hears of all pods of a cluster would be
too much. Rules:

* first everything is listed, then changes are watched; a watch that breaks goes on where it was, one whose place is too old
  begins with a list again, so that what was deleted meanwhile is noticed;
* nothing ends a reflector but ``stop``: a server that is away is asked again, at growing intervals.
"""

import random
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from mainstream_operator.client import Api, ApiError, Plain, Selection

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
GONE = 410

log = structlog.stdlib.get_logger(__name__)


class Mirror(Protocol):
    """What is kept of the objects."""

    def replace(self, what: Selection, bodies: Iterable[Plain]) -> None:
        """These are all there are."""
        ...

    def change(self, what: Selection, body: Plain, *, gone: bool) -> None:
        """One came, changed or went."""
        ...


class Reflector:
    """One selection of objects. ``synced`` is set once all were listed."""

    def __init__(self, api: Api, what: Selection, mirror: Mirror, stop: threading.Event) -> None:
        self.synced = threading.Event()
        self.what = what
        self._api, self._mirror, self._stop = api, mirror, stop
        self._thread = threading.Thread(target=self._run, name=f"watch-{what.kind.plural}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        patience = Patience(self._stop)
        while not self._stop.is_set():
            try:
                listed = self._api.list(self.what)
                self._mirror.replace(self.what, listed)
                self.synced.set()
                patience.reset()
                self._follow(listed.version, patience)
            except ApiError as error:
                if error.status != GONE:
                    log.warning("cannot list", kind=self.what.kind.kind, error=str(error))
                patience.wait()

    def _follow(self, version: str, patience: "Patience") -> None:
        """Until that version is too old (``ApiError``)."""
        while not self._stop.is_set():
            try:
                for happened, body in self._api.watch(self.what, version):
                    version = body["metadata"]["resourceVersion"]
                    patience.reset()
                    if happened != "BOOKMARK":
                        whole = {**body, "apiVersion": self.what.kind.api_version, "kind": self.what.kind.kind}
                        self._mirror.change(self.what, whole, gone=happened == "DELETED")
            except ApiError as error:
                if error.status == GONE:
                    raise
                log.info("a watch broke", kind=self.what.kind.kind, error=str(error))
                patience.wait()


class Patience:
    """Growing intervals with jitter, so that a server that comes back is not asked by everybody at once."""

    def __init__(self, stop: threading.Event, *, chance: Callable[[], float] = random.random) -> None:
        self._stop, self._chance, self._failures = stop, chance, 0

    def reset(self) -> None:
        """It went well."""
        self._failures = 0

    def wait(self) -> None:
        """It did not: wait, or until all is stopped."""
        self._stop.wait(pause_seconds(self._failures, self._chance()))
        self._failures += 1


def pause_seconds(failures: int, chance: float) -> float:
    """After so many failures before this one; ``chance`` is in [0, 1)."""
    longest: float = min(FIRST_SECONDS * 2.0 ** min(failures, 30), LONGEST_SECONDS)
    return longest * (0.5 + chance / 2)
