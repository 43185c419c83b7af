"""Who may look at the page.

* On an address of this machine alone, without a token: whoever is on this machine. The ``Host`` header must name this machine
  (a page elsewhere could point its own name here: DNS rebinding), and requests that another site's page made are refused.
* Anywhere else a token is needed: as ``Authorization: Bearer``, or typed into the login form once. The cookie then holds a time
  and a code made with the token, never the token. Where the token is changed, all cookies end.
* A proxy that is named trusted asks its users itself: what comes from its address is let in. ``X-Forwarded-For`` and its like
  are never read, for anybody can write them.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from mainstream.errors import InputError
from mainstream_runner.serving import is_local

COOKIE = "mainstream-session"
SESSION_SECONDS = 30 * 24 * 3600
LEAST_TOKEN = 16
MOST_TOKEN = 4096
WHERE_TOKEN = "--web-token"  # noqa: S105 - an option's name
WHERE_PROXY = "--web-trusted-proxy"
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}

Network = IPv4Network | IPv6Network


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks of trusted proxies (``InputError``)."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            raise InputError(
                f"expected an address or a network such as 10.1.2.3 or 10.1.0.0/16, got {text!r}: {error}",
                where=WHERE_PROXY,
            ) from None
    return tuple(found)


def read_token(file: Path) -> str:
    """The token in a file, without space around it (``InputError`` if there is none that protects anything)."""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"{file}: cannot be read: {reason}", where=WHERE_TOKEN) from None
    if not LEAST_TOKEN <= len(token) <= MOST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"{file}: expected a token of {LEAST_TOKEN} to {MOST_TOKEN} characters without spaces, got {len(token)}",
            where=WHERE_TOKEN,
            remedy=f"Make one: openssl rand -hex 32 > {file}",
        )
    return token


class Token:
    """A token in a file that may change while the runner runs; while it cannot be read, nobody is let in."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._token = read_token(file)

    def value(self) -> str | None:
        """The token now."""
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._token = read_token(self._file)
                self._stamp = stamp
        except (OSError, InputError):
            self._stamp = None
            return None
        return self._token


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a request decides: the peer's address, and headers by lower-case name."""

    peer: str
    headers: Mapping[str, str]
    cookie: str | None


class Access:
    """Decides. ``token`` is None only where ``local_only`` is True or proxies are trusted."""

    def __init__(
        self, *, token: Token | None, proxies: Sequence[Network], local_only: bool, now: Callable[[], float] = time.time
    ) -> None:
        self._token = token
        self._proxies = tuple(proxies)
        self._local_only = local_only
        self._now = now
        self._failures = asyncio.Lock()
        self._waiting = 0

    @property
    def takes_tokens(self) -> bool:
        """Whether a login form makes sense."""
        return self._token is not None

    def foreign(self, asked: Asked) -> bool:
        """Whether another site's page, or another name for this address, made the request."""
        if asked.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            navigation = (
                asked.headers.get("sec-fetch-mode") == "navigate" and asked.headers.get("sec-fetch-dest") == "document"
            )
            if not navigation:
                return True
        origin = asked.headers.get("origin")
        host = asked.headers.get("host", "")
        if origin is not None and urlsplit(origin).netloc != host and not self._from_proxy(asked):
            return True
        return (
            self._local_only and self._token is None and _name(host) not in LOCAL_NAMES and not self._from_proxy(asked)
        )

    def allowed(self, asked: Asked) -> bool:
        """Whether this request may see cameras."""
        if self._from_proxy(asked):
            return True
        if self._token is None:
            return self._local_only and is_local(asked.peer)
        token = self._token.value()
        if token is None:
            return False
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return _same(given.strip(), token)
        return asked.cookie is not None and self._valid(asked.cookie, token)

    def session(self, given: str) -> str | None:
        """The cookie of somebody who typed that token; None if it is the wrong one."""
        token = self._token.value() if self._token else None
        if token is None or not _same(given.strip(), token):
            return None
        issued = str(int(self._now()))
        return f"{issued}.{_code(token, issued)}"

    async def delay(self) -> bool:
        """Wait before a wrong token is answered, one such answer at a time; False if too many wait already."""
        if self._waiting >= 8:
            return False
        self._waiting += 1
        try:
            async with self._failures:
                await asyncio.sleep(0.5)
        finally:
            self._waiting -= 1
        return True

    def _from_proxy(self, asked: Asked) -> bool:
        try:
            address = ip_address(asked.peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._proxies if network.version == address.version)

    def _valid(self, cookie: str, token: str) -> bool:
        issued, _, code = cookie.partition(".")
        if not (issued.isascii() and issued.isdigit()) or not _same(code, _code(token, issued)):
            return False
        return -60 <= self._now() - int(issued) <= SESSION_SECONDS


def _code(token: str, issued: str) -> str:
    return hmac.new(token.encode(), f"mainstream page session {issued}".encode(), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
