"""An HTTP server in a thread of its own: addresses, certificates, start and end. The web page and the probes run on it.

Whatever a user can get wrong (address, port, certificate) is an ``InputError`` before the first request.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from mainstream.errors import InputError, OperationError

log = logging.getLogger("mainstream.serving")

END_SECONDS = 2
"""For answers on their way when the server ends; a feed of events notices the end by itself."""
RENEWAL_SECONDS = 60
"""How often certificate files are looked at: they are renewed while the runner runs for years."""
MOST_CONNECTIONS = 128
"""Above which a request is answered with 503: the box is there for its cameras."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; an empty host is every interface, port 0 a free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, where: str) -> "Address":
        """Read ``127.0.0.1:8080``, ``[::1]:8080``, ``name:8080`` or ``:8080``; ``InputError`` names ``where``."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in host) != bracketed:
            raise InputError(
                f"expected HOST:PORT with a port of at most 65535, got {text!r}",
                where=where,
                remedy="For example 127.0.0.1:8080, [::1]:8080 or :8080 (every interface); port 0 is a free one.",
            )
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the certificate with its chain, and its key without a passphrase."""

    certificate: Path
    key: Path

    def load(self, context: ssl.SSLContext) -> None:
        """Put the files' contents into ``context``; ``InputError`` if they are unreadable or do not belong together."""
        for path in (self.certificate, self.key):
            try:
                path.read_bytes()
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror}", where=path) from None
        try:
            # An empty passphrase, or OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or str(error)
            raise InputError(
                f"is no certificate for the key {str(self.key)!r}: {reason}",
                where=self.certificate,
                remedy="Give PEM files: the certificate with its chain, and its own key without a passphrase.",
            ) from None

    def stamp(self) -> tuple[int, ...]:
        """Changes when a file does."""
        try:
            return tuple(path.stat().st_mtime_ns for path in (self.certificate, self.key))
        except OSError:
            return ()


def listen(address: Address, *, where: str) -> socket.socket:
    """A socket that listens there, all else unchanged; ``InputError`` names ``where`` if that is not possible."""
    try:
        if not address.host:
            if socket.has_dualstack_ipv6():
                return socket.create_server(("", address.port), family=socket.AF_INET6, dualstack_ipv6=True)
            return socket.create_server(("", address.port))
        family, _, _, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(target[0]), address.port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen on {address}: {error.strerror}",
            where=where,
            remedy="Another program may have the port; name a free one, or port 0 to get any.",
        ) from None


def is_local(host: str) -> bool:
    """Whether an address reaches this machine alone; ``host`` is an IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@contextmanager
def running(
    app: ASGIApp, listening: socket.socket, *, name: str, tls: Tls | None, closing: threading.Event
) -> Iterator[str]:
    """Serve ``app`` until the block ends; gives the URL to open. ``closing`` is set first, so that endless answers end."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load(context)
    server = _Server(_config(app, _Renewal(tls, context) if tls is not None and context is not None else None))
    server.config.load()
    server.config.ssl = context
    thread = threading.Thread(target=server.serve_here, args=(listening,), name=name, daemon=True)
    thread.start()
    server.settled.wait()
    try:
        if not server.started:
            raise OperationError(f"the server {name!r} did not start")
        yield url(listening, secure=context is not None)
    finally:
        closing.set()
        server.should_exit = True
        thread.join()


def url(listening: socket.socket, *, secure: bool) -> str:
    """What to open in a browser on this machine."""
    host, port = listening.getsockname()[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104 - compared, not listened on
        host = "localhost"
    return f"{'https' if secure else 'http'}://{Address(host=host, port=port)}/"


class _Server(uvicorn.Server):
    """One that says when it is up, or that it never will be."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    def serve_here(self, listening: socket.socket) -> None:
        """The thread."""
        try:
            with listening:
                self.run([listening])
        finally:
            self.settled.set()


class _Renewal:
    """Takes a renewed certificate over; one that is broken is refused, and the old one stays."""

    def __init__(self, tls: Tls, context: ssl.SSLContext) -> None:
        self._tls = tls
        self._context = context
        self._seen = tls.stamp()

    async def __call__(self) -> None:
        stamp = self._tls.stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._tls.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._tls.load(self._context)
        except InputError as error:
            log.warning("the renewed certificate is refused, the old one stays: %s", error)


def _config(app: ASGIApp, renewal: _Renewal | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,  # its loggers go where all others go (logs)
        access_log=False,
        proxy_headers=False,  # whom to believe is decided in web.access
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=END_SECONDS,
        callback_notify=renewal,
        timeout_notify=RENEWAL_SECONDS,
    )
