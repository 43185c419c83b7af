"""JSON lines: a run's records to standard output or a file, a line each, readable while the run goes on.

A file is written directly, not under a temporary name: people follow it with ``tail -f``. What is in it is whole lines at any
moment; a line that does not fit on the disk any more is taken back.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from mainstream.errors import InputError, OperationError


class Sink(Protocol):
    """Where a run's records go."""

    def write(self, record: Mapping[str, Any]) -> None: ...


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class StandardOutput:
    """Records to standard output."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Write a line and flush it; ``OperationError`` if nobody reads it any more."""
        try:
            sys.stdout.buffer.write(_line(record))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more when it leaves
            raise OperationError(
                "standard output was closed while the run went on", remedy="Write events to a file: --events FILE."
            ) from None


class JsonLinesFile:
    """Records to a file that is begun anew. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(
                f"cannot write the events: {error.strerror}",
                where=path,
                remedy="Give --events a file in a folder that exists and may be written to.",
            ) from None
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a whole line; on a full disk what is there stays valid and ``OperationError`` says so."""
        line = _line(record)
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            with suppress(OSError):  # a pipe or device cannot take a line back
                os.ftruncate(self._file, self._size)
            raise OperationError(
                f"cannot write the events any more: {error.strerror}",
                where=self._path,
                remedy="Make room, or give --events a file elsewhere; the records in the file are whole.",
            ) from None
        self._size += len(line)
