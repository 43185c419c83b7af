"""Records in one SQLite database: a file, or memory while the disk takes nothing.

Rules:

* a change is one transaction; with write-ahead logging it outlives ``kill -9`` the moment it returns. ``settle`` carries it
  to the disk itself, for the case that power fails: that takes long and is for other threads than the one that analyses;
* numbers of records only grow, also over restarts, so "up to here" is a place in the queue for ever;
* all methods but ``settle`` are called by one thread at a time, and raise ``sqlite3.Error``.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_VERSION = 1
_TABLES = """
CREATE TABLE channel (name TEXT PRIMARY KEY, app TEXT NOT NULL, sink TEXT NOT NULL, counts TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record (number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX record_channel ON record (channel, number);
"""


class UnknownVersionError(sqlite3.DatabaseError):
    """The file is a database, but not one that this program writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The queue of an app and a sink. ``sink`` is its document in JSON, to deliver what is left after it left the schedule."""

    app: str
    key: str
    sink: str

    @property
    def name(self) -> str:
        """What the database calls it."""
        return f"{self.app} {self.key}"


@dataclass(slots=True)
class Amount:
    """What a channel holds."""

    rows: int = 0
    size_bytes: int = 0


class Store:
    """See the module.

    ``amounts`` has an entry for each channel that holds something, ``newest`` is the highest number given.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._settling = threading.Lock()
        self._writes = 0
        self._connection = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            if path is not None:
                path.chmod(0o600)  # events may hold pictures
            self._prepare()
            rows = self._connection.execute("SELECT channel, count(*), sum(length(body)) FROM record GROUP BY channel")
            self.amounts = {name: Amount(count, size) for name, count, size in rows}
            self.newest: int = self._connection.execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
        except (sqlite3.Error, OSError):
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=0", "cache_size=-512"):
            self._connection.execute(f"PRAGMA {pragma}")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise UnknownVersionError(f"version {version} of the queue, this program knows {_VERSION}")

    def channels(self) -> list[tuple[Channel, dict[str, int]]]:
        """All channels with their counts."""
        found = self._connection.execute("SELECT name, app, sink, counts FROM channel ORDER BY name")
        return [
            (Channel(app=app, key=name.rpartition(" ")[2], sink=sink), json.loads(counts))
            for name, app, sink, counts in found
        ]

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing of what is done inside, on disk and in ``amounts``."""
        before = {name: Amount(amount.rows, amount.size_bytes) for name, amount in self.amounts.items()}
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self.amounts = before
            with suppress(sqlite3.Error):  # it has rolled back by itself
                self._connection.execute("ROLLBACK")
            raise
        self._writes += 1

    def keep(self, channel: Channel, counts: Mapping[str, int]) -> None:
        """Write a channel and its counts down; within ``change``."""
        self._connection.execute(
            "INSERT INTO channel VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET sink=excluded.sink, counts=excluded.counts",
            (channel.name, channel.app, channel.sink, json.dumps(counts)),
        )

    def append(self, channel: str, body: bytes) -> None:
        """Add a record at the end; within ``change``."""
        cursor = self._connection.execute("INSERT INTO record (channel, body) VALUES (?, ?)", (channel, body))
        amount = self.amounts.setdefault(channel, Amount())
        amount.rows += 1
        amount.size_bytes += len(body)
        self.newest = max(self.newest, cursor.lastrowid or 0)

    def first(self, channel: str, *, after: int = 0) -> int | None:
        """Number of a channel's oldest record whose number is above ``after``."""
        found = self._connection.execute(
            "SELECT min(number) FROM record WHERE channel=? AND number>?", (channel, after)
        ).fetchone()
        return None if found is None else found[0]

    def bodies(self, channel: str) -> list[bytes]:
        """All records of a channel, in order."""
        found = self._connection.execute("SELECT body FROM record WHERE channel=? ORDER BY number", (channel,))
        return [bytes(body) for (body,) in found]

    def body(self, number: int) -> bytes:
        """A record."""
        return bytes(self._connection.execute("SELECT body FROM record WHERE number=?", (number,)).fetchone()[0])

    def remove(self, channel: str, *, up_to: int) -> int:
        """Remove a channel's records up to a number, that one too; how many they were. Within ``change``."""
        of = (channel, up_to)
        rows, size = self._connection.execute(
            "SELECT count(*), ifnull(sum(length(body)), 0) FROM record WHERE channel=? AND number<=?", of
        ).fetchone()
        if rows:
            self._connection.execute("DELETE FROM record WHERE channel=? AND number<=?", of)
            amount = self.amounts[channel]
            amount.rows -= rows
            amount.size_bytes -= size
        return int(rows)

    def forget(self, channel: str) -> None:
        """Remove a channel with all it holds; within ``change``."""
        self._connection.execute("DELETE FROM record WHERE channel=?", (channel,))
        self._connection.execute("DELETE FROM channel WHERE name=?", (channel,))
        self.amounts.pop(channel, None)

    def settle(self, *, least_writes: int) -> None:
        """Carry what was written to the disk itself, from any thread, if there were so many changes; faults show elsewhere."""
        if self._writes < least_writes or not self._settling.acquire(blocking=False):
            return
        try:
            if self._path is None:
                return
            self._writes = 0
            with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            self._settling.release()

    def close(self) -> None:
        """Close the database; waits for a ``settle`` under way."""
        with self._settling:
            self._path = None
            self._connection.close()
