"""One attempt to ask a registry something: TLS, redirects, credentials.

Rules:

* plain HTTP only to this machine, or where somebody explicitly said so;
* credentials go to the registry itself; a redirect to another host (registries keep blobs in object stores) goes without.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import httpx

from mainstream.errors import InputError, OperationError
from mainstream.packages.registry.auth import Authenticator, TokenRequest
from mainstream.packages.registry.credentials import Credentials
from mainstream.packages.registry.reference import is_this_machine

REFUSAL_BYTES = 8 << 10
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_HOSTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}

Body = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``scopes`` are what a token must allow, ``where`` is for messages, ``ok`` the statuses that are answers and no errors.

    A ``bare`` one is sent as it is: no credentials are added, no redirect is followed. ``body`` is made anew for each attempt.
    """

    method: str
    url: httpx.URL
    where: str
    ok: frozenset[int]
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    bare: bool = False


class Connection:
    """Connections to one registry, for several threads. ``ask`` gets the body of a token request's answer."""

    def __init__(
        self,
        registry: str,
        *,
        credentials: Credentials | None,
        ca: Path | None,
        insecure_http: bool,
        ask: Callable[[Request], bytes],
    ) -> None:
        local = is_this_machine(registry)
        plain = insecure_http or (local and ca is None)
        self.registry = registry
        self.base = _address(f"{'http' if plain else 'https'}://{_HOSTS.get(registry, registry)}")
        self._insecure_http = insecure_http
        self._ask = ask
        self._auth = Authenticator(credentials, registry=registry)
        self._http = httpx.Client(
            verify=_trust(ca),
            timeout=_TIMEOUT,
            trust_env=not local,  # a proxy is no way to this machine
            headers={"User-Agent": "mainstream", "Accept-Encoding": "identity"},
        )

    @property
    def user(self) -> str | None:
        """Who we say we are; None if nobody."""
        return self._auth.user

    def close(self) -> None:
        """Close all."""
        self._http.close()

    def send(self, request: Request) -> httpx.Response:
        """The answer, not read yet, whatever its status: credentials shown where they are asked for, redirects followed."""
        if request.bare:
            return self._send(request, request.url, request.headers)
        shown = self._auth.header(request.scopes)
        response = self._redirected(request, shown)
        # Twice: a token that was good for long has to be made anew, and may turn out not to be enough.
        for _ in range(2):
            if response.status_code != 401 or not self._is_registry(response.url):
                break
            challenges = response.headers.get_list("WWW-Authenticate")
            ask = partial(self._token, where=request.where)
            new = self._auth.answer(challenges, request.scopes, stale=shown, ask=ask)
            if new is None:
                break
            response.close()
            shown = new
            response = self._redirected(request, shown)
        return response

    def _redirected(self, request: Request, authorization: str | None) -> httpx.Response:
        url = request.url
        for _ in range(_MOST_REDIRECTS):
            ours = authorization is not None and self._is_registry(url)
            headers = {**request.headers, "Authorization": authorization or ""} if ours else request.headers
            response = self._send(request, url, headers)
            place = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or place is None or request.method not in {"GET", "HEAD"}:
                return response
            response.close()
            url = join(response.url, place, where=request.where)
        raise OperationError(f"registry {self.registry} redirects without end", where=request.where)

    def _send(self, request: Request, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        self._check_plain(url, where=request.where)
        content = request.body() if request.body is not None else None
        built = self._http.build_request(request.method, url, headers=headers, content=content)
        return self._http.send(built, stream=True)

    def _token(self, asked: TokenRequest, *, where: str) -> bytes:
        url = join(self.base, asked.realm, where=where)
        headers = {"Accept": "application/json"}
        body: Body | None = None
        if asked.form is not None:
            form = urlencode(asked.form).encode()
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
            body = partial(list, [form])
        else:
            for name, value in asked.query:
                url = url.copy_add_param(name, value)
        if asked.authorization is not None:
            headers["Authorization"] = asked.authorization
        method, ok = "POST" if body else "GET", frozenset({200})
        return self._ask(Request(method=method, url=url, where=where, ok=ok, headers=headers, body=body, bare=True))

    def _is_registry(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self.base.scheme, self.base.host, self.base.port)

    def _check_plain(self, url: httpx.URL, *, where: str) -> None:
        if url.scheme == "https" or self._insecure_http or (url.scheme == "http" and is_this_machine(url.host)):
            return
        raise InputError(
            f"registry {self.registry} points to {url.scheme}://{url.host}, which anybody on the way could read and change",
            where=where,
            remedy="Let the registry's proxy tell it that it is reached by https; where nobody can listen: --insecure-http.",
        )


def join(base: httpx.URL, place: str, *, where: str) -> httpx.URL:
    """The address that a registry points to, seen from ``base`` (``OperationError`` if it is none)."""
    try:
        return base.join(place)
    except httpx.InvalidURL:
        raise OperationError(f"the registry points to {place!r:.200}, which is no address", where=where) from None


def read_body(response: httpx.Response, limit: int) -> bytes | None:
    """The answer's body; None if it has more than ``limit`` bytes."""
    data = bytearray()
    for chunk in response.iter_raw():
        data += chunk
        if len(data) > limit:
            return None
    return bytes(data)


def _address(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InputError(f"{text!r:.200} is no registry's address: {error}") from None


def _trust(ca: Path | None) -> ssl.SSLContext:
    """The CAs of this system, and one more: a registry of one's own may redirect to a public object store."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError:
            raise InputError("is no certificate that can be read (PEM)", where=ca) from None
        except OSError as error:
            raise InputError(f"cannot read the CA's certificate: {error.strerror}", where=ca) from None
    return context
