"""What a store holds: each artifact with its blobs, what it shares with others, and whether all of it is sound."""

from dataclasses import dataclass

from mainstream.errors import MainstreamError, OperationError, PackageError
from mainstream.packages.artifacts import (
    BASE_DNN_TYPE,
    BRANCHPOINT,
    KINDS,
    MPACKAGE_TYPE,
    PIECE,
    read_base_dnn,
    read_mpackage,
)
from mainstream.packages.consistency import check_stem
from mainstream.packages.descriptor import MANIFEST_TYPE, Descriptor
from mainstream.packages.layout import OciLayout
from mainstream.packages.manifest import Manifest, printable, read_manifest

BROKEN = "broken"
OTHER = "other"
"""An artifact that some other program keeps in the layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A blob of an artifact: what it is (``manifest``, ``config``, ``segment``, ``branch``, ...), where it is cut; bytes."""

    what: str
    branchpoint: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An entry of the index. ``kind`` is ``base DNN``, ``M-Package``, ``other`` or ``broken``; then ``fault`` says why."""

    name: str | None
    kind: str
    digest: str
    pieces: tuple[Piece, ...]
    fault: str | None = None

    @property
    def label(self) -> str:
        """The name, or the digest where there is none."""
        return self.name or self.digest

    @property
    def blobs(self) -> dict[str, int]:
        """Bytes by digest; a blob counts once."""
        return {piece.digest: piece.size for piece in self.pieces}

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        return sum(self.blobs.values())

    @property
    def candidates(self) -> int:
        """How many branches it has."""
        return sum(piece.what == "branch" for piece in self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What ``verify`` found: what is wrong, in words that name the blob; nothing if all is sound."""

    content: Content
    faults: tuple[str, ...]


def contents(layout: OciLayout) -> tuple[Content, ...]:
    """All entries of the index by name; one whose manifest is broken does not hide the others.

    ``PackageError`` if the index itself is broken, ``InputError`` if there is no store.
    """
    layout.check_there()
    return tuple(
        _content(layout, entry)
        for entry in sorted(layout.entries(), key=lambda entry: (entry.name or "", entry.digest))
    )


def content(layout: OciLayout, reference: str) -> Content:
    """The artifact of that name or digest, in the index or not (``InputError``, ``PackageError``)."""
    digest = layout.resolve(reference)
    listed = [entry for entry in layout.entries() if entry.digest == digest]
    listed.sort(key=lambda entry: entry.name != reference)
    if listed:
        return _content(layout, listed[0])
    manifest = read_manifest(layout, digest)
    size = len(layout.read_blob(digest))
    return _described(manifest, Descriptor(media_type=MANIFEST_TYPE, digest=digest, size=size))


def shared_with(one: Content, others: tuple[Content, ...]) -> dict[str, tuple[str, ...]]:
    """By digest of a blob of ``one``: the other artifacts that refer to it, too."""
    there = [other for other in others if other.digest != one.digest]
    return {digest: tuple(other.label for other in there if digest in other.blobs) for digest in one.blobs}


def shared_bytes(one: Content, others: tuple[Content, ...]) -> int:
    """Bytes of ``one`` that others have, too."""
    shared = shared_with(one, others)
    return sum(size for digest, size in one.blobs.items() if shared[digest])


def verify(layout: OciLayout, chosen: tuple[Content, ...]) -> tuple[Verified, ...]:
    """Read every blob of the chosen artifacts and hold it against digest, size and config; each blob is read once."""
    known: dict[tuple[str, int], MainstreamError | None] = {}
    return tuple(Verified(content=one, faults=_faults(layout, one, known)) for one in chosen)


def _faults(layout: OciLayout, one: Content, known: dict[tuple[str, int], MainstreamError | None]) -> tuple[str, ...]:
    if one.fault is not None:
        return (one.fault,)
    faults = []
    for piece in one.pieces:
        key = (piece.digest, piece.size)
        if key not in known:
            try:
                known[key] = None
                layout.blob_path(piece.digest, size=piece.size)
            except (PackageError, OperationError) as error:
                known[key] = error
        if (found := known[key]) is not None:
            faults.append(f"{printable(f'{piece.what} {piece.branchpoint}').strip()}: {found.problem}")
    if not faults:
        try:
            _check_config(layout, one)
        except PackageError as error:
            faults.append(error.problem)
    return tuple(faults)


def _check_config(layout: OciLayout, one: Content) -> None:
    if one.kind == KINDS[BASE_DNN_TYPE]:
        read_base_dnn(layout, one.digest)
    elif one.kind == KINDS[MPACKAGE_TYPE]:
        config = read_mpackage(layout, one.digest).config
        if any(entry.digest == config.base_dnn for entry in layout.entries()):
            check_stem(config, read_base_dnn(layout, config.base_dnn), where=one.label)


def _content(layout: OciLayout, entry: Descriptor) -> Content:
    if entry.media_type != MANIFEST_TYPE:
        piece = Piece(what="blob", branchpoint="", digest=entry.digest, size=entry.size)
        return Content(name=entry.name, kind=OTHER, digest=entry.digest, pieces=(piece,))
    try:
        return _described(read_manifest(layout, entry.digest, size=entry.size), entry)
    except (PackageError, OperationError) as error:
        return Content(name=entry.name, kind=BROKEN, digest=entry.digest, pieces=(), fault=error.problem)


def _described(manifest: Manifest, entry: Descriptor) -> Content:
    pieces = [
        Piece(what="manifest", branchpoint="", digest=entry.digest, size=entry.size),
        Piece(what="config", branchpoint="", digest=manifest.config.digest, size=manifest.config.size),
    ]
    pieces += [
        Piece(
            what=layer.annotations.get(PIECE, "layer"),
            branchpoint=layer.annotations.get(BRANCHPOINT, ""),
            digest=layer.digest,
            size=layer.size,
        )
        for layer in manifest.layers
    ]
    return Content(
        name=entry.name,
        kind=KINDS.get(manifest.artifact_type or "", OTHER),
        digest=entry.digest,
        pieces=tuple(pieces),
    )
