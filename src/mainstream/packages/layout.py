"""OciLayout: an OCI image layout on disk (image-spec v1.1, "image-layout.md"), safe to read when somebody else wrote it.

Rules: a digest is checked before it becomes a path; a blob is read only up to a limit, and verified before it is used; files
appear whole or not at all; ``index.json`` is changed under a lock, so several processes may write.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainstream.documents import canonical_json, sha256
from mainstream.errors import InputError, OperationError, PackageError
from mainstream.packages.descriptor import (
    DIGEST,
    INDEX_TYPE,
    MANIFEST_TYPE,
    NAME_ANNOTATION,
    Descriptor,
    descriptor,
    is_name,
)
from mainstream.packages.files import DELETE_AND_MAKE_AGAIN, disk, locked, read_chunks, remove_stale, write_whole

MANIFEST_LIMIT = 1 << 20
"""Bytes of a manifest or an index; registries have the order of 4 MiB."""

BLOB_LIMIT = 1 << 30

VALUES_LIMIT = 500_000
"""Values in a JSON blob. Bytes alone do not bound the memory: 16 MiB of small values take gigabytes when parsed."""

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class OciLayout:
    """The layout in folder ``root``, which is made when something is first written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cleaned = False

    # Reading

    def blob_path(self, digest: str, *, limit: int = BLOB_LIMIT, size: int | None = None) -> Path:
        """The file of a blob whose bytes were just verified (``PackageError`` as ``read_blob``)."""
        hasher = hashlib.sha256()
        for chunk in self._chunks(digest, limit, size):
            hasher.update(chunk)
        self._check(digest, "sha256:" + hasher.hexdigest())
        return self._place(digest)

    def read_blob(self, digest: str, *, limit: int = BLOB_LIMIT, size: int | None = None) -> bytes:
        """A blob's verified bytes (``PackageError`` if it is missing, wrong, larger than ``limit`` or not ``size`` bytes)."""
        data = b"".join(self._chunks(digest, limit, size))
        self._check(digest, sha256(data))
        return data

    def read_json(self, digest: str, *, limit: int, size: int | None = None) -> Any:
        """A blob as JSON, verified (``PackageError``)."""
        return _parse(self.read_blob(digest, limit=limit, size=size), what=f"blob {digest}", where=self._place(digest))

    def check_size(self, digest: str, size: int) -> None:
        """``PackageError`` unless the blob is there with ``size`` bytes; its bytes are verified when they are read."""
        next(self._chunks(digest, BLOB_LIMIT, size), None)

    def check_there(self) -> None:
        """``InputError`` if nothing was ever written here."""
        with disk("read", self.root):
            there = self.root.is_dir()
        if not there:
            raise InputError("there is no store in this folder", where=self.root, remedy=_FILL)

    def stored(self) -> dict[str, int]:
        """Bytes of each blob that is there, whether an artifact refers to it or not; nothing is verified."""
        folder = self.root / "blobs" / "sha256"
        with disk("read", folder):
            paths = (
                [path for path in folder.iterdir() if DIGEST.fullmatch(f"sha256:{path.name}")]
                if folder.is_dir()
                else []
            )
            return {f"sha256:{path.name}": path.lstat().st_size for path in sorted(paths)}

    def entries(self) -> tuple[Descriptor, ...]:
        """The manifests that the index lists (``PackageError`` if the index is broken); none if there is no store yet."""
        path = self.root / "index.json"
        with disk("read", self.root):
            there = path.exists() or path.is_symlink()
        if not there:
            return ()
        self._check_version()
        plain = _parse(
            b"".join(read_chunks(path, limit=MANIFEST_LIMIT, what="the index")), what="the index", where=path
        )
        if (
            not isinstance(plain, dict)
            or plain.get("schemaVersion") != 2
            or not isinstance(plain.get("manifests"), list)
        ):
            raise PackageError("not an OCI image index of schemaVersion 2", where=path)
        return tuple(
            descriptor(entry, what=f"manifests[{place}]", where=path) for place, entry in enumerate(plain["manifests"])
        )

    def names(self) -> dict[str, str]:
        """Names in the index and the manifests that they point to; a name of several manifests is left out."""
        pointed: dict[str, set[str]] = {}
        for entry in self.entries():
            if entry.name is not None:
                pointed.setdefault(entry.name, set()).add(entry.digest)
        return {name: min(digests) for name, digests in pointed.items() if len(digests) == 1}

    def resolve(self, reference: str) -> str:
        """The manifest's digest of a name, a digest or ``name@digest`` (``InputError`` if there is none)."""
        _, _, digest = reference.rpartition("@")
        if digest.startswith("sha256:"):
            self._place(digest)
            return digest
        self.check_there()
        named = sorted({entry.digest for entry in self.entries() if entry.name == reference})
        if len(named) > 1:
            raise PackageError(
                f"the index names several artifacts {reference!r}: {', '.join(named)}",
                where=self.root / "index.json",
                remedy="Use one of the digests, or make the artifact again under that name.",
            )
        if named:
            return named[0]
        known = ", ".join(sorted(self.names())) or "nothing yet"
        raise InputError(f"no artifact is named {reference!r}", where=self.root, remedy=f"There is: {known}. {_FILL}")

    # Writing

    def put_blob(self, data: bytes) -> str:
        """Store bytes once; returns their digest (``OperationError`` if the disk refuses). A damaged blob is replaced."""
        digest = sha256(data)
        self._prepare()
        try:
            self.blob_path(digest, size=len(data))
        except PackageError:
            write_whole(self._place(digest), data)
        return digest

    def put_manifest(self, manifest: Mapping[str, Any], *, name: str) -> str:
        """Store a manifest as canonical JSON and let ``name`` point to it; returns its digest."""
        check_name(name)
        data = canonical_json(manifest)
        if len(data) > MANIFEST_LIMIT:
            raise PackageError(
                f"manifest: {len(data)} bytes are more than the {MANIFEST_LIMIT} that it may have", where=name
            )
        entry = Descriptor(
            media_type=MANIFEST_TYPE,
            digest=self.put_blob(data),
            size=len(data),
            artifact_type=manifest["artifactType"],
            annotations={NAME_ANNOTATION: name},
        )
        with locked(self.root / ".lock"):
            others = [other for other in self.entries() if other.name != name]
            entries = sorted([*others, entry], key=lambda one: (one.annotations.get(NAME_ANNOTATION, ""), one.digest))
            index = canonical_json(
                {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [one.plain() for one in entries]}
            )
            if len(index) > MANIFEST_LIMIT:
                raise OperationError(
                    f"the store is full: its index would have more than {MANIFEST_LIMIT} bytes",
                    where=self.root,
                    remedy="Choose another folder (--store DIR).",
                )
            write_whole(self.root / "index.json", index)
        return entry.digest

    def _prepare(self) -> None:
        if self._cleaned:
            return
        blobs = self.root / "blobs" / "sha256"
        with disk("write to the store", self.root):
            blobs.mkdir(parents=True, exist_ok=True)
            there = (self.root / "oci-layout").exists()
        if there:
            self._check_version()
        else:
            write_whole(self.root / "oci-layout", _LAYOUT)
        remove_stale(self.root)
        remove_stale(blobs)
        self._cleaned = True

    def _check_version(self) -> None:
        path = self.root / "oci-layout"
        plain = _parse(b"".join(read_chunks(path, limit=1 << 10, what="oci-layout")), what="oci-layout", where=path)
        version = plain.get("imageLayoutVersion") if isinstance(plain, dict) else None
        if version != "1.0.0":
            raise PackageError(
                f"imageLayoutVersion: this program reads 1.0.0, got {version!r:.100}",
                where=path,
                remedy="Update Mainstream, or choose another folder (--store DIR).",
            )

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise PackageError(
                f"expected a digest (sha256: and 64 hexadecimal digits), got {digest!r:.200}", where=self.root
            )
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _chunks(self, digest: str, limit: int, size: int | None) -> Iterator[bytes]:
        return read_chunks(self._place(digest), limit=limit, size=size, what=f"blob {digest}")

    def _check(self, digest: str, actual: str) -> None:
        if actual != digest:
            raise PackageError(
                f"blob {digest} holds other bytes (their digest is {actual}): it was damaged or replaced",
                where=self._place(digest),
                remedy=DELETE_AND_MAKE_AGAIN,
            )


_FILL = "Import a base DNN (mainstream base import), train an app (mainstream train), or choose another folder (--store DIR)."


def check_name(name: str) -> None:
    """``InputError`` unless an artifact can have that name."""
    if not is_name(name):
        raise InputError(
            "name of an artifact: expected parts of lower-case letters and digits, joined by one '.', '_', '-' or by '--', "
            f"with '/' between parts and at most 255 characters in all, got {name!r}"
        )


def _parse(data: bytes, *, what: str, where: Path) -> Any:
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > VALUES_LIMIT:
        raise PackageError(f"{what} holds more than the {VALUES_LIMIT} values that it may have", where=where)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{what} is not readable as JSON: {error}", where=where) from None
