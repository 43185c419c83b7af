"""Base DNNs and M-Packages as OCI artifacts (formats, Base DNN and M-Package).

The manifest is canonical JSON, so the same config and blobs give the same digest. Reading verifies every digest and size
before use, takes the config for what its layers hold, and ignores layers of unknown media types.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mainstream.basednn import INPUT, BaseDnn, BaseDnnConfig
from mainstream.documents import sha256
from mainstream.errors import InputError, PackageError
from mainstream.packages.layout import MANIFEST_LIMIT, MANIFEST_TYPE, OciLayout
from mainstream.packages.mpackage import MPackage, MPackageConfig

BASE_DNN_TYPE = "application/vnd.mainstream.basednn.v1"
MPACKAGE_TYPE = "application/vnd.mainstream.mpackage.v1"
BASE_DNN_CONFIG_TYPE = "application/vnd.mainstream.basednn.config.v1+json"
MPACKAGE_CONFIG_TYPE = "application/vnd.mainstream.mpackage.config.v1+json"
SEGMENT_TYPE = "application/vnd.mainstream.segment.v1+tflite"
WEIGHTS_TYPE = "application/vnd.mainstream.weights.v1"

AnyConfig = TypeVar("AnyConfig", BaseDnnConfig, MPackageConfig)

PIECE = "dev.mainstream.piece"
"""Annotation of a layer: ``segment``, ``branch`` or ``weights``; and the branchpoint that it ends or begins at."""
BRANCHPOINT = "dev.mainstream.branchpoint"

CONFIG_LIMIT = 16 << 20
"""Bytes of a config blob: 1,000 candidates with their histories stay below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A blob that an artifact refers to: what it is, and where it is cut."""

    piece: str
    branchpoint: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An entry of a store: its name, kind, digest and layers."""

    name: str | None
    kind: str
    digest: str
    layers: tuple[Layer, ...]


def write_base_dnn(layout: OciLayout, config: BaseDnnConfig, blobs: Mapping[str, bytes], *, name: str) -> BaseDnn:
    """Store a base DNN; ``blobs`` holds its segments and its weights by digest."""
    layers = [Layer(piece="segment", branchpoint=s.end, digest=s.digest, size=s.size) for s in config.segments]
    weights = blobs[config.weights_digest]
    layers.append(Layer(piece="weights", branchpoint=INPUT, digest=config.weights_digest, size=len(weights)))
    _put_blobs(layout, layers, blobs)
    digest = _put(layout, config, layers, name=name)
    return BaseDnn(digest=digest, config=config)


def write_mpackage(layout: OciLayout, config: MPackageConfig, branches: Mapping[str, bytes], *, name: str) -> MPackage:
    """Store an M-Package; ``branches`` holds each candidate's branch by digest. Its segments are the base DNN's blobs."""
    layers = [Layer(piece="segment", branchpoint=s.end, digest=s.digest, size=s.size) for s in config.segments]
    layers += [
        Layer(piece="branch", branchpoint=c.branchpoint, digest=c.branch_digest, size=c.branch_size)
        for c in config.candidates
    ]
    _check_mpackage(config, where=name)
    _put_blobs(layout, layers, branches)
    digest = _put(layout, config, layers, name=name)
    return MPackage(digest=digest, config=config)


def read_base_dnn(layout: OciLayout, reference: str) -> BaseDnn:
    """A base DNN by name or digest, verified (``PackageError``; ``InputError`` if there is none)."""
    digest, plain, layers = _read(layout, reference, BASE_DNN_TYPE, BASE_DNN_CONFIG_TYPE)
    config = _config(BaseDnnConfig, plain, where=f"{layout.root}: base DNN {digest}")
    expected = {(s.digest, s.size) for s in config.segments}
    _check_layers(expected, layers, where=f"{layout.root}: base DNN {digest}")
    return BaseDnn(digest=digest, config=config)


def read_mpackage(layout: OciLayout, reference: str) -> MPackage:
    """An M-Package by name or digest, verified (``PackageError``; ``InputError`` if there is none)."""
    digest, plain, layers = _read(layout, reference, MPACKAGE_TYPE, MPACKAGE_CONFIG_TYPE)
    where = f"{layout.root}: M-Package {digest}"
    config = _config(MPackageConfig, plain, where=where)
    _check_mpackage(config, where=where)
    expected = {(s.digest, s.size) for s in config.segments}
    expected |= {(c.branch_digest, c.branch_size) for c in config.candidates}
    _check_layers(expected, layers, where=where)
    return MPackage(digest=digest, config=config)


def list_artifacts(layout: OciLayout) -> Iterator[Artifact]:
    """What the store's index lists, by name; artifacts of other kinds are left out."""
    for digest, name in sorted(layout.entries(), key=lambda entry: (entry[1] or "", entry[0])):
        manifest = _manifest(layout, digest)
        kind = {BASE_DNN_TYPE: "base DNN", MPACKAGE_TYPE: "M-Package"}.get(str(manifest.get("artifactType")))
        if kind is not None:
            yield Artifact(
                name=name, kind=kind, digest=digest, layers=_layers(manifest, where=f"{layout.root}: {digest}")
            )


