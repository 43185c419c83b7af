"""The page's server: routes, headers, who is let in."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mainstream.errors import InputError
from mainstream_runner.board import Board
from mainstream_runner.page.access import COOKIE, SESSION_SECONDS, Access, Asked, Token, networks
from mainstream_runner.page.feed import feed
from mainstream_runner.page.pictures import Pictures
from mainstream_runner.page.state import event, state
from mainstream_runner.serving import Address, Tls, is_local, listen, running

WHERE = "--web"
MOST_FEEDS = 32
MOST_FORM_BYTES = 8192
ASSETS = files("mainstream_runner.page") / "assets"
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html; charset=utf-8"}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" browsers send the login form with the origin "null"
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Where the page is, and for whom (see ``access``)."""

    address: str
    token: Path | None = None
    tls: Tls | None = None
    proxies: tuple[str, ...] = ()


@contextmanager
def serve_page(board: Board, options: PageOptions, *, warn: Callable[[str], None]) -> Iterator[str]:
    """Serve the page until the block ends; gives its URL. ``InputError`` if an option is wrong or the address taken."""
    trusted = networks(options.proxies)
    token = Token(options.token) if options.token is not None else None
    listening = listen(Address.parse(options.address, where=WHERE), where=WHERE)
    local = is_local(listening.getsockname()[0])
    if not local and token is None and not trusted:
        listening.close()
        raise InputError(
            f"{options.address} can be reached from elsewhere: cameras are not shown there to everybody",
            where=WHERE,
            remedy="Add --web-token FILE, or --web-trusted-proxy ADDRESS of a proxy that asks for passwords; or use 127.0.0.1.",
        )
    if not local and token is not None and options.tls is None:
        warn(
            "the page's token goes over the network as it is: give --web-tls-cert and --web-tls-key, or a proxy with TLS"
        )
    closing = threading.Event()
    access = Access(token=token, proxies=trusted, local_only=local)
    site = _Site(board, access, closing, secure=options.tls is not None)
    with running(site.application(), listening, name="page", tls=options.tls, closing=closing) as url:
        yield url


class _Site:
    def __init__(self, board: Board, access: Access, closing: threading.Event, *, secure: bool) -> None:
        self._board = board
        self._access = access
        self._closing = closing
        self._secure = secure
        self._pictures = Pictures(board)
        self._feeds = 0

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/assets/{name}", self._asset),
                Route("/login", self._login, methods=["POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/api/state", self._state),
                Route("/api/events", self._events),
                Route("/api/feed", self._feed),
                Route("/api/streams/{name}/picture", self._picture),
            ],
            exception_handlers={HTTPException: _no_such_thing},
        )

    async def _page(self, request: Request) -> Response:
        if self._access.foreign(_asked(request)):
            return _error(
                403, "this request comes from another site, or names this machine by a name that it does not know"
            )
        if not self._access.allowed(_asked(request)):
            return (
                _login_form(wrong=False)
                if self._access.takes_tokens
                else _error(403, "ask the proxy in front of this page")
            )
        return _file("index.html")

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        known = {one.name for one in ASSETS.iterdir() if not one.name.endswith(".html")}
        return _file(name) if name in known else _error(404, "there is nothing here")

    async def _login(self, request: Request) -> Response:
        if self._access.foreign(_asked(request)):
            return _error(403, "this request comes from another site")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_FORM_BYTES:
                return _error(413, "that is no token")
        given = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
        session = self._access.session(given)
        if session is None:
            return await self._wrong(request)
        answer = RedirectResponse("./", status_code=303, headers=HEADERS)
        answer.set_cookie(
            COOKIE, session, max_age=SESSION_SECONDS, path="/", httponly=True, samesite="strict", secure=self._secure
        )
        return answer

    async def _logout(self, request: Request) -> Response:
        if self._access.foreign(_asked(request)):
            return _error(403, "this request comes from another site")
        answer = RedirectResponse("./", status_code=303, headers=HEADERS)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self._secure)
        return answer

    async def _state(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        return _json(state(self._board, now=datetime.now(UTC)))

    async def _events(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            return _error(400, f"after: expected the number of an event, got {after[:40]!r}")
        return _json({"events": [event(number, record) for number, record in self._board.events(int(after))]})

    async def _picture(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        width = request.query_params.get("width", "640")
        if not (width.isascii() and width.isdigit() and len(width) < 6):
            return _error(400, f"width: expected pixels, got {width[:40]!r}")
        picture = await run_in_threadpool(self._pictures.get, request.path_params["name"], width=int(width))
        if picture is None:
            return _error(404, "this stream has no picture yet, or is none of the schedule's")
        return Response(picture, media_type="image/jpeg", headers=HEADERS)

    async def _feed(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        if self._feeds >= MOST_FEEDS:
            return _error(503, f"{MOST_FEEDS} others look already")

        async def text() -> AsyncIterator[str]:
            self._feeds += 1
            try:
                last = request.headers.get("last-event-id")
                async for part in feed(
                    self._board,
                    last=last,
                    now=lambda: datetime.now(UTC),
                    closing=self._closing,
                    gone=request.is_disconnected,
                ):
                    if not self._access.allowed(_asked(request)):
                        return
                    yield part
            finally:
                self._feeds -= 1

        return StreamingResponse(text(), media_type="text/event-stream", headers=HEADERS)

    async def _refusal(self, request: Request) -> Response | None:
        asked = _asked(request)
        if self._access.foreign(asked):
            return _error(
                403, "this request comes from another site, or names this machine by a name that it does not know"
            )
        if self._access.allowed(asked):
            return None
        if "authorization" in request.headers:
            return await self._wrong(request)
        return _error(401, "a token is needed: Authorization: Bearer ...")

    async def _wrong(self, request: Request) -> Response:
        if not await self._access.delay():
            return _error(429, "too many wrong tokens at once: try again")
        form = request.method == "POST"
        return _login_form(wrong=True) if form else _error(401, "this is not the token")


def _asked(request: Request) -> Asked:
    return Asked(
        peer=request.client.host if request.client else "",
        headers={name.lower(): value for name, value in request.headers.items()},
        cookie=request.cookies.get(COOKIE),
    )


def _file(name: str) -> Response:
    return Response((ASSETS / name).read_bytes(), media_type=KINDS[name.rpartition(".")[2]], headers=HEADERS)


def _login_form(*, wrong: bool) -> Response:
    form = (ASSETS / "login.html").read_text("utf-8")
    text = form.replace('role="alert" hidden', 'role="alert"') if wrong else form
    return Response(text, status_code=401, media_type=KINDS["html"], headers=HEADERS)


def _json(value: object) -> Response:
    return Response(json.dumps(value), media_type="application/json", headers=HEADERS)


async def _no_such_thing(_request: Request, error: Exception) -> Response:
    """No such address, or not by that method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, "there is nothing here" if status == 404 else "this is not the way to ask here")


def _error(status: int, message: str) -> Response:
    headers = HEADERS | ({"www-authenticate": "Bearer"} if status == 401 else {})
    return JSONResponse({"error": message}, status_code=status, headers=headers)
