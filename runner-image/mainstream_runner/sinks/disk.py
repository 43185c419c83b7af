"""The queues' database on a disk that may be full, go away, or give back something else than was written.

What fails is told in ``fault`` and tried again with the next change. A database that is damaged is moved aside and begun anew.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from mainstream.errors import InputError, OperationError
from mainstream_runner.sinks.folder import QueueFolder
from mainstream_runner.sinks.store import Amount, Store, UnknownVersionError


class Disk:
    """See the module. ``store`` is None while there is none; ``old`` is the highest number that an earlier process gave.

    ``opened`` is called with each store that is opened, ``begun`` with a new one and with what the damaged one held; both raise
    ``sqlite3.Error``. One thread at a time.
    """

    def __init__(
        self,
        path: Path,
        *,
        opened: Callable[[Store], None],
        begun: Callable[[Store, Mapping[str, Amount]], None],
        say: Callable[[str], None],
    ) -> None:
        """``InputError`` if the folder ``path`` cannot be used or another process uses it."""
        self._path, self._opened, self._begun, self._say = path, opened, begun, say
        self.folder: QueueFolder | None = None
        self.store: Store | None = None
        self.old = 0
        self.fault: str | None = None
        try:
            self._attach()
        except OperationError as error:
            self.fault = error.problem

    def write(self, work: Callable[[Store], object]) -> bool:
        """Change the store, all of it or nothing; False, and ``fault``, if that cannot be done now."""
        for _ in range(2):  # the second time in a database that was begun anew
            try:
                store = self._attach()
                with store.change():
                    work(store)
            except (InputError, OperationError) as error:
                self.fault = error.problem
                return False
            except sqlite3.Error as error:
                if not self.recovered(error):
                    return False
            else:
                self.fault = None
                return True
        return False

    def recovered(self, error: sqlite3.Error) -> bool:
        """After a failure: whether there is a new database in place of a damaged one; else ``fault`` tells of it."""
        if not _is_damage(error):
            self.fault = f"cannot use the queue's file: {error}"
            return False
        try:
            self._begin_anew(error)
        except OperationError as second:
            self.fault = second.problem
            return False
        return True

    def close(self) -> None:
        """Close the file and let another process use the folder."""
        if self.store is not None:
            self.store.close()
        if self.folder is not None:
            self.folder.close()

    def _attach(self) -> Store:
        if self.store is not None:
            return self.store
        if self.folder is None:
            self.folder = QueueFolder(self._path)
        try:
            self.store = Store(self.folder.database)
            self._opened(self.store)
            self.old = self.store.newest
        except sqlite3.Error as error:
            if not _is_damage(error):
                self._detach()
                raise OperationError(f"cannot open the queue's file: {error}") from None
            return self._begin_anew(error)
        except OSError as error:
            raise OperationError(f"cannot open the queue's file: {error.strerror}") from None
        return self.store

    def _begin_anew(self, error: sqlite3.Error) -> Store:
        assert self.folder is not None  # noqa: S101  # a database was opened in it
        held = {} if self.store is None else self.store.amounts
        self._detach()
        try:
            self.folder.set_aside()
            self.store = store = Store(self.folder.database)
            self.old = 0
            self._begun(store, held)
        except (OSError, sqlite3.Error) as second:
            self._detach()
            raise OperationError(f"the queue's file is damaged, and a new one cannot be begun: {second}") from None
        lost = sum(amount.rows for amount in held.values()) if held else "what it held is"
        self._say(
            f"{self.folder.database}: the queue is damaged ({error}): {lost} lost; "
            f"it was moved to {str(self.folder.aside)!r} and a new one begun"
        )
        return store

    def _detach(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, UnknownVersionError) or (
        code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    )
