"""The stream of server-sent events that keeps a page up to date (HTML Living Standard, 9.2).

``event: state`` once a second, ``event: event`` for each record as it comes, with an id: a page that was cut off says the last
one that it has, and gets what it missed, as far as it is kept. The id names the run, too: another run begins anew.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

from mainstream_runner.board import Board
from mainstream_runner.page.state import event, state

EVERY_SECONDS = 0.25
STATE_EVERY = 4
"""Rounds between two states."""
RETRY_MILLISECONDS = 2000


def resume(last: str | None, *, run: str) -> int:
    """The number of the last record that a page has, from ``Last-Event-ID``; 0 if it is another run's or none."""
    begun, _, number = (last or "").rpartition("-")
    return int(number) if begun == run and number.isascii() and number.isdigit() else 0


async def feed(
    board: Board,
    *,
    last: str | None,
    now: Callable[[], datetime],
    closing: threading.Event,
    gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:
    """The text of the stream, until the server closes or the page is ``gone``."""
    run = board.started().strftime("%Y%m%dT%H%M%S%f")
    sent = resume(last, run=run)
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    if sent == 0:
        yield _message("run", {"run": run})
    turn = 0
    while not closing.is_set() and not await gone():
        if turn % STATE_EVERY == 0:
            yield _message("state", state(board, now=now()))
        for number, record in board.events(sent):
            yield _message("event", event(number, record), f"{run}-{number}")
            sent = number
        turn += 1
        await asyncio.sleep(EVERY_SECONDS)


def _message(kind: str, value: dict[str, Any], message_id: str | None = None) -> str:
    # One line of JSON: it has no line ends of its own.
    name = f"id: {message_id}\n" if message_id else ""
    return f"{name}event: {kind}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n"
