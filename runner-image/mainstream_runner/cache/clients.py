"""Registry clients of a runner: credentials and CA are files, read anew for each schedule, so changed ones count."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from mainstream.packages.registry.client import RegistryClient
from mainstream.packages.registry.credentials import CredentialStore, read_credentials
from mainstream.packages.registry.reference import Reference

ClientFor = Callable[[Reference], RegistryClient]


def registry_clients(
    *, stop: Event, credentials: Path | None = None, ca: Path | None = None, insecure_http: bool = False
) -> ClientFor:
    """Makes clients that show the credentials of a Docker ``config.json`` (or of the folder of a mounted Secret).

    Setting ``stop`` ends what they wait for. A client raises ``InputError`` if a file cannot be read.
    """

    def client_for(reference: Reference) -> RegistryClient:
        known = read_credentials(credentials) if credentials is not None else CredentialStore()
        return RegistryClient(
            reference.registry,
            credentials=known.find(reference),
            ca=ca,
            insecure_http=insecure_http,
            pause=stop.wait,
        )

    return client_for
