"""Who we are to a registry: Docker's ``config.json``, which is also what a Secret of type kubernetes.io/dockerconfigjson holds.

Read are its ``auths``. Programs that keep passwords elsewhere (``credsStore``, ``credHelpers``) are not run.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainstream.errors import InputError
from mainstream.packages.registry.reference import Reference

_MAX_BYTES = 1 << 20
"""A Kubernetes Secret is no larger."""
_FILES = (".dockerconfigjson", "config.json")
_REMEDY = "Make one with `docker login`, `podman login --authfile FILE` or `kubectl create secret docker-registry`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """User and password, or a token that a login left; secrets are in no ``repr``."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CredentialStore:
    """The entries of one file, by registry or by registry and the beginning of a repository; none by default."""

    entries: Mapping[str, Credentials] = field(default_factory=dict, repr=False)

    def find(self, reference: Reference) -> Credentials | None:
        """Those of the longest entry that the reference begins with, as Kubernetes chooses; None if there is none."""
        registry = "index.docker.io" if reference.registry == "docker.io" else reference.registry
        parts = (registry.lower(), *reference.repository.split("/"))
        for length in range(len(parts), 0, -1):
            found = self.entries.get("/".join(parts[:length]))
            if found is not None:
                return found
        return None


def read_credentials(path: Path) -> CredentialStore:
    """The credentials in a file, or in a folder that a Secret is mounted as (``InputError``: no value is ever repeated)."""
    file = path
    if path.is_dir():
        file = next((path / name for name in _FILES if (path / name).is_file()), path / _FILES[0])
    store, elsewhere = _read(file)
    if elsewhere and not store.entries:
        raise InputError(
            "holds no credentials: it leaves them to another program (credsStore, credHelpers)",
            where=file,
            remedy="Make a file of its own: `podman login --authfile FILE REGISTRY`, then --credentials FILE.",
        )
    return store


def mounted_credentials(path: Path | None) -> CredentialStore:
    """As ``read_credentials``; none without a path, and where a folder holds no such file: a Secret may be optional."""
    if path is None or (path.is_dir() and not any((path / name).is_file() for name in _FILES)):
        return CredentialStore()
    return read_credentials(path)


def default_credentials(environment: Mapping[str, str] = os.environ) -> CredentialStore:
    """Those that ``docker login`` left for this user, if any (``InputError`` if they cannot be read)."""
    folder = environment.get("DOCKER_CONFIG") or (environment.get("HOME", "") + "/.docker")
    file = Path(folder) / "config.json"
    return _read(file)[0] if file.is_file() else CredentialStore()


def _read(file: Path) -> tuple[CredentialStore, bool]:
    """What a file holds, and whether it leaves something to other programs."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the credentials: {error.strerror}", where=file, remedy=_REMEDY) from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"has more than {_MAX_BYTES} bytes", where=file, remedy="Is it the right file?")
    return _parsed(data, where=file)


def parse_credentials(data: bytes, *, where: object) -> CredentialStore:
    """The credentials that a Secret holds under ``.dockerconfigjson`` (``InputError``: no value is ever repeated)."""
    return _parsed(data, where=where)[0]


def _parsed(data: bytes, *, where: object) -> tuple[CredentialStore, bool]:
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        raise InputError("is not readable as JSON", where=where, remedy=_REMEDY) from None
    auths = plain.get("auths", {}) if isinstance(plain, dict) else None
    if not isinstance(auths, dict):
        raise InputError("auths: expected an object with an entry for each registry", where=where, remedy=_REMEDY)
    entries = {_key(name): _entry(value, where=f"{where}: auths[{name!r:.200}]") for name, value in auths.items()}
    store = CredentialStore({name: one for name, one in entries.items() if one is not None})
    return store, "credsStore" in plain or "credHelpers" in plain


def _key(name: str) -> str:
    """``https://index.docker.io/v1/`` and ``index.docker.io`` are one; so are repositories below a registry."""
    rest = name.removeprefix("https://").removeprefix("http://").rstrip("/")
    for version in ("/v1", "/v2"):
        rest = rest.removesuffix(version)
    registry, slash, path = rest.partition("/")
    return registry.lower() + slash + path


def _entry(value: Any, *, where: str) -> Credentials | None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise InputError("expected an object of strings", where=where, remedy=_REMEDY)
    username, password = value.get("username", ""), value.get("password", "")
    if value.get("auth"):
        try:
            username, _, password = base64.b64decode(value["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise InputError("auth: expected user:password in base64", where=where, remedy=_REMEDY) from None
        password = password.rstrip("\0")
    found = Credentials(username=username, password=password, identity_token=value.get("identitytoken", ""))
    if not (username + password + found.identity_token).isprintable():
        raise InputError("holds a line break or another control character", where=where, remedy=_REMEDY)
    return found if found.username or found.identity_token else None
