"""Files that appear whole or not at all, and files of strangers that are read with care.

Rules: a file is written under a temporary name, synchronised and renamed; the temporary file is locked as long as its writer
lives, so that what a killed writer left can be told from what a living one is writing, on this machine or another that
shares the folder. A stranger's file is opened only if it is a regular file, never through a symbolic link.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mainstream.errors import OperationError, PackageError

TEMPORARY = ".writing-"
"""Names of unfinished files begin with this; nobody reads them."""

MAKE_AGAIN = "Make the artifact again (mainstream base import, mainstream train)."
DELETE_AND_MAKE_AGAIN = "Delete this file, then make the artifact again (mainstream base import, mainstream train)."

_CHUNK_BYTES = 1 << 20

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def disk(what: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of work on ``path`` into an ``OperationError`` that says what to do."""
    try:
        yield
    except OSError as error:
        remedy = "Choose another folder (--store DIR), or repair this one; then run the same command again."
        if error.errno in _NO_ROOM:
            remedy = "Make room there or choose another folder (--store DIR); then run the same command again."
        elif error.errno in _NO_RIGHT:
            remedy = (
                "Choose a folder that you may use (--store DIR) or change its rights; then run the same command again."
            )
        raise OperationError(f"cannot {what}: {error.strerror or error}", where=path, remedy=remedy) from None


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` holds all of it or is untouched, whatever happens (``OperationError``)."""
    with disk("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path.parent) as (file, temporary):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        _synchronise(path.parent)


def remove_stale(folder: Path) -> None:
    """Remove what killed processes left unfinished in ``folder``; never what a living process writes."""
    if not folder.is_dir():
        return
    for path in folder.glob(f"{TEMPORARY}*"):
        # Whoever holds the lock is writing; an OSError is one of that, or the file is gone or not ours to remove.
        with contextlib.suppress(OSError), _opened(path, os.O_RDWR) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` alone, among all processes; waits for it (``OperationError`` if it cannot be made)."""
    with disk("lock the store", path):
        file = _opened(path, os.O_RDWR | os.O_CREAT)
    with file:
        with disk("lock the store", path):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_chunks(path: Path, *, limit: int, what: str, size: int | None = None) -> Iterator[bytes]:
    """The bytes of a stranger's regular file, in pieces; ``what`` names it in messages.

    ``PackageError`` if it is missing, no regular file, has more than ``limit`` bytes or other than ``size``.
    """
    with disk("read", path), _stranger(path, what) as file:
        there = os.fstat(file.fileno()).st_size
        if there > limit:
            raise PackageError(f"{what} has {there} bytes, more than the {limit} that it may have", where=path)
        if size is not None and there != size:
            fault = "it is cut off" if there < size else "it was replaced"
            raise PackageError(
                f"{what} has {there} bytes instead of {size}: {fault}", where=path, remedy=DELETE_AND_MAKE_AGAIN
            )
        while there > 0 and (chunk := file.read(min(there, _CHUNK_BYTES))):
            there -= len(chunk)
            yield chunk


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            with _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:
                    continue  # another process took it for stale in the moment before it was locked
                yield file, path
                return
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


@contextmanager
def _stranger(path: Path, what: str) -> Iterator[BinaryIO]:
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise PackageError(f"{what} is missing", where=path, remedy=MAKE_AGAIN) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PackageError(f"{what} is a symbolic link", where=path, remedy=DELETE_AND_MAKE_AGAIN) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PackageError(f"{what} is not a regular file", where=path, remedy=DELETE_AND_MAKE_AGAIN)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _opened(path: Path, flags: int) -> BinaryIO:
    return os.fdopen(_open(path, flags), "r+b")


def _open(path: Path, flags: int) -> int:
    # O_NONBLOCK: opening a named pipe must not wait for somebody to write into it.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)


def _synchronise(folder: Path) -> None:
    """Make a rename in ``folder`` outlast a power cut, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
