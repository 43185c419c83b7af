"""Pictures for the page: each is encoded once for all who look."""

import threading
import time
from collections.abc import Callable

from mainstream_runner.board import Board

WIDTHS = (160, 320, 480, 640, 960, 1280)
FRESH_SECONDS = 0.4
"""A picture is shown that long before another is encoded."""


class Pictures:
    """Asked from many threads; encodes one picture at a time, so that looking never takes more than a core."""

    def __init__(self, board: Board, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], tuple[float, bytes | None]] = {}

    def get(self, stream: str, *, width: int) -> bytes | None:
        """The stream's newest picture as JPEG, of the next of ``WIDTHS``; None if there is none."""
        key = (stream, next((known for known in WIDTHS if known >= width), WIDTHS[-1]))
        with self._lock:
            made, picture = self._kept.get(key, (float("-inf"), None))
            if self._seconds() - made >= FRESH_SECONDS:
                known = {one.name for one in self._board.streams()}
                self._kept = {kept: value for kept, value in self._kept.items() if kept[0] in known}
                picture = self._board.picture(stream, width=key[1]) if stream in known else None
                if stream in known:
                    self._kept[key] = (self._seconds(), picture)
            return picture
