"""How to prove who we are: basic authentication, or a token that the registry's ``WWW-Authenticate`` says where to get.

Rules of the distribution project's token specification; tokens are kept by scope until the registry refuses them, so no
clock is needed. Passwords go to the registry and to the address that it names for tokens, to nobody else.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from mainstream.errors import OperationError
from mainstream.packages.registry.credentials import Credentials

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN_LENGTH = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A ``WWW-Authenticate`` header: ``basic``, or ``bearer`` with its parameters."""

    scheme: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What to send to get a token: ``form`` by POST if there is one, else ``query`` by GET with ``authorization``."""

    realm: str
    query: list[tuple[str, str]]
    authorization: str | None
    form: dict[str, str] | None


AskForToken = Callable[[TokenRequest], bytes]
"""Sends a token request; the answer's body."""


class Authenticator:
    """For one registry, used by several threads; None as credentials: nobody in particular."""

    def __init__(self, credentials: Credentials | None, *, registry: str) -> None:
        self._credentials = credentials
        self._registry = registry
        self._lock = Lock()
        self._known: dict[tuple[str, ...], str] = {}

    @property
    def user(self) -> str | None:
        """Who we say we are; None if nobody."""
        return None if self._credentials is None else self._credentials.username or "a token"

    def header(self, scopes: tuple[str, ...]) -> str | None:
        """The ``Authorization`` that was good for these scopes so far."""
        return self._known.get(scopes)

    def answer(
        self, challenges: list[str], scopes: tuple[str, ...], *, stale: str | None, ask: AskForToken
    ) -> str | None:
        """A new ``Authorization`` after ``stale`` was refused; None if there is nothing (new) to offer.

        ``OperationError`` if the place for tokens gives none.
        """
        with self._lock:
            known = self._known.get(scopes)
            if known is not None and known != stale:
                return known  # another thread asked meanwhile
            self._known.pop(scopes, None)
            new = self._new([_parse(text) for text in challenges], scopes, ask)
            if new is None or new == stale:
                return None
            self._known[scopes] = new
            return new

    def _new(self, challenges: list[Challenge], scopes: tuple[str, ...], ask: AskForToken) -> str | None:
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return f"Bearer {self._token(challenge.parameters, scopes, ask)}"
        if any(challenge.scheme == "basic" for challenge in challenges):
            return self._basic()
        return None

    def _basic(self) -> str | None:
        one = self._credentials
        if one is None or not one.username:
            return None
        return "Basic " + base64.b64encode(f"{one.username}:{one.password}".encode()).decode()

    def _token(self, parameters: dict[str, str], scopes: tuple[str, ...], ask: AskForToken) -> str:
        service = parameters.get("service", "")
        # The registry's own idea of the scope first: proxies rename repositories.
        asked = list(dict.fromkeys([*(parameters.get("scope", "").split() or scopes[:1]), *scopes[1:]]))
        form = None
        if self._credentials is not None and self._credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": self._credentials.identity_token,
                "client_id": "mainstream",
                "service": service,
                "scope": " ".join(asked),
            }
        query = [("service", service)] if service else []
        request = TokenRequest(
            realm=parameters["realm"],
            query=query + [("scope", scope) for scope in asked],
            authorization=None if form else self._basic(),
            form=form,
        )
        try:
            plain = json.loads(ask(request))
            token = plain.get("token") or plain.get("access_token")
        except (ValueError, RecursionError, AttributeError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > _TOKEN_LENGTH:
            raise OperationError(
                f"registry {self._registry}: {parameters['realm']!r:.200} gives no token that can be used",
                remedy="The registry's log says more.",
            )
        return token


def _parse(text: str) -> Challenge:
    scheme, _, rest = text.strip().partition(" ")
    found = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in _PARAMETER.findall(rest)}
    return Challenge(scheme=scheme.lower(), parameters=found)
