"""Reference: where an artifact is in a registry, as people write it: ``registry/repository[:tag][@sha256:...]``.

The first part is a registry only if it could not be part of a name: it holds a ``.`` or a ``:``, or it is ``localhost``.
That is how other tools tell them apart, and it keeps names of a local store (``mpackage/default/apple``) what they are.
"""

import ipaddress
import re
from dataclasses import dataclass

from mainstream.errors import InputError
from mainstream.packages.descriptor import DIGEST, is_name

_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LENGTH = 1024
_REMEDY = "Write registry.example:5000/team/red-car, registry.example/team/red-car:v2 or .../red-car@sha256:..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """See the module. ``registry`` is ``host`` or ``host:port``; a digest, where there is one, decides."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def target(self) -> str:
        """What to ask the repository for: the digest, the tag, or ``latest``."""
        return self.digest or self.tag or "latest"

    def at(self, digest: str) -> "Reference":
        """The same repository, by digest."""
        return Reference(registry=self.registry, repository=self.repository, digest=digest)

    def __str__(self) -> str:
        """As it is written."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def is_registry(part: str) -> bool:
    """Whether the first part of a reference names a registry."""
    return part == "localhost" or "." in part or ":" in part


def parse_reference(text: str, *, where: object = None) -> Reference:
    """Read a reference (``InputError`` names what is wrong; ``where`` says who wrote it)."""
    rest = text.removeprefix("oci://").removeprefix("docker://")
    if "://" in rest:
        raise InputError(f"expected a reference without 'https://', got {text!r:.200}", where=where, remedy=_REMEDY)
    named, at, digest = rest.partition("@")
    registry, slash, path = named.partition("/")
    repository, colon, tag = path.partition(":")
    if not slash or not is_registry(registry) or not _REGISTRY.fullmatch(registry) or len(text) > _LENGTH:
        raise InputError(
            f"expected registry/repository, the registry with a dot or a port, got {text!r:.200}",
            where=where,
            remedy=_REMEDY,
        )
    if not is_name(repository):
        raise InputError(
            f"{repository!r:.200} is no repository's name: lower-case letters, digits, '.', '_', '-', and '/' between parts",
            where=where,
            remedy=_REMEDY,
        )
    if colon and not _TAG.fullmatch(tag):
        raise InputError(
            f"{tag!r:.200} is no tag: letters, digits, '.', '_' and '-', at most 128", where=where, remedy=_REMEDY
        )
    if at and not DIGEST.fullmatch(digest):
        raise InputError(
            f"expected sha256: and 64 hexadecimal digits after '@', got {digest!r:.200}", where=where, remedy=_REMEDY
        )
    return Reference(registry=registry, repository=repository, tag=tag or None, digest=digest or None)


def is_this_machine(registry: str) -> bool:
    """Whether a registry's host can be none but this machine, so that nobody is in between."""
    host = registry.rpartition(":")[0] if re.search(r":[0-9]+$", registry) else registry
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
