"""What every verb prints with: results to standard output (a table, or JSON), progress and messages to standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

STORE_VARIABLE = "MAINSTREAM_STORE"


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


FilesOption = Annotated[
    Path, typer.Option("--filename", "-f", help="Manifest file, or a folder with manifests (*.yaml, *.yml, *.json).")
]
StoreOption = Annotated[
    Path,
    typer.Option("--store", envvar=STORE_VARIABLE, help="Folder of base DNNs, M-Packages, profiles and caches."),
]
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to print the result.")]

DEFAULT_STORE = Path(".mainstream")


class Output:
    """Where a verb's words go. ``results`` is standard output, ``messages`` standard error."""

    def __init__(self, form: Format = Format.TABLE) -> None:
        self.form = form
        self.results = Console(file=sys.stdout, soft_wrap=False, width=None if sys.stdout.isatty() else 140)
        self.messages = Console(file=sys.stderr, highlight=False, width=None if sys.stderr.isatty() else 140)

    def result(self, plain: Mapping[str, Any], table: Callable[[], RenderableType]) -> None:
        """Print a verb's result once: ``plain`` as JSON, or what ``table`` makes."""
        if self.form is Format.JSON:
            sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            self.results.print(table())

    def say(self, message: str, **fields: object) -> None:  # noqa: ARG002 - see the docstring
        """A line for the person who watches. ``fields`` are for structured logs; the message says them, too."""
        self.messages.print(message, markup=False)

    def warn(self, message: str, **fields: object) -> None:  # noqa: ARG002 - as in ``say``
        """A warning: the work goes on. ``fields`` as in ``say``."""
        self.messages.print("warning: ", style="yellow", end="")
        self.messages.print(message, markup=False)

    def summarize(self, plain: Mapping[str, Any], table: Callable[[], RenderableType]) -> None:  # noqa: ARG002 - logs take it
        """What a long work came to, where standard output is another's."""
        self.messages.print(table())

    @contextmanager
    def progress(self) -> Iterator["Steps"]:
        """Progress bars with the time left; without a terminal a line for each finished bar and each tenth of a long one."""
        if self.messages.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=self.messages) as bars:
                yield _Bars(bars)
        else:
            yield Lines(self.say)


class Steps(Protocol):
    """A set of progress bars. ``start`` makes one and returns its ``advance(n=1)``; a bar ends when it has its total."""

    def start(self, description: str, total: int) -> Callable[..., None]: ...


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def start(self, description: str, total: int) -> Callable[..., None]:
        task = self._bars.add_task(description, total=total)

        def advance(steps: int = 1) -> None:
            self._bars.advance(task, steps)

        return advance


class Lines:
    """Progress where no bar can be drawn: a line for each finished one and each tenth of a long one."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def start(self, description: str, total: int) -> Callable[..., None]:
        """See ``Steps``."""
        done = 0

        def advance(steps: int = 1) -> None:
            nonlocal done
            before, done = done, done + steps
            if done >= total > before or (total >= 100 and done * 10 // total > before * 10 // total):
                self._say(f"{description}: {min(done, total)}/{total}")

        return advance
