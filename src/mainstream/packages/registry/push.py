"""Pushing artifacts of a store to a registry: blobs that are missing there, then the manifest, so nobody sees half of it.

The manifest is sent byte by byte as it is in the store: its digest stays what it was.
"""

from dataclasses import dataclass, replace

from mainstream.documents import sha256
from mainstream.errors import InputError
from mainstream.packages.artifacts import KINDS, MPACKAGE_TYPE, read_base_dnn, read_mpackage
from mainstream.packages.files import disk
from mainstream.packages.layout import MANIFEST_LIMIT, OciLayout
from mainstream.packages.manifest import read_manifest
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.pull import Start
from mainstream.packages.registry.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An artifact that is in the registry now; ``reference`` names it by digest, the bytes are those of its blobs."""

    name: str
    kind: str
    reference: str
    sent_bytes: int
    mounted_bytes: int
    there_bytes: int


class Pusher:
    """From one store to one registry; remembers where blobs went, to mount them from there instead of sending them again.

    ``mount_from`` is a repository that is likely to have segments (that of the base DNN).
    """

    def __init__(
        self, layout: OciLayout, client: RegistryClient, *, start: Start, mount_from: str | None = None
    ) -> None:
        self._layout = layout
        self._client = client
        self._start = start
        self._mount_from = mount_from
        self._went: dict[str, str] = {}

    def push(self, name: str, to: Reference) -> tuple[Pushed, ...]:
        """Push the artifact of that name or digest, and the base DNN of an M-Package where the store has it (it comes first).

        A tag in ``to`` points to the artifact afterwards. ``PackageError`` if a blob is damaged: nothing of it is sent.
        """
        digest = self._layout.resolve(name)
        manifest = read_manifest(self._layout, digest)
        done: list[Pushed] = []
        if manifest.artifact_type == MPACKAGE_TYPE:
            base = read_mpackage(self._layout, digest).config.base_dnn
            if any(entry.digest == base for entry in self._layout.entries()):
                done += self.push(base, replace(to, tag=None))
        elif manifest.artifact_type in KINDS:
            read_base_dnn(self._layout, digest)
        else:
            raise InputError(
                f"{name!r:.200} is neither a base DNN nor an M-Package",
                where=self._layout.root,
                remedy="mainstream packages list",
            )
        moved = self._blobs(digest, to)
        data = self._layout.read_blob(digest, limit=MANIFEST_LIMIT)
        if not self._is_there(replace(to, digest=None) if to.tag else to.at(digest), digest):
            self._client.put_manifest(to.repository, to.tag or digest, data)
        kind = KINDS[manifest.artifact_type or ""]
        label = next((entry.name for entry in self._layout.entries() if entry.digest == digest and entry.name), name)
        reference = str(to.at(digest))
        done.append(
            Pushed(
                name=label,
                kind=kind,
                reference=reference,
                sent_bytes=moved["Sent"],
                mounted_bytes=moved["Mounted"],
                there_bytes=moved["There"],
            )
        )
        return tuple(done)

    def _is_there(self, to: Reference, digest: str) -> bool:
        """Whether the tag or digest stands for this manifest."""
        if not self._client.has(to.repository, "manifests", to.target):
            return False
        return to.tag is None or sha256(self._client.manifest(to.repository, to.tag)) == digest

    def _blobs(self, digest: str, to: Reference) -> dict[str, int]:
        manifest = read_manifest(self._layout, digest)
        blobs = {one.digest: one.size for one in (manifest.config, *manifest.layers)}
        files = {one: self._layout.blob_path(one, size=size) for one, size in blobs.items()}
        advance = self._start(str(to.repository), sum(blobs.values()))
        moved = {"Sent": 0, "Mounted": 0, "There": 0}
        for one, size in blobs.items():
            source = self._went.get(one, self._mount_from)
            with disk("read", files[one]):
                became = self._client.upload(
                    to.repository, one, size=size, path=files[one], mount_from=source, advance=advance
                )
            moved[became] += size
            self._went[one] = to.repository
        return moved
