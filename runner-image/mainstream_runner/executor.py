"""Stems that run: for each level of a stem (the apps due together) a merged graph, one engine call per frame.

The levels of a stem share their weights (``merge``, ``engine``). Merged graphs are files of a folder that lives as long as the
stems do.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mainstream.schedule import Schedule, ScheduledApp, Stem
from mainstream_runner.engine import Engine, Output, Pixels

ReadBlob = Callable[[str], bytes]
"""A blob's bytes by its digest, verified; ``PackageError`` if it is missing or wrong."""

Progress = Callable[[], None]
"""Told once for each level that is ready."""


class StemExecutor:
    """One stem and its apps, fastest first. ``calls`` and ``seconds`` count the engine's work."""

    def __init__(
        self,
        stem: Stem,
        apps: Sequence[ScheduledApp],
        *,
        read: ReadBlob,
        engine: Engine,
        threads: int,
        folder: Path,
        clock: Callable[[], float] = time.perf_counter,
        ready: Progress = lambda: None,
    ) -> None: ...

    def run(self, pixels: Pixels, due: int) -> tuple[Output, ...]:
        """Probabilities ``(classes,)`` of the first ``due`` apps, in one call of the engine.

        ``due`` must be a level: sampling is nested, so apps of one rate are due together. ``ValueError`` otherwise.
        """
        ...


@contextmanager
def open_stems(
    schedule: Schedule, *, read: ReadBlob, engine: Engine, ready: Progress = lambda: None
) -> Iterator[dict[str, StemExecutor]]:
    """The schedule's stems by name, merged and loaded; their files are gone when the block ends, however it ends."""
    ...
