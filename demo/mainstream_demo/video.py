"""Composed streams as files: a video that is written whole or not at all, and the CSV of its events."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from mainstream.errors import OperationError
from mainstream_demo.belt import Picture
from mainstream_demo.scene import HEIGHT, WIDTH, Event

LIVE = {"bf": "0", "sc_threshold": "0", "threads": "1"}
"""How cameras code: several threads would cut each frame into slices, and noise would make a key frame of each."""
HEADER = ("video", "label", "start_frame", "end_frame")


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Turn a file system's refusal into an ``OperationError`` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise OperationError(
            f"cannot be written: {error.strerror or error}",
            where=path,
            remedy="Give another folder with --directory, or make room.",
        ) from None


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well; else it goes away.

    ``OperationError`` where the folder cannot be written or is full.
    """
    temporary = path.with_name(f".{path.name}.part")
    with said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_video(
    path: Path, pictures: Iterable[Picture], fps: Fraction, advance: Callable[[], None], *, live: bool = False
) -> None:
    """Write H.264 in MP4; ``advance`` is called after each picture. Pictures are (HEIGHT, WIDTH, 3) uint8, RGB.

    ``live`` codes as cameras do: a key frame each second, no frame that waits for a later one, frames in one piece.
    """
    import av

    options = {"crf": "24", "preset": "superfast"} | (LIVE | {"g": str(round(fps))} if live else {})
    with writing(path) as temporary, av.open(temporary, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            advance()
        container.mux(stream.encode())


def write_events(path: Path, videos: Mapping[str, Sequence[Event]]) -> None:
    """Write the events of a folder's videos (by file name) as ``events.csv``."""
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(HEADER)
        for video, events in videos.items():
            rows.writerows((video, event.label, event.start_frame, event.end_frame) for event in events)
