"""Folders for files that live no longer than what uses them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstream.errors import OperationError


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder in the system's temporary folder; gone when the block ends, however it ends (``OperationError``)."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="mainstream-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OperationError(
            f"cannot make a temporary folder: {error.strerror}", remedy="Set TMPDIR to a folder with free space."
        ) from None
    with folder as path:
        yield Path(path)