def _put_blobs(layout: OciLayout, layers: list[Layer], blobs: Mapping[str, bytes]) -> None:
    for layer in layers:
        data = blobs.get(layer.digest)
        if data is not None:
            if sha256(data) != layer.digest or len(data) != layer.size:
                raise PackageError(f"{layer.piece} {layer.branchpoint}: its bytes are not those of {layer.digest}")
            layout.put_blob(data)
        elif not layout.has_blob(layer.digest):
            raise PackageError(f"{layer.piece} {layer.branchpoint}: blob {layer.digest} is missing", where=layout.root)


def _put(layout: OciLayout, config: BaseDnnConfig | MPackageConfig, layers: list[Layer], *, name: str) -> str:
    base = isinstance(config, BaseDnnConfig)
    data = config.canonical()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": BASE_DNN_TYPE if base else MPACKAGE_TYPE,
        "config": {
            "mediaType": BASE_DNN_CONFIG_TYPE if base else MPACKAGE_CONFIG_TYPE,
            "digest": layout.put_blob(data),
            "size": len(data),
        },
        "layers": [
            {
                "mediaType": WEIGHTS_TYPE if layer.piece == "weights" else SEGMENT_TYPE,
                "digest": layer.digest,
                "size": layer.size,
                "annotations": {PIECE: layer.piece, BRANCHPOINT: layer.branchpoint},
            }
            for layer in layers
        ],
    }
    return layout.put_manifest(manifest, name=name)


def _read(layout: OciLayout, reference: str, kind: str, config_type: str) -> tuple[str, Any, tuple[Layer, ...]]:
    digest = layout.resolve(reference)
    manifest = _manifest(layout, digest)
    where = f"{layout.root}: {reference}"
    if manifest.get("artifactType") != kind:
        raise PackageError(f"expected an artifact of type {kind}, got {manifest.get('artifactType')!r}", where=where)
    config = manifest.get("config")
    if not isinstance(config, dict) or config.get("mediaType") != config_type:
        raise PackageError(f"config: expected the media type {config_type}", where=where)
    plain = layout.read_json(str(config.get("digest")), limit=CONFIG_LIMIT)
    return digest, plain, _layers(manifest, where=where)


def _manifest(layout: OciLayout, digest: str) -> dict[str, Any]:
    manifest = layout.read_json(digest, limit=MANIFEST_LIMIT)
    if not isinstance(manifest, dict):
        raise PackageError(f"blob {digest} is not a manifest", where=layout.root)
    return manifest


def _layers(manifest: dict[str, Any], *, where: str) -> tuple[Layer, ...]:
    layers = []
    for plain in manifest.get("layers") or ():
        try:
            if plain["mediaType"] in {SEGMENT_TYPE, WEIGHTS_TYPE}:
                notes = plain.get("annotations") or {}
                layers.append(
                    Layer(
                        piece=str(notes.get(PIECE, "")),
                        branchpoint=str(notes.get(BRANCHPOINT, "")),
                        digest=str(plain["digest"]),
                        size=int(plain["size"]),
                    )
                )
        except (TypeError, KeyError, ValueError, AttributeError):
            raise PackageError(f"a layer of the manifest is broken: {plain!r:.200}", where=where) from None
    return tuple(layers)


def _config(kind: type[AnyConfig], plain: object, *, where: str) -> AnyConfig:
    version = plain.get("schemaVersion") if isinstance(plain, dict) else None
    if version != 1:
        raise PackageError(
            f"schemaVersion: this program reads version 1, got {version!r}",
            where=where,
            remedy="Update Mainstream, or make the artifact again with this version.",
        )
    try:
        return kind.from_plain(plain, where=where)
    except InputError as error:
        raise PackageError(error.problem, where=error.where) from None


def _check_layers(expected: set[tuple[str, int]], layers: tuple[Layer, ...], *, where: str) -> None:
    listed = {(layer.digest, layer.size) for layer in layers}
    for digest, size in sorted(expected - listed):
        raise PackageError(
            f"the config names blob {digest} of {size} bytes, but no layer of the manifest is it", where=where
        )


def _check_mpackage(config: MPackageConfig, *, where: str) -> None:
    """What one field alone cannot say (``PackageError``)."""
    cuts = (INPUT, *(segment.end for segment in config.segments))
    for candidate in config.candidates:
        if candidate.branchpoint not in cuts:
            raise PackageError(
                f"candidate {candidate.branchpoint!r} branches at none of the segments' ends", where=where
            )
        if len(candidate.confusion) != len(config.classes) or any(
            len(row) != len(config.classes) for row in candidate.confusion
        ):
            raise PackageError(f"candidate {candidate.branchpoint!r}: confusion must be classes x classes", where=where)
    for event in config.events:
        if event not in config.classes:
            raise PackageError(f"event {event!r} is none of the classes {list(config.classes)}", where=where)
    if len(set(config.classes)) != len(config.classes) or len(set(cuts)) != len(cuts):
        raise PackageError("two classes or two segments have the same name", where=where)
