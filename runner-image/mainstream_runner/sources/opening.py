"""Opens a scheduled stream's source, whatever its kind."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

from mainstream.errors import InputError
from mainstream.schedule import ScheduledStream
from mainstream_runner.clock import Clock
from mainstream_runner.secrets import Secrets
from mainstream_runner.sources.camera import camera
from mainstream_runner.sources.file import FileSource
from mainstream_runner.sources.live import LiveSource
from mainstream_runner.sources.source import Connection

OpenStream = Callable[[ScheduledStream], FileSource | LiveSource]
"""How a stream is opened; ``InputError`` if it never can be. A camera that is away is no error: its source keeps trying."""


def opener(
    *,
    until_end: bool,
    secrets: Secrets,
    clock: Clock,
    stop: Event,
    random: Callable[[], float],
    attempts: int | None = None,
    changed: Callable[[str, Connection], None] = lambda _stream, _connection: None,
) -> OpenStream:
    """``until_end`` plays a looped file once; ``stop`` ends the waits of live sources; ``random`` is in [0, 1).

    ``attempts`` and ``changed`` (told the stream's name, too): see ``LiveSource``.
    """

    def open_stream(stream: ScheduledStream) -> FileSource | LiveSource:
        where = f"stream {stream.name!r}"
        file = stream.source.file
        if file is None:
            return LiveSource(
                camera(stream.source, secrets, where=where),
                capture_fps=stream.capture_fps,
                clock=clock,
                stop=stop,
                random=random,
                attempts=attempts,
                changed=partial(changed, stream.name),
            )
        if file.path is None:
            raise InputError(
                "source.file.pvc: a volume claim exists in a cluster only",
                where=where,
                remedy="On the command line give the stream a source {file: {path: ...}}.",
            )
        return FileSource(
            Path(file.path), capture_fps=stream.capture_fps, loop=file.loop and not until_end, where=where
        )

    return open_stream
