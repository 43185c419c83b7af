"""The folder of the queues: one process at a time, and a name of its own for the brokers.

``queue.lock`` is locked while a process uses the folder. Its content is drawn at random once; client ids are made from it, so
that a runner that starts again takes its old connection over, and another runner with the same manifests never does.
"""

import errno
import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from mainstream.errors import InputError, OperationError

_FOR_NOW = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""Faults of a disk that may pass, not of who chose the folder."""


class QueueFolder:
    """A locked folder. ``identity`` is its random name; where the disk is full, one of this process only."""

    def __init__(self, path: Path) -> None:
        """``InputError`` if another process uses it or it cannot be used; ``OperationError`` for a fault that may pass."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "queue.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno in _FOR_NOW:
                raise OperationError(f"cannot make the folder of the queues: {error.strerror}", where=path) from None
            raise InputError(
                f"cannot be the folder of the queues: {error.strerror}",
                where=path,
                remedy="Choose one that may be written to.",
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise InputError(
                "another process delivers from this folder of queues",
                where=path,
                remedy="One runner to a folder: stop the other one, or give this one a folder of its own.",
            ) from None
        self.identity = self._identity()

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "queue.sqlite"

    @property
    def aside(self) -> Path:
        """Where a damaged SQLite file is moved; the one before it goes, so that they never fill the disk."""
        return self.path / "queue.sqlite.damaged"

    def set_aside(self) -> None:
        """Move a damaged database out of the way, with what belongs to it (``OSError``)."""
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{self.database}{suffix}").replace(f"{self.aside}{suffix}")

    def close(self) -> None:
        """Let another process use the folder."""
        os.close(self._lock)

    def _identity(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            if known := os.pread(self._lock, 64, 0).decode("ascii").strip():
                return known
        drawn = secrets.token_hex(16)
        with suppress(OSError):
            os.pwrite(self._lock, drawn.encode(), 0)
        return drawn
