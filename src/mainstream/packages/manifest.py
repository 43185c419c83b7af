"""An artifact's manifest and config, read with care (image-spec v1.1, "manifest.md")."""

from dataclasses import dataclass
from typing import TypeVar

from mainstream.documents import Document
from mainstream.errors import InputError, PackageError
from mainstream.packages.descriptor import MANIFEST_TYPE, Descriptor, descriptor
from mainstream.packages.layout import MANIFEST_LIMIT, OciLayout

CONFIG_LIMIT = 16 << 20
"""Bytes of a config blob: 1,000 candidates with their histories stay below."""

SCHEMA_VERSION = 1
"""Of the configs that this program reads and writes."""

_MESSAGE_LENGTH = 600

AnyConfig = TypeVar("AnyConfig", bound=Document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact refers to."""

    digest: str
    artifact_type: str | None
    config: Descriptor
    layers: tuple[Descriptor, ...]


def read_manifest(layout: OciLayout, digest: str, *, size: int | None = None) -> Manifest:
    """The manifest of that digest, and of ``size`` bytes where an index says so (``PackageError``)."""
    where = f"{layout.root}: manifest {digest}"
    plain = layout.read_json(digest, limit=MANIFEST_LIMIT, size=size)
    if not isinstance(plain, dict) or not isinstance(plain.get("layers"), list):
        raise PackageError("not an OCI image manifest", where=where)
    if plain.get("schemaVersion") != 2 or plain.get("mediaType", MANIFEST_TYPE) != MANIFEST_TYPE:
        raise PackageError(
            f"expected an OCI image manifest of schemaVersion 2, got {plain.get('mediaType')!r:.100} "
            f"of {plain.get('schemaVersion')!r:.100}",
            where=where,
        )
    kind = plain.get("artifactType")
    return Manifest(
        digest=digest,
        artifact_type=kind if isinstance(kind, str) else None,
        config=descriptor(plain.get("config"), what="config", where=where),
        layers=tuple(
            descriptor(layer, what=f"layers[{place}]", where=where) for place, layer in enumerate(plain["layers"])
        ),
    )


def read_config(
    layout: OciLayout, manifest: Manifest, kind: type[AnyConfig], *, media_type: str, where: str
) -> AnyConfig:
    """The manifest's config as ``kind`` (``PackageError``: another media type, an unknown version, a wrong field)."""
    if manifest.config.media_type != media_type:
        raise PackageError(
            f"config: expected the media type {media_type}, got {manifest.config.media_type!r:.200}", where=where
        )
    plain = layout.read_json(manifest.config.digest, limit=CONFIG_LIMIT, size=manifest.config.size)
    version = plain.get("schemaVersion") if isinstance(plain, dict) else None
    if version != SCHEMA_VERSION:
        raise PackageError(
            f"config {manifest.config.digest}: schemaVersion: this program reads version {SCHEMA_VERSION}, "
            f"got {version!r:.100}",
            where=where,
            remedy="Update Mainstream, or make the artifact again with this version.",
        )
    try:
        return kind.from_plain(plain, where=where)
    except InputError as error:
        # A stranger chose the names of the fields that the message repeats.
        text = printable(error.problem)
        text = text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}..."
        raise PackageError(f"config {manifest.config.digest}: {text}", where=where) from None


def printable(text: str) -> str:
    """A stranger's text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
