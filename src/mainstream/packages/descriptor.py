"""Descriptor: how OCI documents refer to a blob (image-spec v1.1, "descriptor.md"), read with care."""

import re
from dataclasses import dataclass, field
from typing import Any

from mainstream.errors import PackageError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
NAME_ANNOTATION = "org.opencontainers.image.ref.name"

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

NAME = re.compile(r"[a-z0-9]+(?:(?:[._-]|--)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._-]|--)[a-z0-9]+)*)*")
"""Names of artifacts: what skopeo's ``oci:`` transport takes as a reference and registries take as a repository."""

NAME_LENGTH = 255

_SIZE_LIMIT = 1 << 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A blob's media type, digest and size (bytes), with annotations."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = field(default_factory=dict)
    artifact_type: str | None = None

    @property
    def name(self) -> str | None:
        """The artifact's name, where an index gives it one; a name that no artifact can have counts as none."""
        name = self.annotations.get(NAME_ANNOTATION)
        return name if name is not None and is_name(name) else None

    def plain(self) -> dict[str, Any]:
        """As OCI writes it."""
        plain: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type is not None:
            plain["artifactType"] = self.artifact_type
        if self.annotations:
            plain["annotations"] = self.annotations
        return plain


def is_name(name: str) -> bool:
    """Whether an artifact can have that name."""
    return len(name) <= NAME_LENGTH and NAME.fullmatch(name) is not None


def descriptor(plain: object, *, what: str, where: object) -> Descriptor:
    """Read a descriptor, which ``what`` names in messages; fields that OCI may add are ignored (``PackageError``)."""
    if not isinstance(plain, dict):
        raise PackageError(f"{what}: expected a descriptor, got {_short(plain)}", where=where)
    media_type, digest, size = (plain.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str):
        raise PackageError(f"{what}.mediaType: expected a string, got {_short(media_type)}", where=where)
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise PackageError(
            f"{what}.digest: expected sha256: and 64 hexadecimal digits, got {_short(digest)}", where=where
        )
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _SIZE_LIMIT:
        raise PackageError(f"{what}.size: expected a number of bytes, got {_short(size)}", where=where)
    notes = plain.get("annotations") or {}
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise PackageError(f"{what}.annotations: expected strings by name, got {_short(notes)}", where=where)
    kind = plain.get("artifactType")
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=size,
        annotations=notes,
        artifact_type=kind if isinstance(kind, str) else None,
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
