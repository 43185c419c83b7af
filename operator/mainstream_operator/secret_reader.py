"""Secrets that people made, read by name and remembered for a moment: the operator may not list or watch them."""

import threading
from collections.abc import Callable, Iterable

import structlog

from mainstream_operator import kinds
from mainstream_operator.client import Api, ApiError, ObjectKey
from mainstream_operator.credentials import SecretKey, Secrets, Values, decoded

REMEMBERED_SECONDS = 20.0
"""Longer, and a changed password would reach the box late; shorter, and 3,000 apps would ask for theirs all the time."""

log = structlog.stdlib.get_logger(__name__)


class SecretReader:
    """See the module. ``clock`` is monotonic seconds. For several threads."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api, self._clock = api, clock
        self._known: dict[SecretKey, tuple[float, Values | None]] = {}
        self._lock = threading.Lock()

    def values(self, key: SecretKey) -> Values | None:
        """Its values; None if it is not there or may not be read. ``ApiError`` if the API server does not say."""
        now = self._clock()
        with self._lock:
            known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        try:
            body = self._api.get(ObjectKey(kinds.SECRET, key.namespace, key.name))
        except ApiError as error:
            if error.status != 403:
                raise
            log.warning("a Secret may not be read", secret=str(key), error=error.message)
            body = None
        values = None if body is None else decoded(body)
        with self._lock:
            self._known[key] = (now + REMEMBERED_SECONDS, values)
        return values

    def all(self, keys: Iterable[SecretKey]) -> Secrets:
        """Of several."""
        return {key: self.values(key) for key in keys}

    def forget_old(self) -> None:
        """Those that are asked for anew anyway: values are kept no longer than needed."""
        now = self._clock()
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if now < known[0]}
