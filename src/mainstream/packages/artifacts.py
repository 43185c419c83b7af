"""Base DNNs and M-Packages as OCI artifacts (formats, Base DNN and M-Package).

The manifest is canonical JSON, so the same config and blobs give the same digest. Reading verifies manifest and config, holds
the config against the layers and each layer's size against its file; a layer's bytes are verified when they are read
(``OciLayout.read_blob``). Layers of unknown media types are ignored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainstream.basednn import INPUT, BaseDnn, BaseDnnConfig, Precision
from mainstream.documents import sha256
from mainstream.errors import PackageError
from mainstream.packages.consistency import check_base_dnn, check_mpackage, check_stem
from mainstream.packages.descriptor import MANIFEST_TYPE, Descriptor
from mainstream.packages.layout import OciLayout, check_name
from mainstream.packages.manifest import CONFIG_LIMIT, Manifest, read_config, read_manifest
from mainstream.packages.mpackage import MPackage, MPackageConfig

BASE_DNN_TYPE = "application/vnd.mainstream.basednn.v1"
MPACKAGE_TYPE = "application/vnd.mainstream.mpackage.v1"
BASE_DNN_CONFIG_TYPE = "application/vnd.mainstream.basednn.config.v1+json"
MPACKAGE_CONFIG_TYPE = "application/vnd.mainstream.mpackage.config.v1+json"
SEGMENT_TYPE = "application/vnd.mainstream.segment.v1+tflite"
WEIGHTS_TYPE = "application/vnd.mainstream.weights.v1"

PIECE = "dev.mainstream.piece"
"""Annotation of a layer: ``segment``, ``branch`` or ``weights``."""
BRANCHPOINT = "dev.mainstream.branchpoint"
"""Annotation of a layer: the branchpoint that a segment ends at, or that a branch or the weights begin at."""

KINDS = {BASE_DNN_TYPE: "base DNN", MPACKAGE_TYPE: "M-Package"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A blob that an artifact refers to: what it is, and where it is cut; size in bytes."""

    piece: str
    branchpoint: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An entry of a store: its name, kind (``base DNN``, ``M-Package``), digest, and the layers of known media types."""

    name: str | None
    kind: str
    digest: str
    layers: tuple[Layer, ...]


def mpackage_name(namespace: str, app: str, precision: Precision = "f32") -> str:
    """The name of an app's M-Package in a store (``InputError`` if the app's name makes none).

    The one that was trained on an int8 base DNN has a name of its own, so that both can be there and be compared.
    """
    name = f"mpackage/{namespace}/{app}" + ("/int8" if precision == "int8" else "")
    check_name(name)
    return name


def split_key(key: str) -> tuple[str, str]:
    """``namespace/name`` of an app in two."""
    namespace, _, name = key.partition("/")
    return namespace, name


def write_base_dnn(layout: OciLayout, config: BaseDnnConfig, blobs: Mapping[str, bytes], *, name: str) -> BaseDnn:
    """Store a base DNN; ``blobs`` holds its segments and its weights by digest.

    ``PackageError`` if something is missing or inconsistent, ``OperationError`` if the disk refuses: the name stays as it was.
    """
    check_name(name)
    check_base_dnn(config, where=name)
    layers = [Layer(piece="segment", branchpoint=s.end, digest=s.digest, size=s.size) for s in config.segments]
    if config.weights_digest not in blobs:
        raise PackageError(f"weights: blob {config.weights_digest} is missing", where=name)
    size = len(blobs[config.weights_digest])
    layers.append(Layer(piece="weights", branchpoint=INPUT, digest=config.weights_digest, size=size))
    _put_blobs(layout, layers, blobs)
    digest = _put(layout, config, layers, name=name)
    return BaseDnn(digest=digest, config=config)


def write_mpackage(layout: OciLayout, config: MPackageConfig, branches: Mapping[str, bytes], *, name: str) -> MPackage:
    """Store an M-Package; ``branches`` holds each candidate's branch by digest.

    Its segments are the base DNN's blobs, which are in the store already. Errors as ``write_base_dnn``.
    """
    check_name(name)
    check_mpackage(config, where=name)
    if _is_there(layout, config.base_dnn):
        check_stem(config, read_base_dnn(layout, config.base_dnn), where=name)
    layers = [Layer(piece="segment", branchpoint=s.end, digest=s.digest, size=s.size) for s in config.segments]
    layers += [
        Layer(piece="branch", branchpoint=c.branchpoint, digest=c.branch_digest, size=c.branch_size)
        for c in config.candidates
    ]
    _put_blobs(layout, layers, branches)
    digest = _put(layout, config, layers, name=name)
    return MPackage(digest=digest, config=config)


def read_base_dnn(layout: OciLayout, reference: str) -> BaseDnn:
    """A base DNN by name or digest, verified as the module says (``PackageError``; ``InputError`` if there is none)."""
    manifest = _read(layout, reference, BASE_DNN_TYPE)
    where = f"{layout.root}: base DNN {reference}"
    config = read_config(layout, manifest, BaseDnnConfig, media_type=BASE_DNN_CONFIG_TYPE, where=where)
    check_base_dnn(config, where=where)
    expected = {(f"segment {s.end!r}", s.digest, s.size) for s in config.segments}
    _check_layers(layout, expected, manifest, SEGMENT_TYPE, where=where)
    sizes = {one.digest: one.size for one in manifest.layers if one.media_type == WEIGHTS_TYPE}
    weights = config.weights_digest
    if weights not in sizes:
        raise PackageError(f"the config's weights are blob {weights}, but no layer of the manifest is it", where=where)
    _check_layers(layout, {("weights", weights, sizes[weights])}, manifest, WEIGHTS_TYPE, where=where)
    return BaseDnn(digest=manifest.digest, config=config)


def read_mpackage(layout: OciLayout, reference: str) -> MPackage:
    """An M-Package by name or digest, verified as the module says (``PackageError``; ``InputError`` if there is none)."""
    manifest = _read(layout, reference, MPACKAGE_TYPE)
    where = f"{layout.root}: M-Package {reference}"
    config = read_config(layout, manifest, MPackageConfig, media_type=MPACKAGE_CONFIG_TYPE, where=where)
    check_mpackage(config, where=where)
    expected = {(f"segment {s.end!r}", s.digest, s.size) for s in config.segments}
    expected |= {(f"branch at {c.branchpoint!r}", c.branch_digest, c.branch_size) for c in config.candidates}
    _check_layers(layout, expected, manifest, SEGMENT_TYPE, where=where)
    return MPackage(digest=manifest.digest, config=config)


def list_artifacts(layout: OciLayout) -> Iterator[Artifact]:
    """What the store's index lists, by name; artifacts of other kinds are left out (``PackageError`` at a broken one)."""
    for entry in sorted(layout.entries(), key=lambda entry: (entry.name or "", entry.digest)):
        if entry.media_type == MANIFEST_TYPE and (artifact := artifact_of(layout, entry)) is not None:
            yield artifact


