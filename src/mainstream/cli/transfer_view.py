"""How ``mainstream packages push`` and ``pull`` look: bars of bytes, and a table of what went where."""

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from mainstream.cli.output import Output
from mainstream.packages.manifest import printable

_LINE_BYTES = 10_000_000
"""Without a terminal, a line for each tenth of what is larger than this."""


class Bytes:
    """Progress bars in bytes, advanced by several threads; without a terminal lines."""

    def __init__(self, out: Output) -> None:
        self._say = out.say
        self._lock = Lock()
        self._bars: Progress | None = None
        if out.messages.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )
            self._bars = Progress(*columns, console=out.messages)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are."""
        if self._bars is not None:
            self._bars.stop()

    def start(self, description: str, total: int) -> Callable[[int], None]:
        """A bar of ``total`` bytes; what advances it."""
        if self._bars is None:
            return self._lines(printable(description), total)
        bars = self._bars
        task = bars.add_task(printable(description), total=total)

        def advance(count: int) -> None:
            bars.advance(task, count)

        return advance

    def _lines(self, description: str, total: int) -> Callable[[int], None]:
        done = said = 0

        def advance(count: int) -> None:
            nonlocal done, said
            with self._lock:
                done += count
                tenth = done * 10 // max(total, 1)
                if total >= _LINE_BYTES and tenth > said:
                    said = tenth
                    self._say(f"{description}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB")

        return advance


def push_view(rows: list[dict[str, Any]]) -> Table:
    """What is in the registry now."""
    table = _table("sent MB", "was there MB")
    for row in rows:
        _add(table, row, row["sentBytes"], row["thereBytes"] + row["mountedBytes"])
    return table


def pull_view(rows: list[dict[str, Any]]) -> Table:
    """What is in the store now."""
    table = _table("MB", "fetched MB")
    for row in rows:
        _add(table, row, row["sizeBytes"], row["receivedBytes"])
    return table


def references(rows: list[dict[str, Any]]) -> str:
    """What manifests name, a line each, never folded: to be copied."""
    return "\n".join(row["reference"] for row in rows)


def _table(*sizes: str) -> Table:
    table = Table()
    for name in ("name", "kind", "digest"):
        table.add_column(name, no_wrap=True)
    for name in sizes:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, row: dict[str, Any], *sizes: int) -> None:
    digest = row["reference"].rpartition("@")[2]
    table.add_row(Text(printable(row["name"])), row["kind"], digest[:19], *(f"{size / 1e6:,.2f}" for size in sizes))
