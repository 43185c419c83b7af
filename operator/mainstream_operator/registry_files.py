"""The files of a registry (CNCF distribution, its ``filesystem`` driver), read and removed behind its back.

The registry itself deletes nothing: its API has no way to ask for that by age, and its garbage collection must not run beside
pushes. Its layout is documented and has been the same since version 2.0:

    docker/registry/v2/blobs/sha256/ab/abcd.../data
    docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/abcd.../link
    docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link
    docker/registry/v2/repositories/NAME/_layers/sha256/abcd.../link
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mainstream.errors import InputError

READ_LIMIT = 16 << 20
"""Bytes of the largest document (a config) that may mention other digests; what is larger is a layer."""
_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})")


def mentioned(data: bytes) -> frozenset[str]:
    """Every digest that stands in a document, wherever."""
    return frozenset(f"sha256:{found.decode()}" for found in _DIGEST.findall(data))


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """A manifest of a repository."""

    repository: str
    digest: str


@dataclass(frozen=True, slots=True)
class RegistryFiles:
    """The registry whose data are in ``root`` (``InputError`` where there is no such folder)."""

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise InputError("there is no such folder", where=self.root, remedy="Name the registry's root directory.")

    def revisions(self) -> dict[Revision, float]:
        """All manifests, each with the time (Unix) at which it was pushed last."""
        return {
            Revision(repository, f"sha256:{link.parent.name}"): link.stat().st_mtime
            for repository, folder in self._repositories()
            for link in folder.glob("_manifests/revisions/sha256/*/link")
        }

    def tags(self) -> dict[tuple[str, str], str]:
        """Digests by repository and tag."""
        return {
            (repository, link.parent.parent.name): link.read_text(encoding="ascii").strip()
            for repository, folder in self._repositories()
            for link in folder.glob("_manifests/tags/*/current/link")
        }

    def blobs(self) -> dict[str, int]:
        """Sizes in bytes by digest; manifests are blobs, too."""
        files = (self._base / "blobs" / "sha256").glob("*/*/data")
        return {f"sha256:{file.parent.name}": file.stat().st_size for file in files}

    def reached(self, digests: Iterable[str], sizes: dict[str, int]) -> frozenset[str]:
        """These digests and all that they mention, directly or not, as far as they are there."""
        found: set[str] = set()
        open_ends = [digest for digest in digests if digest in sizes]
        while open_ends:
            digest = open_ends.pop()
            if digest not in found:
                found.add(digest)
                open_ends += [one for one in self._mentions(digest, sizes[digest]) if one in sizes]
        return frozenset(found)

    def remove_revision(self, revision: Revision) -> None:
        """A repository forgets a manifest, with the tags that name it; its blobs stay."""
        folder = self._base / "repositories" / revision.repository / "_manifests"
        value = revision.digest.removeprefix("sha256:")
        for link in folder.glob("tags/*/current/link"):
            if link.read_text(encoding="ascii").strip() == revision.digest:
                shutil.rmtree(link.parent.parent)
        for old in folder.glob(f"tags/*/index/sha256/{value}"):
            shutil.rmtree(old)
        shutil.rmtree(folder / "revisions" / "sha256" / value)

    def remove_blob(self, digest: str) -> None:
        """No repository has it any more; then it is gone."""
        value = digest.removeprefix("sha256:")
        for _, folder in self._repositories():
            shutil.rmtree(folder / "_layers" / "sha256" / value, ignore_errors=True)
        shutil.rmtree(self._blob(digest).parent)

    @property
    def _base(self) -> Path:
        return self.root / "docker" / "registry" / "v2"

    def _blob(self, digest: str) -> Path:
        value = digest.removeprefix("sha256:")
        return self._base / "blobs" / "sha256" / value[:2] / value / "data"

    def _repositories(self) -> Iterator[tuple[str, Path]]:
        top = self._base / "repositories"
        for folder in sorted(top.rglob("_manifests")):
            yield str(folder.parent.relative_to(top)), folder.parent

    def _mentions(self, digest: str, size: int) -> frozenset[str]:
        if size > READ_LIMIT:
            return frozenset()
        data = self._blob(digest).read_bytes()
        return mentioned(data) if data.lstrip().startswith(b"{") else frozenset()
