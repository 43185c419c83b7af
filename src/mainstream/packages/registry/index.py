"""Entries of a layout's index that are not made by writing an artifact: pulled ones, and those that leave with their blobs."""

from collections.abc import Callable

from mainstream.documents import canonical_json
from mainstream.errors import OperationError
from mainstream.packages.descriptor import INDEX_TYPE, MANIFEST_TYPE, NAME_ANNOTATION, Descriptor
from mainstream.packages.files import locked, write_whole
from mainstream.packages.layout import MANIFEST_LIMIT, OciLayout, check_name
from mainstream.packages.manifest import read_manifest

Entries = tuple[Descriptor, ...]


def change_index(layout: OciLayout, change: Callable[[Entries], Entries]) -> None:
    """Replace the index's entries by what ``change`` makes of them, alone among all processes (``OperationError``)."""
    with locked(layout.root / ".lock"):
        before = layout.entries()
        after = sorted(change(before), key=lambda one: (one.annotations.get(NAME_ANNOTATION, ""), one.digest))
        if tuple(after) == before:
            return
        index = canonical_json(
            {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [one.plain() for one in after]}
        )
        if len(index) > MANIFEST_LIMIT:
            raise OperationError(
                f"the store is full: its index would have more than {MANIFEST_LIMIT} bytes",
                where=layout.root,
                remedy="Choose another folder (--store DIR).",
            )
        write_whole(layout.root / "index.json", index)


def give_name(layout: OciLayout, digest: str, name: str) -> None:
    """Let ``name`` point to a manifest whose blob is in the layout (its bytes stay as they came)."""
    check_name(name)
    entry = Descriptor(
        media_type=MANIFEST_TYPE,
        digest=digest,
        size=len(layout.read_blob(digest, limit=MANIFEST_LIMIT)),
        artifact_type=read_manifest(layout, digest).artifact_type,
        annotations={NAME_ANNOTATION: name},
    )
    change_index(layout, lambda entries: (*(other for other in entries if other.name != name), entry))
