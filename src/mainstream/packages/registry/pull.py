"""Pulling an artifact into a store: manifest, config, layers, and the base DNN of an M-Package where its repository has it.

The name appears in the store last, when everything that it stands for is there and was checked as the store's own readers do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event

from mainstream.basednn import BaseDnnConfig
from mainstream.errors import InputError, PackageError
from mainstream.packages.artifacts import (
    BASE_DNN_CONFIG_TYPE,
    BASE_DNN_TYPE,
    KINDS,
    MPACKAGE_CONFIG_TYPE,
    MPACKAGE_TYPE,
    read_base_dnn,
    read_mpackage,
)
from mainstream.packages.consistency import check_stem
from mainstream.packages.descriptor import Descriptor
from mainstream.packages.layout import OciLayout, check_name
from mainstream.packages.manifest import CONFIG_LIMIT, Manifest, read_config, read_manifest
from mainstream.packages.mpackage import MPackageConfig
from mainstream.packages.registry.client import Advance, RegistryClient
from mainstream.packages.registry.fetch import Wanted, fetch_all
from mainstream.packages.registry.index import give_name
from mainstream.packages.registry.reference import Reference
from mainstream.packages.registry.staging import Staging

ARTIFACT_LIMIT = 8 << 30
"""Bytes of all blobs of an artifact."""

Start = Callable[[str, int], Advance]
"""Begins a progress bar: what, and how many bytes; returns what advances it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """An artifact that is in the store now; ``reference`` names it by digest.

    ``received_bytes`` are those of blobs that were not there before.
    """

    name: str
    kind: str
    reference: str
    size_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    """What was asked for, and the base DNN that came along; None if it is none, was there, or is not in that repository."""

    artifact: Pulled
    base_dnn: Pulled | None
    base_dnn_missing: str | None
    """The digest of the base DNN if neither the store nor the repository has it."""


class Puller:
    """From one registry into one store. ``stop`` is the event that the client's ``pause`` waits on."""

    def __init__(self, layout: OciLayout, client: RegistryClient, *, start: Start, stop: Event) -> None:
        self._layout = layout
        self._client = client
        self._start = start
        self._stop = stop
        self._staging = Staging(layout, pause=stop.wait)

    def pull(self, reference: Reference, *, name: str | None = None) -> PullResult:
        """Pull an artifact; its name in the store is the repository's if none is given.

        ``PackageError`` if it is broken, too large or of another kind, else errors as ``RegistryClient``; then no name points
        to it, and what was fetched is not fetched again.
        """
        chosen = name or reference.repository
        check_name(chosen)
        manifest = self.manifest(reference)
        config, artifact = self._artifact(manifest, reference, chosen)
        base, missing = None, None
        if isinstance(config, MPackageConfig):
            base, missing = self._base_dnn(config, reference)
            read_mpackage(self._layout, manifest.digest)
            if missing is None:
                check_stem(config, read_base_dnn(self._layout, config.base_dnn), where=str(reference))
        else:
            read_base_dnn(self._layout, manifest.digest)
        give_name(self._layout, manifest.digest, chosen)
        self._staging.tidy()
        return PullResult(artifact=artifact, base_dnn=base, base_dnn_missing=missing)

    def manifest(self, reference: Reference) -> Manifest:
        """The manifest that a reference stands for; its blob is in the layout then, without a name."""
        data = self._client.manifest(reference.repository, reference.target)
        manifest = read_manifest(self._layout, self._layout.put_blob(data))
        if manifest.artifact_type not in KINDS:
            raise PackageError(
                f"is neither a base DNN nor an M-Package: its artifactType is {manifest.artifact_type!r:.200}",
                where=reference,
                remedy="Is it the right repository and tag?",
            )
        return manifest

    def _artifact(
        self, manifest: Manifest, reference: Reference, name: str
    ) -> tuple[MPackageConfig | BaseDnnConfig, Pulled]:
        size = sum({one.digest: one.size for one in (manifest.config, *manifest.layers)}.values())
        if manifest.config.size > CONFIG_LIMIT or size > ARTIFACT_LIMIT:
            raise PackageError(
                f"is too large: {size} bytes, {manifest.config.size} of them its config "
                f"(limits: {ARTIFACT_LIMIT}, {CONFIG_LIMIT})",
                where=reference,
            )
        # The config first: a version that this program does not know need not be fetched.
        received = self._fetch(reference, [manifest.config], what="config")
        where = str(reference)
        is_package = manifest.artifact_type == MPACKAGE_TYPE
        config: MPackageConfig | BaseDnnConfig
        if is_package:
            config = read_config(self._layout, manifest, MPackageConfig, media_type=MPACKAGE_CONFIG_TYPE, where=where)
        else:
            config = read_config(self._layout, manifest, BaseDnnConfig, media_type=BASE_DNN_CONFIG_TYPE, where=where)
        received += self._fetch(reference, manifest.layers, what=name)
        kind = KINDS[manifest.artifact_type or ""]
        place = str(reference.at(manifest.digest))
        return config, Pulled(name=name, kind=kind, reference=place, size_bytes=size, received_bytes=received)

    def _base_dnn(self, config: MPackageConfig, reference: Reference) -> tuple[Pulled | None, str | None]:
        listed = {entry.digest: entry.name for entry in self._layout.entries()}
        if config.base_dnn in listed and _is_readable(self._layout, config.base_dnn):
            return None, None
        place = reference.at(config.base_dnn)
        if not self._client.has(place.repository, "manifests", config.base_dnn):
            return None, config.base_dnn
        manifest = self.manifest(place)
        if manifest.artifact_type != BASE_DNN_TYPE:
            raise PackageError(f"its base DNN {config.base_dnn} is an M-Package", where=reference)
        name = listed.get(config.base_dnn) or f"base/pulled-{config.base_dnn.removeprefix('sha256:')[:12]}"
        _, base = self._artifact(manifest, place, name)
        read_base_dnn(self._layout, manifest.digest)
        give_name(self._layout, manifest.digest, name)
        return base, None

    def _fetch(self, reference: Reference, blobs: Iterable[Descriptor], *, what: str) -> int:
        missing = [one for one in {one.digest: one for one in blobs}.values() if not self._staging.is_there(one)]
        wanted = [from_registry(self._client, reference, one) for one in missing]
        total = sum(one.size for one in missing)
        if missing:
            fetch_all(self._staging, wanted, advance=self._start(what, total), stop=self._stop)
        return total


def from_registry(client: RegistryClient, reference: Reference, one: Descriptor) -> Wanted:
    """A blob of the reference's repository."""
    return Wanted(
        blob=one,
        bring=lambda file, advance: client.download(
            reference.repository, one.digest, size=one.size, to=file, advance=advance
        ),
        where=str(reference),
    )


def _is_readable(layout: OciLayout, digest: str) -> bool:
    try:
        read_base_dnn(layout, digest)
    except InputError:
        return False
    return True
