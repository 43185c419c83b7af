"""Room for new blobs: those that were not used for the longest time leave first; those in use never do."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from mainstream.packages.files import disk
from mainstream.packages.layout import OciLayout
from mainstream.packages.registry.index import change_index
from mainstream_runner.cache.pins import Pins


def touch(paths: Iterable[Path], now_nanoseconds: int) -> None:
    """Note that these files were used now: their time of change says when a blob was used last."""
    for path in paths:
        with contextlib.suppress(OSError):  # a disk that takes nothing makes the order older, nothing worse
            os.utime(path, ns=(now_nanoseconds, now_nanoseconds), follow_symlinks=False)


def trim(
    layout: OciLayout, pins: Pins, *, limit_bytes: int, half_bytes: Callable[[], int], room_bytes: int
) -> tuple[str, ...]:
    """Remove blobs until the others and ``room_bytes`` more are within the limit; the digests of those removed.

    What is in use stays even where it is more than the limit (``OperationError`` if the disk refuses).
    """
    removed = []
    folder = layout.root / "blobs" / "sha256"
    with pins.others_kept_out() as pinned, disk("remove from the cache", folder):
        stored = layout.stored()
        over = sum(stored.values()) + half_bytes() + room_bytes - limit_bytes
        paths = {digest: folder / digest.removeprefix("sha256:") for digest in stored if digest not in pinned}
        for digest, path in sorted(paths.items(), key=lambda item: (item[1].lstat().st_mtime_ns, item[0])):
            if over <= 0:
                break
            path.unlink()
            over -= stored[digest]
            removed.append(digest)
        if removed:
            gone = frozenset(removed)
            change_index(layout, lambda entries: tuple(one for one in entries if one.digest not in gone))
    return tuple(removed)
