"""``/metrics`` and ``/readyz``, on a port of their own; liveness is kopf's (``shell``)."""

import contextlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Ready = Callable[[], str | None]
"""Why the operator is not ready; None: it is."""


def serve(registry: CollectorRegistry, ready: Ready, *, host: str, port: int) -> ThreadingHTTPServer:
    """Answer in threads of their own, until ``shutdown``; ``server_port`` says where if ``port`` was 0 (``OSError``)."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """The two; anything else is not there."""
            if self.path == "/metrics":
                encoder, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, kind, encoder(registry))
            elif self.path == "/readyz":
                reason = ready()
                self._answer(200 if reason is None else 503, "text/plain; charset=utf-8", (reason or "ready").encode())
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there are /metrics and /readyz")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Probes every few seconds are no news."""

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            with contextlib.suppress(ConnectionError):  # who asked did not wait for the answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
