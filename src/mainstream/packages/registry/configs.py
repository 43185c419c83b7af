"""What a planner needs of an artifact in a registry: its config, without the layers that may be a thousand times larger.

Manifest and config are verified like everything that is pulled, and lie in a layout then (without a name): what was read once
is there by its digest, also when the registry is not.
"""

from threading import Event

from mainstream.basednn import BaseDnn, BaseDnnConfig
from mainstream.errors import InputError, PackageError
from mainstream.packages.artifacts import (
    BASE_DNN_CONFIG_TYPE,
    BASE_DNN_TYPE,
    MPACKAGE_CONFIG_TYPE,
    MPACKAGE_TYPE,
    SEGMENT_TYPE,
)
from mainstream.packages.consistency import check_base_dnn, check_mpackage, check_stem
from mainstream.packages.layout import OciLayout
from mainstream.packages.manifest import CONFIG_LIMIT, Manifest, read_config, read_manifest
from mainstream.packages.mpackage import MPackage, MPackageConfig
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.pull import from_registry
from mainstream.packages.registry.reference import Reference
from mainstream.packages.registry.staging import Staging


class ConfigReader:
    """From one registry, into a layout. ``stop`` is the event that the client's ``pause`` waits on."""

    def __init__(self, layout: OciLayout, client: RegistryClient, *, stop: Event) -> None:
        self._layout, self._client = layout, client
        self._staging = Staging(layout, pause=stop.wait)

    def mpackage(self, reference: Reference) -> tuple[MPackage, BaseDnn]:
        """An M-Package and the base DNN that it was trained on, which is in the same repository.

        ``PackageError`` if one is broken or something else, ``InputError`` if one is not there, else as ``RegistryClient``.
        """
        manifest = self._manifest(reference, MPACKAGE_TYPE, "an M-Package")
        where = str(reference)
        config = read_config(self._layout, manifest, MPackageConfig, media_type=MPACKAGE_CONFIG_TYPE, where=where)
        check_mpackage(config, where=where)
        blobs = {f"segment {one.end!r}": (one.digest, one.size) for one in config.segments}
        blobs |= {f"branch at {one.branchpoint!r}": (one.branch_digest, one.branch_size) for one in config.candidates}
        _check_listed(manifest, blobs, where=where)
        try:
            base = self.base_dnn(reference.at(config.base_dnn))
        except PackageError:
            raise
        except InputError as error:
            raise InputError(
                f"its base DNN is not in its repository: {error.problem}",
                where=where,
                remedy="Push the M-Package again from a store that has its base DNN: mainstream packages push",
            ) from None
        check_stem(config, base, where=where)
        return MPackage(digest=manifest.digest, config=config), base

    def base_dnn(self, reference: Reference) -> BaseDnn:
        """A base DNN; errors as ``mpackage``."""
        manifest = self._manifest(reference, BASE_DNN_TYPE, "a base DNN")
        where = str(reference)
        config = read_config(self._layout, manifest, BaseDnnConfig, media_type=BASE_DNN_CONFIG_TYPE, where=where)
        check_base_dnn(config, where=where)
        _check_listed(
            manifest, {f"segment {one.end!r}": (one.digest, one.size) for one in config.segments}, where=where
        )
        return BaseDnn(digest=manifest.digest, config=config)

    def _manifest(self, reference: Reference, kind: str, said: str) -> Manifest:
        manifest = self._fetched(reference)
        if manifest.artifact_type != kind:
            raise PackageError(
                f"is not {said}: its artifactType is {manifest.artifact_type!r:.200}",
                where=reference,
                remedy="Is it the right repository and tag?",
            )
        if manifest.config.size > CONFIG_LIMIT:
            raise PackageError(
                f"its config has {manifest.config.size} bytes, more than {CONFIG_LIMIT}", where=reference
            )
        if not self._staging.is_there(manifest.config):
            wanted = from_registry(self._client, reference, manifest.config)
            self._staging.add(wanted.blob, lambda file: wanted.bring(file, _nobody), where=wanted.where)
        return manifest

    def _fetched(self, reference: Reference) -> Manifest:
        """Always from the registry, also what is there: whoever may not read it any more, or never might, hears of it."""
        data = self._client.manifest(reference.repository, reference.target)
        return read_manifest(self._layout, self._layout.put_blob(data))


def _nobody(_count: int) -> None:
    """A progress that nobody looks at."""


def _check_listed(manifest: Manifest, blobs: dict[str, tuple[str, int]], *, where: str) -> None:
    """Each blob that the config names is a layer of the manifest (``PackageError``)."""
    listed = {(one.digest, one.size) for one in manifest.layers if one.media_type == SEGMENT_TYPE}
    for what, (digest, size) in sorted(blobs.items()):
        if (digest, size) not in listed:
            raise PackageError(
                f"the config's {what} is blob {digest} of {size} bytes, but no layer of the manifest is it", where=where
            )
