"""OciLayout: an OCI image layout on disk (image-spec v1.1, "image-layout.md"), safe to read when somebody else wrote it.

Rules: a digest is checked before it becomes a path; a blob is read only up to a limit, and verified before it is used; files
appear whole or not at all; ``index.json`` is changed under a lock.
"""

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainstream.documents import canonical_json, sha256
from mainstream.errors import InputError, PackageError
from mainstream.packages.files import disk, remove_stale, write_whole

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
NAME_ANNOTATION = "org.opencontainers.image.ref.name"

MANIFEST_LIMIT = 1 << 20
"""Bytes of a manifest or an index; registries have the order of 4 MiB."""

BLOB_LIMIT = 1 << 30

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_CHUNK = 1 << 20


class OciLayout:
    """The layout in folder ``root``, which is made when something is first written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # Reading

    def blob_path(self, digest: str, *, limit: int = BLOB_LIMIT) -> Path:
        """The file of a blob whose bytes were just verified (``PackageError`` if it is missing, too large or wrong)."""
        path = self._place(digest)
        hasher = hashlib.sha256()
        for chunk in self._chunks(digest, path, limit):
            hasher.update(chunk)
        self._check(digest, "sha256:" + hasher.hexdigest(), path)
        return path

    def read_blob(self, digest: str, *, limit: int = BLOB_LIMIT) -> bytes:
        """A blob's verified bytes (``PackageError`` if it is missing, larger than ``limit`` bytes, or wrong)."""
        path = self._place(digest)
        data = b"".join(self._chunks(digest, path, limit))
        self._check(digest, sha256(data), path)
        return data

    def has_blob(self, digest: str) -> bool:
        """Whether a file is there for the blob; its bytes are not read."""
        return self._place(digest).is_file()

    def names(self) -> dict[str, str]:
        """Names in the index and the manifests that they point to; of equal names the last counts."""
        return {name: digest for digest, name in self.entries() if name}

    def entries(self) -> tuple[tuple[str, str | None], ...]:
        """``(digest, name)`` of each manifest that the index lists (``PackageError`` if the index is broken)."""
        return tuple((entry["digest"], _notes(entry).get(NAME_ANNOTATION)) for entry in self._entries())

    def resolve(self, reference: str) -> str:
        """The manifest's digest of a name, a digest or ``name@digest`` (``InputError`` if there is none)."""
        _, _, digest = reference.rpartition("@")
        if digest.startswith("sha256:"):
            self._place(digest)
            return digest
        names = self.names()
        if reference in names:
            return names[reference]
        known = ", ".join(sorted(names)) or "nothing yet"
        raise InputError(
            f"no artifact is named {reference!r}",
            where=self.root,
            remedy=f"There is: {known}. Import a base DNN or train an app first, or point --store to another folder.",
        )

    def read_json(self, digest: str, *, limit: int) -> Any:
        """A blob as JSON, verified (``PackageError``)."""
        try:
            return json.loads(self.read_blob(digest, limit=limit))
        except (ValueError, RecursionError) as error:
            raise PackageError(f"blob {digest} is not readable as JSON: {error}", where=self.root) from None

    # Writing

    def put_blob(self, data: bytes) -> str:
        """Store bytes once; returns their digest (``OperationError`` if the disk refuses)."""
        digest = sha256(data)
        path = self._place(digest)
        if not path.is_file() or path.stat().st_size != len(data):
            self._prepare()
            write_whole(path, data)
        return digest

    def put_manifest(self, manifest: Mapping[str, Any], *, name: str) -> str:
        """Store a manifest as canonical JSON and let ``name`` point to it; returns its digest."""
        if not _NAME.fullmatch(name) or len(name) > 255:
            raise InputError(f"name: expected lower-case letters, digits, '.', '_', '-' and '/', got {name!r}")
        data = canonical_json(manifest)
        digest = self.put_blob(data)
        descriptor = {
            "mediaType": MANIFEST_TYPE,
            "digest": digest,
            "size": len(data),
            "artifactType": manifest["artifactType"],
            "annotations": {NAME_ANNOTATION: name},
        }
        with self._locked():
            others = [e for e in self._entries() if _notes(e).get(NAME_ANNOTATION) != name]
            entries = sorted([*others, descriptor], key=lambda entry: str(entry.get("annotations")))
            index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
            write_whole(self.root / "index.json", canonical_json(index))
        return digest

    def _prepare(self) -> None:
        with disk("write to the store", self.root):
            (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        if not (self.root / "oci-layout").is_file():
            write_whole(self.root / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        remove_stale(self.root)
        remove_stale(self.root / "blobs" / "sha256")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with disk("lock the store", self.root):
            file = (self.root / ".lock").open("wb")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise PackageError(
                f"expected a digest (sha256: and 64 hexadecimal digits), got {digest!r}", where=self.root
            )
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _chunks(self, digest: str, path: Path, limit: int) -> Iterator[bytes]:
        if path.is_symlink() or not path.is_file():
            raise PackageError(
                f"blob {digest} is missing", where=self.root, remedy="Make the artifact again (import, train or pull)."
            )
        with disk("read", path), path.open("rb") as file:
            left = limit
            while chunk := file.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise PackageError(f"blob {digest} is larger than the {limit} bytes that it may have", where=path)
                yield chunk

    def _check(self, digest: str, actual: str, path: Path) -> None:
        if actual != digest:
            raise PackageError(
                f"blob {digest} holds other bytes (their digest is {actual}): it was damaged or replaced",
                where=path,
                remedy="Delete the file and make the artifact again (import, train or pull).",
            )

    def _entries(self) -> list[dict[str, Any]]:
        path = self.root / "index.json"
        if not path.exists():
            return []
        with disk("read", path):
            if path.stat().st_size > MANIFEST_LIMIT:
                raise PackageError(f"the index is larger than {MANIFEST_LIMIT} bytes", where=path)
            data = path.read_bytes()
        try:
            entries = json.loads(data)["manifests"]
            broken = [e for e in entries if not _DIGEST.fullmatch(e["digest"]) or not isinstance(_notes(e), dict)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise PackageError(f"not an OCI image index: {error}", where=path) from None
        if broken:
            raise PackageError(f"not an OCI image index: an entry is broken: {broken[0]!r:.200}", where=path)
        return list(entries)


def _notes(entry: Mapping[str, Any]) -> Any:
    return entry.get("annotations", {})
