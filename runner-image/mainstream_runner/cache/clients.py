"""Registry clients of a runner: credentials and CA are files, read anew for each schedule, so changed ones count."""

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event

from mainstream.packages.registry.access import RegistryAccess
from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.reference import Reference

ClientFor = Callable[[Reference], RegistryClient]


def registry_clients(
    *,
    stop: Event,
    credentials: Path | None = None,
    ca: Path | None = None,
    plain_http: Iterable[str] = (),
    insecure_http: bool = False,
) -> ClientFor:
    """Makes clients that show the credentials of a Docker ``config.json`` (or of the folder of a mounted Secret).

    Setting ``stop`` ends what they wait for. A client raises ``InputError`` if a file cannot be read.
    """
    access = RegistryAccess(
        credentials=credentials, ca=ca, plain_http=frozenset(plain_http), insecure_http=insecure_http
    )

    def client_for(reference: Reference) -> RegistryClient:
        return access.client(reference, stop=stop)

    return client_for
