"""How a program in a cluster asks registries: mounted credentials and CA, and who is asked without TLS."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event

from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.credentials import mounted_credentials
from mainstream.packages.registry.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """``credentials`` is a Docker ``config.json`` or the folder of a mounted Secret, which may be empty.

    The files are read anew for each client, so changed ones count. Registries in ``plain_http`` (``host:port``) are asked
    without TLS, ``insecure_http`` means all.
    """

    credentials: Path | None = None
    ca: Path | None = None
    plain_http: frozenset[str] = frozenset()
    insecure_http: bool = False

    def client(self, reference: Reference, *, stop: Event) -> RegistryClient:
        """For the reference's registry; ``stop`` ends what it waits for. ``InputError`` if a file cannot be read."""
        known = mounted_credentials(self.credentials)
        return RegistryClient(
            reference.registry,
            credentials=known.find(reference),
            ca=self.ca,
            insecure_http=self.insecure_http or reference.registry in self.plain_http,
            pause=stop.wait,
        )
