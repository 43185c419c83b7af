"""Pins: which blobs are in use, by this process and by others that keep their packages in the same folder.

Each process has a file with its digests, locked as long as it lives; files of killed processes count for nothing and are
removed. Whoever removes blobs holds the folder's lock, and so does whoever pins: a blob is pinned before it is looked for, so
it is either kept or found missing, never lost in between.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstream.errors import OperationError
from mainstream.packages.descriptor import DIGEST
from mainstream.packages.files import disk, locked


class Pins:
    """Those of one user of the folder; ``close`` lets go of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: frozenset[str] = frozenset()
        self._path = folder / secrets.token_hex(8)
        self._file: int | None = None

    def hold(self, digests: Iterable[str]) -> None:
        """Pin these and no others. Where the disk takes no file, only this process knows of them."""
        self._mine = frozenset(digests)
        with contextlib.suppress(OperationError), self._alone(), disk("write", self._path):
            self._write("\n".join(sorted(self._mine)).encode())

    def add(self, digests: Iterable[str]) -> None:
        """Pin these, too."""
        self.hold(self._mine.union(digests))

    @contextmanager
    def others_kept_out(self) -> Iterator[frozenset[str]]:
        """All pinned digests; as long as the block runs, nobody pins more (``OperationError`` if the folder refuses)."""
        with self._alone():
            yield self._mine.union(*(self._theirs(path) for path in self._folder.iterdir() if path.name != ".lock"))

    def close(self) -> None:
        """Nothing is in use any more."""
        self._mine = frozenset()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with disk("write", self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock"):
            yield

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)

    def _theirs(self, path: Path) -> frozenset[str]:
        if path == self._path:
            return frozenset()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return frozenset()
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return frozenset(DIGEST.findall(file.read().decode(errors="replace")))
            with contextlib.suppress(OSError):
                path.unlink()
            return frozenset()
