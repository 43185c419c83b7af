"""PackageCache: a folder with all that the running schedule and the next one need, and what was needed lately.

On disk it is a store (``mainstream packages list --store FOLDER``), though of each package only the blobs that were run are
there. Rules:

* what is there needs no registry, and nothing that is there is fetched again;
* nothing is used unverified; a damaged blob counts as missing and is fetched anew;
* a schedule's blobs are pinned before they are looked for, until ``pin`` says what is in use instead;
* that the disk takes nothing more is no reason to refuse a schedule all of whose blobs are there.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from mainstream.documents import canonical_json
from mainstream.errors import OperationError, PackageError
from mainstream.packages.descriptor import MANIFEST_TYPE, NAME_ANNOTATION, Descriptor, is_name
from mainstream.packages.files import write_whole
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import MANIFEST_LIMIT, OciLayout
from mainstream.packages.manifest import read_manifest
from mainstream.packages.registry.client import Advance, RegistryClient
from mainstream.packages.registry.fetch import Wanted, fetch_all
from mainstream.packages.registry.index import Entries, change_index
from mainstream.packages.registry.pull import Start, from_registry
from mainstream.packages.registry.reference import Reference
from mainstream.packages.registry.staging import Staging
from mainstream.schedule import Schedule
from mainstream_runner.cache.clients import ClientFor
from mainstream_runner.cache.needs import Need, needs
from mainstream_runner.cache.pins import Pins
from mainstream_runner.cache.trimming import touch, trim


def _silent(_what: str, _total: int) -> Advance:
    return lambda _count: None


class PackageCache:
    """The cache in ``folder``; several processes may use the same one, of each one thread at a time (``read_blob``: any).

    ``limit_bytes`` counts all blobs, but what is in use stays even beyond it. ``upstream`` is a store on this machine where
    packages that no registry has are looked for. ``stop`` ends a ``fetch`` within a moment. ``now_nanoseconds`` gives the time
    that says what was used last.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        client_for: ClientFor,
        stop: Event,
        upstream: Path | None = None,
        now_nanoseconds: Callable[[], int] = time.time_ns,
    ) -> None:
        self.folder = folder.resolve()
        self.layout: OciLayout = StoreFolder(self.folder).layout
        self._limit_bytes = limit_bytes
        self._client_for = client_for
        self._stop = stop
        self._upstream = None if upstream is None else StoreFolder(upstream).layout
        self._now = now_nanoseconds
        self._staging = Staging(self.layout, pause=stop.wait)
        self._pins = Pins(self.folder / "pins")
        self._mend_index()

    def fetch(self, schedule: Schedule, *, progress: Start = _silent) -> None:
        """See that all the schedule's blobs are there, sound and pinned; what is missing is fetched, all or an error.

        ``OperationError``: the registry is away or in trouble, the disk is full, ``stop`` was set: the same may go well later.
        ``InputError`` (``PackageError`` among them): somebody must change credentials, references or packages first.
        """
        # Where two packages share a blob, the one that a registry has is asked for it.
        wanted = sorted(needs(schedule), key=lambda need: need.reference is None)
        self._pins.add(digest for need in wanted for digest in (need.digest, *need.blobs))
        with ExitStack() as clients:
            known: dict[str, RegistryClient] = {}

            def client(reference: Reference) -> RegistryClient:
                place = f"{reference.registry}/{reference.repository}"
                if place not in known:
                    known[place] = self._client_for(reference)
                    clients.callback(known[place].close)
                return known[place]

            sizes = {need.digest: self._manifest(need, client) for need in wanted}
            blobs: dict[str, tuple[Descriptor, Need]] = {}
            for need in wanted:
                for one in need.descriptors(read_manifest(self.layout, need.digest)):
                    blobs.setdefault(one.digest, (one, need))
            self._pins.add(blobs)
            missing = [
                self._wanted(one, need, client) for one, need in blobs.values() if not self._staging.is_there(one)
            ]
            if missing:
                total = sum(one.blob.size for one in missing)
                self._make_room(total)
                fetch_all(self._staging, missing, advance=progress("packages", total), stop=self._stop)
        touch((self._file(digest) for digest in (*blobs, *sizes)), self._now())
        self._staging.tidy()
        with contextlib.suppress(OperationError):  # names are for people, and a limit can wait; the schedule cannot
            change_index(self.layout, lambda entries: _named(entries, wanted, sizes))
            self.trim()

    def read_blob(self, digest: str) -> bytes:
        """A blob's verified bytes (``PackageError`` if it is missing or damaged: then fetch again)."""
        data = self.layout.read_blob(digest)
        touch([self._file(digest)], self._now())
        return data

    def pin(self, *schedules: Schedule) -> None:
        """From now on only what these schedules need is in use: the running one, and a next one that is being prepared."""
        digests: set[str] = set()
        for need in (one for schedule in schedules for one in needs(schedule)):
            digests.update((need.digest, *need.blobs))
            with contextlib.suppress(PackageError):  # no longer there: then it cannot say which its config is
                digests.add(read_manifest(self.layout, need.digest).config.digest)
        self._pins.hold(digests)

    def trim(self) -> tuple[str, ...]:
        """Remove what was not used for the longest time, down to the limit; the digests of what is gone.

        ``OperationError`` if the disk refuses.
        """
        return self._trim(0)

    def close(self) -> None:
        """Nothing of it is in use any more."""
        self._pins.close()

    def _trim(self, room_bytes: int) -> tuple[str, ...]:
        return trim(
            self.layout,
            self._pins,
            limit_bytes=self._limit_bytes,
            half_bytes=self._staging.half_bytes,
            room_bytes=room_bytes,
        )

    def _make_room(self, total: int) -> None:
        half = self._staging.half_bytes()
        self._trim(max(0, total - half))

    def _manifest(self, need: Need, client: Callable[[Reference], RegistryClient]) -> int:
        """See that a package's manifest is there; its bytes."""
        with contextlib.suppress(PackageError):
            return len(self.layout.read_blob(need.digest, limit=MANIFEST_LIMIT))
        if self._upstream is not None:
            with contextlib.suppress(PackageError):
                data = self._upstream.read_blob(need.digest, limit=MANIFEST_LIMIT)
                self.layout.put_blob(data)
                return len(data)
        if need.reference is None:
            raise self._nowhere(need, "the package")
        data = client(need.reference).manifest(need.reference.repository, need.digest)
        self.layout.put_blob(data)
        return len(data)

    def _wanted(self, one: Descriptor, need: Need, client: Callable[[Reference], RegistryClient]) -> Wanted:
        if self._upstream is not None:
            with contextlib.suppress(PackageError):
                path = self._upstream.blob_path(one.digest, size=one.size)
                return Wanted(blob=one, bring=lambda half, advance: _take_over(path, half, advance), where=str(path))
        if need.reference is None:
            raise self._nowhere(need, f"blob {one.digest}")
        return from_registry(client(need.reference), need.reference, one)

    def _nowhere(self, need: Need, what: str) -> OperationError:
        store = "there is no such store" if self._upstream is None else f"{self._upstream.root} has it not, or damaged"
        return OperationError(
            f"{what} is in no registry, only in a store on the machine that planned: {store}",
            where=need.where,
            remedy="Push the package (mainstream packages push) and name it by the registry's reference.",
        )

    def _mend_index(self) -> None:
        """Begin a damaged index anew: it holds names only, which are no reason to refuse schedules."""
        try:
            self.layout.entries()
        except PackageError:
            with contextlib.suppress(OSError, OperationError):
                write_whole(self.layout.root / "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
                (self.layout.root / "index.json").unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        return self.layout.root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _take_over(path: Path, half: Path, advance: Advance) -> None:
    """A second name for the same file where it is on the same disk, else a copy."""
    half.unlink(missing_ok=True)
    try:
        os.link(path, half)
    except OSError:
        shutil.copyfile(path, half)
    advance(half.stat().st_size)


def _named(entries: Entries, wanted: Sequence[Need], sizes: dict[str, int]) -> Entries:
    """Each app's name points to the package that it runs."""
    new = {}
    for need in wanted:
        name = f"mpackage/{need.app}"
        if is_name(name):
            new[name] = Descriptor(
                media_type=MANIFEST_TYPE,
                digest=need.digest,
                size=sizes[need.digest],
                annotations={NAME_ANNOTATION: name},
            )
    return (*(one for one in entries if one.name not in new), *new.values())
