"""Liveness, readiness and metrics, on a port of their own: no token, and nothing that a camera saw.

* ``/healthz``: the loop came round lately; if not, restarting the runner is the remedy.
* ``/readyz``: a schedule runs and reaches frames: some frame was analysed, or every stream has been connected. A camera that is
  away is named, but does not make a runner unready that serves the others.
* ``/metrics``: Prometheus text or OpenMetrics, as asked for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainstream_runner.board import Board
from mainstream_runner.metrics import registry
from mainstream_runner.serving import Address, listen, running

ALIVE_SECONDS = 10.0
"""The loop comes round five times a second; one engine call takes a second on the slowest box."""
WHERE = "address of probes and metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """``ok`` and why not; ``notes`` are faults that do not change it."""

    ok: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def liveness(board: Board, *, within_seconds: float = ALIVE_SECONDS) -> Health:
    """Whether the loop came round within that time."""
    age = board.alive_age_seconds()
    if age <= within_seconds:
        return Health(ok=True)
    return Health(ok=False, reasons=(f"the loop last came round {age:.0f} s ago; {within_seconds:.0f} s are allowed",))


def readiness(board: Board) -> Health:
    """See the module."""
    reasons = list(liveness(board).reasons)
    notes = []
    if refused := board.refused():
        notes.append(f"the newest schedule is refused: {refused}")
    if board.schedule() is None:
        reasons.append("no schedule is loaded")
        return Health(ok=False, reasons=tuple(reasons), notes=tuple(notes))
    streams = board.streams()
    analysed = any(app.analysed for app in board.numbers().apps.values())
    for stream in streams:
        says = f"stream {stream.name!r}: {stream.phase}" + (f": {stream.message}" if stream.message else "")
        if not (analysed or stream.frames or stream.phase in {"Connected", "Ended"}):
            reasons.append(says)
        elif stream.phase not in {"Connected", "Ended"}:
            notes.append(says)
    notes += [
        f"sink {sink.sink!r} of app {sink.app!r}: {sink.message or 'not connected'}"
        for sink in board.sinks()
        if not sink.connected
    ]
    return Health(ok=not reasons, reasons=tuple(reasons), notes=tuple(notes))


@contextmanager
def serve_probes(board: Board, address: str) -> Iterator[str]:
    """Serve the three until the block ends; gives the URL. ``InputError`` if ``address`` is wrong or taken."""
    listening = listen(Address.parse(address, where=WHERE), where=WHERE)
    with running(probes(board), listening, name="probes", tls=None, closing=threading.Event()) as url:
        yield url


def probes(board: Board) -> Starlette:
    """The three as an application."""
    measured = registry(board)

    async def healthz(_: Request) -> Response:
        return _answer(liveness(board))

    async def readyz(_: Request) -> Response:
        return _answer(readiness(board))

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(measured), headers={"content-type": content_type, "cache-control": "no-store"})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])


def _answer(health: Health) -> Response:
    body = {"ok": health.ok, "reasons": list(health.reasons), "notes": list(health.notes)}
    return JSONResponse(body, status_code=200 if health.ok else 503, headers={"cache-control": "no-store"})
