"""Where frames come from: the seam between the loop and files, cameras and network streams."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal, Protocol

from mainstream_runner.board import StreamPhase
from mainstream_runner.frames import Frame, Interruption

EndReason = Literal["EndOfFile", "CutOff", "Closed"]

Wanted = Callable[[Fraction], bool]
"""Whether some app is due on a frame at that many seconds of the stream: a source may leave out what nobody needs."""


def everything(_seconds: Fraction) -> bool:
    """Each frame is wanted."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What is known of a stream before it is read. ``frames`` is announced or estimated, None if the file does not say.

    ``file`` is a path, or a live stream's address without credentials.
    """

    file: str
    width: int
    height: int
    fps: Fraction | None
    frames: int | None
    loop: bool
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """Why a stream ended, in a word and in a sentence."""

    reason: EndReason
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a source stands now."""

    phase: StreamPhase
    message: str = ""
    since: datetime | None = None
    reconnects: int = 0


class FrameSource(Protocol):
    """A stream's frames. ``end`` is set when ``frames`` is exhausted; ``close`` may be called at any time, twice too.

    ``skipped`` counts frames that were not decoded because nobody wanted them and no other frame needs them.
    """

    info: SourceInfo
    end: StreamEnd | None

    @property
    def corrupt_packets(self) -> int: ...

    @property
    def skipped(self) -> int: ...

    def frames(self, wanted: Wanted = everything) -> Generator[Frame | Interruption]: ...

    def connection(self) -> Connection: ...

    def close(self) -> None: ...
