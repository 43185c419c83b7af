"""Events of videos in CSV: ``video,label,start_frame,end_frame``, both ends included, frames from 0 (formats, Datasets).

Taken as spreadsheets write them: a byte order mark, Windows line ends, semicolons or tabs instead of commas, further columns,
empty lines.
Whether a video exists and is long enough is for whoever has the videos.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mainstream.errors import InputError

COLUMNS = ("video", "label", "start_frame", "end_frame")

MAX_BYTES = 256 << 20
"""About five million events."""

_SHOWN = 10
"""Faulty lines that a message lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledEvent:
    """An event of a video: frames ``start_frame`` to ``end_frame``, both included; ``line`` is its line in the file."""

    video: str
    label: str
    start_frame: int
    end_frame: int
    line: int


def read_events_csv(path: Path) -> tuple[LabelledEvent, ...]:
    """The events of a file, in its order; ``InputError`` names the file, the lines, the columns and the values."""
    rows = _rows(path, _text(path))
    line, header = next(rows, (0, []))
    if not header:
        raise InputError("is empty", where=path, remedy=_header_wanted())
    columns = _columns(path, line, header)
    found = list(_events(path, rows, columns))
    faults = [event for event in found if isinstance(event, InputError)]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = [f"{len(faults)} lines are wrong:", *(f"  {fault}" for fault in faults[:_SHOWN])]
        if len(faults) > _SHOWN:
            lines.append(f"  ... and {len(faults) - _SHOWN} more")
        raise InputError("\n".join(lines), where=path)
    return tuple(event for event in found if isinstance(event, LabelledEvent))


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise InputError("is a folder, expected a CSV file of events", where=path)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy="Give a CSV file of events.") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES >> 20} MiB", where=path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"is not UTF-8 (byte {error.start})", where=f"{path}:{line}", remedy="Save the file as CSV in UTF-8."
        ) from None
    if "\0" in text:
        raise InputError("is no text (it holds NUL bytes)", where=path, remedy="Save the file as CSV in UTF-8.")
    return text


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines with something in them, each with the number of its (last) line."""
    first = text.split("\n", maxsplit=1)[0]
    delimiter = max(",;\t", key=first.count)  # the first of equals: a comma
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, row
    except csv.Error as error:
        raise InputError(f"not readable as CSV: {error}", where=f"{path}:{rows.line_num}") from None


def _header_wanted() -> str:
    return f"The first line must be: {','.join(COLUMNS)}"


def _columns(path: Path, line: int, header: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        hints = []
        for column in missing:
            near = get_close_matches(column, [name for name in names if name not in COLUMNS], n=1)
            hints.append(f"{column!r} (is {near[0]!r} meant?)" if near else repr(column))
        raise InputError(
            f"column {', '.join(hints)} is missing; the header is {','.join(header)!r}"
            if len(missing) == 1
            else f"columns {', '.join(hints)} are missing; the header is {','.join(header)!r}",
            where=f"{path}:{line}",
            remedy=_header_wanted(),
        )
    twice = [column for column in COLUMNS if names.count(column) > 1]
    if twice:
        raise InputError(f"column {twice[0]!r} is there twice", where=f"{path}:{line}", remedy=_header_wanted())
    return {column: names.index(column) for column in COLUMNS}


def _events(
    path: Path, rows: Iterator[tuple[int, list[str]]], columns: dict[str, int]
) -> Iterator[LabelledEvent | InputError]:
    for line, row in rows:
        where = f"{path}:{line}"
        missing = [column for column, place in columns.items() if place >= len(row)]
        if missing:
            yield InputError(f"{missing[0]}: is missing, the line has only {len(row)} columns", where=where)
            continue
        try:
            yield _event(where, line, {column: row[place].strip() for column, place in columns.items()})
        except InputError as error:
            yield error


def _event(where: str, line: int, cells: dict[str, str]) -> LabelledEvent:
    for column in ("video", "label"):
        if not cells[column]:
            raise InputError(f"{column}: is empty", where=where)
    start, end = (_frame(where, column, cells[column]) for column in ("start_frame", "end_frame"))
    if start > end:
        raise InputError(
            f"start_frame: {start} is after end_frame {end}", where=where,
            remedy="Both ends belong to the event: an event of one frame has the same number twice.",
        )  # fmt: skip
    return LabelledEvent(video=cells["video"], label=cells["label"], start_frame=start, end_frame=end, line=line)


def _frame(where: str, column: str, cell: str) -> int:
    digits = cell.removesuffix(".0") if cell.removesuffix(".0").isdigit() else cell  # spreadsheets write 12.0
    if not (digits.removeprefix("-").isascii() and digits.removeprefix("-").isdigit() and len(digits) <= 12):
        raise InputError(
            f"{column}: {cell!r} is no frame number", where=where, remedy="Frames are integers and count from 0."
        )
    if digits.startswith("-"):
        raise InputError(f"{column}: {cell} is negative", where=where, remedy="Frames count from 0.")
    return int(digits)
