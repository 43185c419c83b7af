"""Several blobs at once, from a registry or another store into a layout."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from mainstream.errors import MainstreamError
from mainstream.packages.descriptor import Descriptor
from mainstream.packages.registry.client import Advance
from mainstream.packages.registry.staging import Staging

WORKERS = 4
"""More connections make a registry slower, not a line faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A blob and how to get it: ``bring(file, advance)`` completes a file, ``where`` names the place in messages."""

    blob: Descriptor
    bring: Callable[[Path, Advance], None]
    where: str


def fetch_all(staging: Staging, wanted: Sequence[Wanted], *, advance: Advance, stop: Event) -> int:
    """Bring all of them; how many were. The first error is raised when what was under way has ended; nothing new begins.

    ``stop`` is what the registry clients and the staging wait on: Ctrl-C sets it, and so ends the work within a moment.
    """
    staging.check_room([one.blob for one in wanted])
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch") as pool:
        running = [pool.submit(_fetch, staging, one, advance) for one in wanted]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in sorted(done, key=running.index):
                future.result()
        except BaseException as error:
            if not isinstance(error, MainstreamError):
                stop.set()
            for future in running:
                future.cancel()
            raise
    return sum(future.result() for future in running)


def _fetch(staging: Staging, one: Wanted, advance: Advance) -> bool:
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        told += count
        advance(count)

    brought = staging.add(one.blob, lambda file: one.bring(file, tell), where=one.where)
    advance(one.blob.size - told)  # another process brought it
    return brought
