"""What is still to be delivered: a durable queue for each app and sink, all in one SQLite file, bounded.

Rules:

* what ``append`` returned from outlives ``kill -9``; what ``acknowledge`` returned from is not sent again;
* a queue that is full loses its oldest record, and counts it; counts are as durable as records;
* a disk that is full never stops the runner: records wait in memory instead (bounded, oldest lost first and counted) and are
  carried over when there is room; what is acknowledged meanwhile is remembered, so it is not sent over and over;
* a file that is damaged is moved aside and begun anew, with a message; what it held is counted as lost.

Any thread may call any method. None but the constructor raises.
"""

import json
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainstream_runner.sinks.disk import Disk
from mainstream_runner.sinks.store import Amount, Channel, Store

DELIVERED = "Delivered"
QUEUE_FULL = "QueueFull"
NOT_STORED = "NotStored"
TOO_LARGE = "TooLarge"
REFUSED = "Refused"
DAMAGED = "Damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a queue holds."""

    rows: int = 10_000
    size_bytes: int = 32 << 20


MEMORY = Limits(rows=100, size_bytes=2 << 20)
"""Of each queue, while the disk takes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The record that is next. ``fresh`` is False if an earlier process wrote it."""

    channel: Channel
    number: int
    body: bytes
    record: dict[str, Any]
    fresh: bool
    store: Store = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A queue now, and since it was first made; ``dropped`` by reason."""

    queued: int
    delivered: int
    dropped: dict[str, int]


@dataclass(slots=True)
class _Undeleted:
    """Records on the disk that are done with, but could not be removed from it."""

    up_to: int = 0
    rows: int = 0


class Queue:
    """See the module."""

    def __init__(self, path: Path, *, say: Callable[[str], None], limits: Limits | None = None) -> None:
        """``InputError`` if the folder ``path`` cannot be used or another process uses it. ``say`` takes messages for a log."""
        self._say, self._limits = say, limits or Limits()
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._undeleted: dict[str, _Undeleted] = {}
        self._closed = False
        self._disk = Disk(path, opened=self._opened, begun=self._begun, say=say)
        self._memory = Store(None)
        folder = self._disk.folder
        self.identity = folder.identity if folder else secrets.token_hex(16)

    @property
    def fault(self) -> str | None:
        """Why records wait in memory; None if they do not."""
        return self._disk.fault

    def channels(self) -> list[Channel]:
        """All queues that there are, those of earlier processes too."""
        with self._lock:
            return list(self._channels.values())

    def register(self, channel: Channel) -> None:
        """Make a queue, or take over the one of an earlier process; it comes before ``append``."""
        with self._lock:
            self._channels[channel.name] = channel
            self._counts.setdefault(channel.name, Counter())
            self._disk.write(lambda disk: disk.keep(channel, self._counts[channel.name]))

    def forget(self, channel: Channel) -> None:
        """Remove a queue with all that it holds."""
        with self._lock:
            if self._closed or channel.name not in self._channels:
                return
            self._disk.write(lambda disk: disk.forget(channel.name))
            with self._memory.change():
                self._memory.forget(channel.name)
            for of in (self._channels, self._counts, self._undeleted):
                of.pop(channel.name, None)

    def append(self, channel: Channel, body: bytes) -> None:
        """Add a record (JSON) at the end. A fault is counted, and ``fault`` says it."""
        with self._lock:
            name = channel.name
            if self._closed or name not in self._channels:
                return
            if len(body) > self._limits.size_bytes:
                self._counts[name][TOO_LARGE] += 1
                self._disk.write(lambda disk: disk.keep(channel, self._counts[name]))
                return
            self._carry_over(name)
            if name in self._memory.amounts or not self._add(name, [body]):
                with self._memory.change():
                    lost = _fit(self._memory, name, [body], MEMORY)
                self._counts[name][NOT_STORED] += lost

    def peek(self, channels: Iterable[Channel]) -> Entry | None:
        """The oldest record of some queues; it stays where it is."""
        names = [channel.name for channel in channels]
        while True:
            with self._lock:
                entry = None if self._closed else self._first(names)
            if entry is None:
                return None
            try:
                record = json.loads(entry.body)
            except ValueError:
                record = None
            if isinstance(record, dict):
                entry.record.update(record)
                return entry
            self._finish(entry, DAMAGED)  # a page that is damaged in a way that SQLite cannot tell

    def acknowledge(self, entry: Entry) -> None:
        """The record was delivered: remove it."""
        self._finish(entry, DELIVERED)

    def refuse(self, entry: Entry) -> None:
        """The record will never be taken: remove it and count that."""
        self._finish(entry, REFUSED)

    def counts(self, channel: Channel) -> Counts:
        """What a queue holds, and what became of the rest."""
        name = channel.name
        with self._lock:
            stores = (self._disk.store, self._memory)
            held = sum(store.amounts[name].rows for store in stores if store is not None and name in store.amounts)
            counts = dict(self._counts.get(name, {}))
            delivered = counts.pop(DELIVERED, 0)
            queued = held - (self._undeleted[name].rows if name in self._undeleted else 0)
            return Counts(queued=queued, delivered=delivered, dropped={key: n for key, n in counts.items() if n})

    def settle(self, *, least_writes: int = 1) -> None:
        """Carry what came since to the disk itself, so that it outlives a power cut; takes as long as the disk takes."""
        with self._lock:
            if self._closed:
                return
            for name in list(self._memory.amounts):
                self._carry_over(name)
            store = self._disk.store
        if store is not None:
            store.settle(least_writes=least_writes)

    def close(self) -> None:
        """Close the file and let another process use the folder."""
        with self._lock:
            if self._closed:
                return
            for name in list(self._memory.amounts):
                self._carry_over(name)
            if lost := sum(amount.rows for amount in self._memory.amounts.values()):
                self._say(f"{lost} records that waited in memory are lost: {self.fault}")
            self._closed = True
            self._disk.close()
            self._memory.close()

    # All below is called with the lock held, or by the constructor.

    def _opened(self, store: Store) -> None:
        for channel, counts in store.channels():
            self._channels.setdefault(channel.name, channel)
            self._counts[channel.name] = Counter(counts) | self._counts.get(channel.name, Counter())

    def _begun(self, store: Store, held: Mapping[str, Amount]) -> None:
        self._undeleted.clear()
        for name, amount in held.items():
            self._counts.setdefault(name, Counter())[DAMAGED] += amount.rows
        with store.change():
            for name, channel in self._channels.items():
                store.keep(channel, self._counts.setdefault(name, Counter()))

    def _add(self, name: str, bodies: list[bytes]) -> bool:
        lost = 0

        def add(disk: Store) -> None:
            nonlocal lost
            if name in self._undeleted:
                disk.remove(name, up_to=self._undeleted[name].up_to)
            lost = _fit(disk, name, bodies, self._limits)
            disk.keep(self._channels[name], self._counts[name] + Counter({QUEUE_FULL: lost}))

        if not self._disk.write(add):
            return False
        self._counts[name][QUEUE_FULL] += lost
        self._undeleted.pop(name, None)
        return True

    def _carry_over(self, name: str) -> None:
        if name in self._memory.amounts and self._add(name, self._memory.bodies(name)):
            with self._memory.change():
                self._memory.forget(name)

    def _first(self, names: list[str]) -> Entry | None:
        for store in (self._disk.store, self._memory):
            if store is None:
                continue
            found = []
            try:
                for name in names:
                    done = self._undeleted[name].up_to if store is not self._memory and name in self._undeleted else 0
                    if (number := store.first(name, after=done)) is not None:
                        found.append((number, name))
                if found:
                    number, name = min(found)
                    fresh = store is self._memory or number > self._disk.old
                    return Entry(
                        channel=self._channels[name],
                        number=number,
                        body=store.body(number),
                        record={},
                        fresh=fresh,
                        store=store,
                    )
            except sqlite3.Error as error:
                self._disk.recovered(error)
        return None

    def _finish(self, entry: Entry, outcome: str) -> None:
        name, number, store = entry.channel.name, entry.number, entry.store
        with self._lock:
            if self._closed or name not in self._channels or store not in {self._disk.store, self._memory}:
                return
            try:
                if store.first(name, after=number - 1) != number:
                    return  # the queue was full meanwhile, and this was its oldest
            except sqlite3.Error as error:
                self._disk.recovered(error)
                return
            self._counts[name][outcome] += 1
            if store is self._memory:
                with store.change():
                    store.remove(name, up_to=number)
                if not store.amounts[name].rows:
                    del store.amounts[name]
            elif self._disk.write(lambda disk: _done(disk, entry, self._counts[name])):
                self._undeleted.pop(name, None)
            else:
                undeleted = self._undeleted.setdefault(name, _Undeleted())
                undeleted.up_to = number
                undeleted.rows += 1


def _done(disk: Store, entry: Entry, counts: Mapping[str, int]) -> None:
    if disk is entry.store:  # else it was found damaged at this very moment
        disk.remove(entry.channel.name, up_to=entry.number)
    disk.keep(entry.channel, counts)


def _fit(store: Store, name: str, bodies: list[bytes], limits: Limits) -> int:
    """Append records and remove the oldest until all fit; how many were removed. Within ``change``."""
    lost = 0
    for body in bodies:
        store.append(name, body)
    amount = store.amounts[name]
    while amount.rows > limits.rows or amount.size_bytes > limits.size_bytes:
        oldest = store.first(name)
        assert oldest is not None  # noqa: S101  # it holds more than its limit
        lost += store.remove(name, up_to=oldest)
    return lost
