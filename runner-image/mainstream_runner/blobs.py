"""Where the blobs of schedules come from: a store on this machine as it is, or a cache that fetches them."""

from pathlib import Path
from typing import Protocol

from mainstream.errors import PackageError
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.schedule import Schedule
from mainstream_runner.cache.package_cache import PackageCache


class Blobs(Protocol):
    """Where a schedule's blobs come from."""

    @property
    def folder(self) -> Path:
        """A store's folder that holds them after ``fetch``."""
        ...

    def fetch(self, schedule: Schedule) -> None:
        """See that all of them are there; ``OperationError`` or ``PackageError`` if one cannot be had."""
        ...

    def size(self, digest: str) -> int:
        """A blob's bytes; 0 if it is not there."""
        ...

    def pin(self, *schedules: Schedule) -> None:
        """Only what these schedules need is in use from now on."""
        ...

    def read(self, digest: str) -> bytes:
        """A blob's verified bytes; ``PackageError`` if it is missing or wrong."""
        ...


class LocalBlobs:
    """The store that ``--store`` names. A blob that is missing is found out when graphs are joined."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._layout = StoreFolder(self.folder).layout

    def fetch(self, schedule: Schedule) -> None:
        """Nothing to do."""

    def pin(self, *schedules: Schedule) -> None:
        """Nothing to do: nothing is ever removed."""

    def size(self, digest: str) -> int:
        """See ``Blobs``."""
        return blob_size(self._layout, digest)

    def read(self, digest: str) -> bytes:
        """See ``Blobs``."""
        return self._layout.read_blob(digest)


class CachedBlobs:
    """A node's package cache."""

    def __init__(self, cache: PackageCache) -> None:
        self.folder = cache.folder
        self._cache = cache

    def fetch(self, schedule: Schedule) -> None:
        """See ``Blobs``."""
        self._cache.fetch(schedule)

    def pin(self, *schedules: Schedule) -> None:
        """See ``Blobs``."""
        self._cache.pin(*schedules)

    def size(self, digest: str) -> int:
        """See ``Blobs``."""
        return blob_size(self._cache.layout, digest)

    def read(self, digest: str) -> bytes:
        """See ``Blobs``."""
        return self._cache.read_blob(digest)


def blob_size(layout: OciLayout, digest: str) -> int:
    """A blob's bytes; 0 if it is not there."""
    try:
        return layout.blob_path(digest).stat().st_size
    except (OSError, PackageError):
        return 0
