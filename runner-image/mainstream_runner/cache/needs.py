"""What a schedule needs of its packages: manifests, and of each the segments and the one branch that are run.

Other candidates of a package stay in the registry: a box holds what it runs, and what it ran lately.
"""

from dataclasses import dataclass

from mainstream.errors import InputError, PackageError
from mainstream.packages.artifacts import SEGMENT_TYPE
from mainstream.packages.descriptor import DIGEST, Descriptor
from mainstream.packages.manifest import Manifest
from mainstream.packages.registry.reference import Reference, is_registry, parse_reference
from mainstream.schedule import Schedule, ScheduledApp


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """An app's package by digest, where it is (None: in a local store only), and the digests of the blobs to run."""

    app: str
    digest: str
    reference: Reference | None
    blobs: tuple[str, ...]

    @property
    def where(self) -> str:
        """For messages."""
        return f"app {self.app}: package {self.reference or self.digest}"

    def descriptors(self, manifest: Manifest) -> tuple[Descriptor, ...]:
        """The config and the blobs as the manifest lists them (``PackageError`` if it does not)."""
        layers = {one.digest: one for one in manifest.layers if one.media_type == SEGMENT_TYPE}
        for digest in self.blobs:
            if digest not in layers:
                raise PackageError(
                    f"its manifest lists no segment or branch {digest}",
                    where=self.where,
                    remedy="The schedule was made for another package: plan again.",
                )
        return (manifest.config, *(layers[digest] for digest in self.blobs))


def needs(schedule: Schedule) -> tuple[Need, ...]:
    """One for each app (``InputError`` if a reference cannot be read)."""
    stems = {stem.name: stem for stem in schedule.stems}
    return tuple(
        _need(app, tuple(segment.digest for segment in stems[app.stem].segments[: app.depth])) for app in schedule.apps
    )


def _need(app: ScheduledApp, segments: tuple[str, ...]) -> Need:
    place, _, digest = app.package.rpartition("@")
    where = f"app {app.app}: package"
    if not DIGEST.fullmatch(digest):
        raise InputError(
            f"expected a reference by digest (...@sha256:...), got {app.package!r:.200}",
            where=where,
            remedy="Plan again.",
        )
    reference = None
    if is_registry(place.partition("/")[0]):
        reference = parse_reference(app.package, where=where).at(digest)
    return Need(app=app.app, digest=digest, reference=reference, blobs=(*segments, app.branch_digest))
