"""Which objects are to be looked at, and when. Pure: the clock is passed in.

Changes that come together cause one look: it waits until nothing came for an idle time, at most for a longest time (as
Karpenter's batcher does). An object whose look failed is looked at again at growing intervals and holds up nobody else. Where
there is more to do than can be done, what others depend on comes first. An object is never looked at twice at the same time.
"""

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 120.0

Key = TypeVar("Key", bound=Hashable)


FOLLOW_SECONDS = 30.0
"""What only follows from another look waits so long for what is due after it: where hundreds change, it is looked at once."""
PERSON_SECONDS = 30.0
"""What a person changed goes before what was due so long before it: an operator that has just begun looks at everything."""


@dataclass(slots=True)
class _Entry:
    first: float | None = None
    last: float = 0.0
    at: float | None = None
    """A look that was asked for at a time."""
    retry: float | None = None
    failures: int = 0
    busy: bool = False
    behind: float = 0.0
    """How long it lets others go before it."""
    due: float | None = None


class Queue(Generic[Key]):
    """See the module. Times are seconds of one monotonic clock. Not for several threads at once: its user locks.

    ``window`` says of a key how long it waits for more: without a change, and at most.
    """

    def __init__(self, window: Callable[[Key], tuple[float, float]]) -> None:
        self._window = window
        self._entries: dict[Key, _Entry] = {}
        self._heaps: dict[float, list[tuple[float, int, Key]]] = {-PERSON_SECONDS: [], 0.0: [], FOLLOW_SECONDS: []}
        """By how long their keys let others go before; each by when its keys are due."""
        self._count = 0

    def changed(self, key: Key, now: float, *, forgive: bool = False, follows: bool = False) -> None:
        """Something about it changed; ``forgive``: a person did it, so earlier failures count no more.

        ``follows``: the change is what another look came to, and nothing depends on it.
        """
        entry = self._entries.setdefault(key, _Entry())
        behind = -PERSON_SECONDS if forgive else FOLLOW_SECONDS if follows else 0.0
        if entry.first is not None:
            behind = min(behind, entry.behind)
        if behind != entry.behind:
            entry.behind, entry.due = behind, None
        if forgive:
            entry.failures, entry.retry = 0, None
        if entry.first is None:
            entry.first = now
        entry.last = now
        self._schedule(key, entry)

    def again(self, key: Key, at: float) -> None:
        """Look at it at that time, at the latest."""
        entry = self._entries.setdefault(key, _Entry())
        entry.at = at if entry.at is None else min(entry.at, at)
        self._schedule(key, entry)

    def take(self, now: float) -> Key | None:
        """One that is due, the longest due first but for ``behind``; the caller says ``done`` or ``failed`` afterwards."""
        due = [(heap[0][0] + behind, heap) for behind, heap in self._sound() if heap[0][0] <= now]
        if not due:
            return None
        _, heap = min(due, key=lambda one: one[0])
        _, _, key = heapq.heappop(heap)
        entry = self._entries[key]
        entry.first = entry.at = entry.retry = entry.due = None
        entry.busy, entry.behind = True, 0.0
        return key

    def done(self, key: Key) -> None:
        """The look went well."""
        entry = self._entries[key]
        entry.busy, entry.failures = False, 0
        self._settle(key, entry)

    def failed(self, key: Key, now: float, *, longest: float = LONGEST_RETRY_SECONDS) -> float:
        """It did not: it is tried again after that many seconds, at most ``longest``, however often it changes meanwhile."""
        entry = self._entries[key]
        entry.busy = False
        wait = min(FIRST_RETRY_SECONDS * 2.0 ** min(entry.failures, 30), longest)
        entry.failures += 1
        entry.retry = now + wait
        self._settle(key, entry)
        return wait

    def next_at(self) -> float | None:
        """When the next look is due; None if nothing waits."""
        return min((heap[0][0] for _, heap in self._sound()), default=None)

    def depth(self) -> int:
        """How many changed, or failed, and wait for their look, or are looked at."""
        entries = self._entries.values()
        return sum(entry.busy or entry.first is not None or entry.retry is not None for entry in entries)

    def _sound(self) -> Iterator[tuple[float, list[tuple[float, int, Key]]]]:
        """The heaps that hold something; what was put off, or is looked at, is no longer at their head."""
        for behind, heap in self._heaps.items():
            while heap and not self._waits(*heap[0]):
                heapq.heappop(heap)
            if heap:
                yield behind, heap

    def _waits(self, due: float, _count: int, key: Key) -> bool:
        entry = self._entries.get(key)
        return entry is not None and not entry.busy and entry.due == due

    def _settle(self, key: Key, entry: _Entry) -> None:
        if entry.first is None and entry.at is None and entry.retry is None:
            del self._entries[key]
        else:
            self._schedule(key, entry)

    def _schedule(self, key: Key, entry: _Entry) -> None:
        if entry.busy:
            return
        idle, most = self._window(key)
        times = [] if entry.first is None else [min(entry.last + idle, entry.first + most)]
        times += [] if entry.at is None else [entry.at]
        due = min(times, default=None)
        if entry.retry is not None:
            due = entry.retry if due is None else max(due, entry.retry)
        if due is not None and due != entry.due:
            entry.due = due
            self._count += 1
            heapq.heappush(self._heaps[entry.behind], (due, self._count, key))
