"""Notices that a schedule's file has other content: written anew, replaced, or refreshed by the kubelet.

A mounted ConfigMap changes by a symbolic link that is renamed, a laptop's file by an editor or by ``mainstream plan``: neither
the time nor the inode says it always, so the content's hash decides, and it is read only when something of these moved.
"""

from pathlib import Path

from mainstream.documents import sha256

MAX_BYTES = 4 << 20
"""A ConfigMap holds one MiB."""


class ScheduleFile:
    """A file that is looked at now and then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._content: str | None = None

    def changed(self) -> bytes | None:
        """The content if it is another one than at the last call (the first call gives it); None too while it is missing."""
        try:
            status = self.path.stat()
            marks = (status.st_mtime_ns, status.st_ino, status.st_size)
            if marks == self._seen or status.st_size > MAX_BYTES:
                return None
            data = self.path.read_bytes()
        except OSError:
            return None
        self._seen = marks
        digest = sha256(data)
        if digest == self._content:
            return None
        self._content = digest
        return data
