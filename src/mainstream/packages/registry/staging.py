"""Staging: blobs on their way into a layout. A blob gets there whole and verified, or not at all.

Half of a blob waits in a folder of its own (``.fetching``, a layout, too, so that the same code verifies it), under its
digest: after a broken connection or a kill the rest is appended. Whoever works on a blob holds a lock among all threads and
processes, so it is fetched once; the others wait and find it there.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstream.errors import OperationError, PackageError
from mainstream.packages.descriptor import DIGEST, Descriptor
from mainstream.packages.files import disk
from mainstream.packages.layout import BLOB_LIMIT, OciLayout
from mainstream.packages.registry.transport import Pause, stopped

FOLDER = ".fetching"
_LOOK_SECONDS = 0.05
_SPARE_BYTES = 16 << 20
"""Room that is left free on the disk, for what others write meanwhile."""

_DAMAGED = "Where it came from is damaged, or somebody is in between: push or make the artifact again."

Bring = Callable[[Path], None]
"""Completes a file that may hold the beginning of a blob."""


class Staging:
    """What is on its way into ``layout``. ``pause`` as in ``Transport``."""

    def __init__(self, layout: OciLayout, *, pause: Pause) -> None:
        self._layout = layout
        self._staged = OciLayout(layout.root / FOLDER)
        self._blobs = self._staged.root / "blobs" / "sha256"
        self._locks = self._staged.root / "locks"
        self._pause = pause

    def is_there(self, one: Descriptor) -> bool:
        """Whether the layout holds the blob's very bytes; damaged ones count as missing."""
        return _is_sound(self._layout, one)

    def check_room(self, missing: list[Descriptor]) -> None:
        """``OperationError`` if the disk has no room for them, before a byte is fetched."""
        halves = self._staged.stored()
        wanted = sum(max(0, one.size - halves.get(one.digest, 0)) for one in missing)
        with disk("write to the store", self._layout.root):
            self._layout.root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._layout.root).free
        if missing and wanted + _SPARE_BYTES > free:
            raise OperationError(
                f"the disk has {free / 1e6:,.0f} MB left, not enough for the {wanted / 1e6:,.0f} MB to fetch",
                where=self._layout.root,
                remedy="Make room there or choose another folder; then run it again.",
            )

    def add(self, one: Descriptor, bring: Bring, *, where: str) -> bool:
        """Have a blob brought into the layout from ``where`` unless it is there; whether it was.

        ``PackageError`` if it is too large or what came is not it, ``OperationError`` if the disk refuses.
        """
        if one.size > BLOB_LIMIT:
            raise PackageError(
                f"blob {one.digest} has {one.size} bytes, more than the {BLOB_LIMIT} that it may have", where=where
            )
        with self._alone(one.digest):
            if self.is_there(one):
                return False
            half = self._blobs / _name(one.digest)
            begun = half.is_file() and half.stat().st_size > 0
            try:
                self._bring(one, half, bring, where=where)
            except PackageError:
                if not begun:
                    raise
                self._bring(one, half, bring, where=where)  # what was there of an earlier attempt may have been damaged
            return True

    def tidy(self) -> None:
        """Remove halves that nobody works on."""
        for digest in self._staged.stored():
            with contextlib.suppress(OSError):
                descriptor = self._open_lock(digest)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    (self._blobs / _name(digest)).unlink(missing_ok=True)
                finally:
                    os.close(descriptor)

    def half_bytes(self) -> int:
        """Bytes of all halves."""
        return sum(self._staged.stored().values())

    def _bring(self, one: Descriptor, half: Path, bring: Bring, *, where: str) -> None:
        with disk("write", half):
            self._blobs.mkdir(parents=True, exist_ok=True)
            if half.is_symlink() or (half.exists() and half.stat().st_size > one.size):
                half.unlink()
            try:
                bring(half)
                _flush(half, os.O_RDONLY)
            except (OSError, PackageError):
                self._discard(half)  # a full disk is not left full, and wrong bytes are no beginning of anything
                raise
            if not _is_sound(self._staged, one):
                self._discard(half)
                raise PackageError(f"what came for blob {one.digest} is something else", where=where, remedy=_DAMAGED)
            final = self._layout.root / "blobs" / "sha256" / _name(one.digest)
            final.parent.mkdir(parents=True, exist_ok=True)
            half.replace(final)
            with contextlib.suppress(OSError):  # not every file system can
                _flush(final.parent, os.O_RDONLY | os.O_DIRECTORY)

    @staticmethod
    def _discard(half: Path) -> None:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)

    @contextmanager
    def _alone(self, digest: str) -> Iterator[None]:
        with disk("lock the store", self._locks):
            self._locks.mkdir(parents=True, exist_ok=True)
            descriptor = self._open_lock(digest)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._pause(_LOOK_SECONDS):
                        raise stopped() from None
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self, digest: str) -> int:
        """There are 256 lock files, by the digest's beginning: one that is held must never be removed."""
        path = self._locks / _name(digest)[:2]
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _is_sound(layout: OciLayout, one: Descriptor) -> bool:
    try:
        layout.blob_path(one.digest, size=one.size)
    except PackageError:
        return False
    return True


def _name(digest: str) -> str:
    if not DIGEST.fullmatch(digest):
        raise PackageError(f"expected a digest (sha256: and 64 hexadecimal digits), got {digest!r:.200}")
    return digest.removeprefix("sha256:")


def _flush(path: Path, flags: int) -> None:
    """Carry a file or a folder's entries to the disk."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
