"""Files that appear whole or not at all: temporary file, fsync, rename; errors of the disk in words."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstream.errors import OperationError

TEMPORARY = ".writing-"
"""Names of unfinished files begin with this; nobody reads them."""

_STALE_SECONDS = 3600.0
"""An unfinished file that nobody has touched for this long belongs to a process that was killed."""


@contextmanager
def disk(what: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of work on ``path`` into an ``OperationError`` that says what to do."""
    try:
        yield
    except OSError as error:
        raise OperationError(
            f"cannot {what}: {error.strerror or error}",
            where=path,
            remedy="Make room or choose a folder that can be written (--store DIR), then run the same command again.",
        ) from None


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` holds all of it or is untouched, whatever happens (``OperationError``)."""
    with disk("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{path.name}"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def remove_stale(folder: Path) -> None:
    """Remove what killed processes left unfinished in ``folder``; never what a living process writes."""
    if not folder.is_dir():
        return
    for path in folder.glob(f"{TEMPORARY}*"):
        owner = path.name.removeprefix(TEMPORARY).partition("-")[0]
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > _STALE_SECONDS
            if old or (owner.isdigit() and not Path(f"/proc/{owner}").exists()):
                path.unlink(missing_ok=True)