def artifact_of(layout: OciLayout, entry: Descriptor) -> Artifact | None:
    """The artifact that an entry of the index points to, None if it is of another kind (``PackageError``)."""
    manifest = read_manifest(layout, entry.digest, size=entry.size)
    if manifest.artifact_type not in KINDS:
        return None
    layers = tuple(
        Layer(
            piece=one.annotations.get(PIECE, ""),
            branchpoint=one.annotations.get(BRANCHPOINT, ""),
            digest=one.digest,
            size=one.size,
        )
        for one in manifest.layers
        if one.media_type in {SEGMENT_TYPE, WEIGHTS_TYPE}
    )
    return Artifact(name=entry.name, kind=KINDS[manifest.artifact_type], digest=entry.digest, layers=layers)


def _is_there(layout: OciLayout, digest: str) -> bool:
    return any(entry.digest == digest for entry in layout.entries())


def _put_blobs(layout: OciLayout, layers: list[Layer], blobs: Mapping[str, bytes]) -> None:
    for layer in layers:
        data = blobs.get(layer.digest)
        if data is None:
            layout.blob_path(layer.digest, size=layer.size)
        elif sha256(data) != layer.digest or len(data) != layer.size:
            raise PackageError(
                f"{layer.piece} {layer.branchpoint!r}: expected {layer.size} bytes of digest {layer.digest}, "
                f"got {len(data)} of {sha256(data)}"
            )
        else:
            layout.put_blob(data)


def _put(layout: OciLayout, config: BaseDnnConfig | MPackageConfig, layers: list[Layer], *, name: str) -> str:
    base = isinstance(config, BaseDnnConfig)
    data = config.canonical()
    if len(data) > CONFIG_LIMIT:
        raise PackageError(f"config: {len(data)} bytes are more than the {CONFIG_LIMIT} that it may have", where=name)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": BASE_DNN_TYPE if base else MPACKAGE_TYPE,
        "config": Descriptor(
            media_type=BASE_DNN_CONFIG_TYPE if base else MPACKAGE_CONFIG_TYPE,
            digest=layout.put_blob(data),
            size=len(data),
        ).plain(),
        "layers": [
            Descriptor(
                media_type=WEIGHTS_TYPE if layer.piece == "weights" else SEGMENT_TYPE,
                digest=layer.digest,
                size=layer.size,
                annotations={PIECE: layer.piece, BRANCHPOINT: layer.branchpoint},
            ).plain()
            for layer in layers
        ],
    }
    return layout.put_manifest(manifest, name=name)


def _read(layout: OciLayout, reference: str, kind: str) -> Manifest:
    digest = layout.resolve(reference)
    sizes = {entry.digest: entry.size for entry in layout.entries()}
    manifest = read_manifest(layout, digest, size=sizes.get(digest))
    if manifest.artifact_type != kind:
        raise PackageError(
            f"expected an artifact of type {kind}, got {manifest.artifact_type!r:.200}",
            where=f"{layout.root}: {reference}",
        )
    return manifest


def _check_layers(
    layout: OciLayout, expected: set[tuple[str, str, int]], manifest: Manifest, media_type: str, *, where: str
) -> None:
    """Each expected ``(what, digest, size)`` is a layer of that media type, and its file has that size (``PackageError``)."""
    listed = {(one.digest, one.size) for one in manifest.layers if one.media_type == media_type}
    for what, digest, size in sorted(expected):
        if (digest, size) not in listed:
            raise PackageError(
                f"the config's {what} is blob {digest} of {size} bytes, but no layer of the manifest is it", where=where
            )
        try:
            layout.check_size(digest, size)
        except PackageError as error:
            raise PackageError(f"{what}: {error.problem}", where=where, remedy=error.remedy) from None
