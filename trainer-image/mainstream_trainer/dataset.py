"""Datasets: pictures in a folder per class, or videos with CSV files of events beside them (formats, Datasets).

What is wrong is said with file, line and remedy before any training begins.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainstream.documents import canonical_json, sha256
from mainstream.errors import InputError
from mainstream.events import Span, united
from mainstream.events_csv import LabelledEvent, read_events_csv
from mainstream.resources.app import BACKGROUND
from mainstream_trainer.video import VideoFacts, probe

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video of a dataset and its labelled events."""

    path: Path
    facts: VideoFacts
    events: tuple[LabelledEvent, ...]

    def spans(self, labels: Sequence[str]) -> tuple[Span, ...]:
        """Events of those labels, united."""
        return united((event.start_frame, event.end_frame) for event in self.events if event.label in labels)

    def classes(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Each frame's class: place in ``labels`` of the first whose event covers it, ``len(labels)`` for background."""
        classes = np.full(self.facts.frames, len(labels), np.int64)
        for place in range(len(labels) - 1, -1, -1):
            for event in self.events:
                if event.label == labels[place]:
                    classes[event.start_frame : event.end_frame + 1] = place
        return classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture; ``part`` is the folder above its class's, where the dataset has ``train/`` and ``validation/``."""

    path: Path
    label: str
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Either videos or pictures. The digest is of the files' names and contents."""

    root: Path
    digest: str
    videos: tuple[Video, ...] = ()
    pictures: tuple[Picture, ...] = ()
    warnings: tuple[str, ...] = ()

    def check_labels(self, events: Sequence[str], *, where: str) -> None:
        """Each of an app's events must occur, and something else too (``InputError``)."""
        known = {event.label for video in self.videos for event in video.events} | {p.label for p in self.pictures}
        for label in events:
            if label not in known:
                raise InputError(
                    f"events: the dataset {self.root} never shows {label!r}",
                    where=where,
                    remedy=f"Its labels are: {', '.join(sorted(known))}.",
                )
        background = any((video.classes(events) == len(events)).any() for video in self.videos)
        if not background and all(picture.label in events for picture in self.pictures):
            raise InputError(
                f"events: all of the dataset {self.root} is events, so there is only one class to tell",
                where=where,
                remedy=f"Add {'frames outside events' if self.videos else f'a folder {BACKGROUND!r} with other pictures'}.",
            )


def read_dataset(root: Path) -> Dataset:
    """Read and check a dataset's folder (``InputError``); every video is decoded once."""
    if not root.exists():
        raise InputError("no such dataset", where=root, remedy="Check training.dataset.uri in the app's manifest.")
    if not root.is_dir():
        raise InputError("a dataset is a folder, this is a file", where=root, remedy="Give the folder that holds it.")
    tables = sorted(path for path in root.iterdir() if path.suffix.lower() == ".csv")
    return _videos(root, tables) if tables else _pictures(root)


def _videos(root: Path, tables: Sequence[Path]) -> Dataset:
    rows = [(table, event) for table in tables for event in read_events_csv(table)]
    videos, warnings = [], []
    for name in sorted({event.video for _, event in rows}):
        mine = [(table, event) for table, event in rows if event.video == name]
        table, first = mine[0]
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()):
            raise InputError(f"video: {name!r} lies outside the dataset's folder", where=f"{table}:{first.line}")
        if not path.is_file():
            beside = ", ".join(sorted(p.name for p in root.iterdir() if p.suffix.lower() != ".csv")[:8]) or "no file"
            raise InputError(
                f"video: there is no {name!r} beside the CSV file",
                where=f"{table}:{first.line}",
                remedy=f"Beside it: {beside}.",
            )
        facts = probe(path)
        for source, event in mine:
            if event.end_frame >= facts.frames:
                raise InputError(
                    f"end_frame: {event.end_frame} is past the end of {name}, whose last frame is {facts.frames - 1}"
                    + (f" (it is cut off: {facts.cut_off})" if facts.cut_off else ""),
                    where=f"{source}:{event.line}",
                    remedy="Frames count from 0; correct the line or the video.",
                )
        if facts.cut_off:
            warnings.append(
                f"{path}: the video is cut off ({facts.cut_off}); its events lie before that, so it is used"
            )
        videos.append(Video(path=path, facts=facts, events=tuple(event for _, event in mine)))
    if not videos:
        raise InputError("the CSV files hold no event", where=root, remedy="Add a line for each event.")
    files = [*tables, *(video.path for video in videos)]
    return Dataset(root=root, digest=_digest(root, files), videos=tuple(videos), warnings=tuple(warnings))


def _pictures(root: Path) -> Dataset:
    split = (root / TRAIN).is_dir() and (root / VALIDATION).is_dir()
    folders = [(root / part, part) for part in (TRAIN, VALIDATION)] if split else [(root, None)]
    pictures = [
        Picture(path=path, label=folder.name, part=part)
        for above, part in folders
        for folder in sorted(path for path in above.iterdir() if path.is_dir())
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in PICTURES
    ]
    if not pictures:
        raise InputError(
            "the dataset holds neither a CSV file of events nor pictures in a folder per class",
            where=root,
            remedy="Put videos and events.csv (video,label,start_frame,end_frame) here, or <class>/*.jpg.",
        )
    labels = sorted({picture.label for picture in pictures})
    if len(labels) < 2:
        raise InputError(
            f"the dataset has only one class, {labels[0]!r}",
            where=root,
            remedy=f"Add a folder with other pictures, such as {BACKGROUND}/.",
        )
    return Dataset(root=root, digest=_digest(root, [picture.path for picture in pictures]), pictures=tuple(pictures))


def _digest(root: Path, files: Sequence[Path]) -> str:
    entries = {}
    for path in files:
        with path.open("rb") as file:
            entries[path.relative_to(root).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return sha256(canonical_json(entries))


def seconds(frames: int, fps: Fraction) -> float:
    """Length of that many frames."""
    return float(frames / fps)
