"""The belt's own pixels: pictures of four objects and of the empty belt, cut out of ``belt.mp4`` and divided by time.

Training and test share no picture: of each object's clean frames (whole in the picture, no other object near) the earlier
part is for training and the later one for the test, with a gap of ``GAP_FRAMES`` between; of the two frames that show the
empty belt, the first is for training and the second for the test.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Share = Literal["training", "test"]
Picture = NDArray[np.uint8]

ASSETS = Path(__file__).parent / "assets"
VIDEO = ASSETS / "belt.mp4"
OBJECTS = ASSETS / "belt-objects.csv"

GAP_FRAMES = 3
"""Frames of an object that belong to neither share, between the earlier and the later ones."""
TRAINING_PART = 0.65
"""Part of an object's clean frames, without the gap, that is for training."""
EMPTY: Mapping[Share, int] = {"training": 0, "test": 53}
WIDTH = 470
"""Columns of the empty belt that are used: at the right edge of frame 0 the apple begins."""
ROWS = slice(80, 240)
"""Picture rows that an object can reach."""
WALL = slice(5, 70)
"""Picture rows that show only the wall, whose colour tells the camera's exposure."""
WALL_COLOUR = (226.0, 219.0, 212.0)
"""Every frame is scaled to this colour of the wall: the camera's exposure follows the objects, and would tell the shares
apart."""
PALE = "cauliflower"
"""As bright as the wall behind it; only its yellow tells them apart."""
MARGIN = 4
"""Columns left and right of an object that its cut-out takes along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """An object without the belt: ``pixels`` (h, w, 3) uint8, RGB; ``alpha`` (h, w) float32 in [0, 1]; its source."""

    pixels: Picture
    alpha: NDArray[np.float32]
    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What one share may show: the empty belt (h, w, 3) uint8, RGB, and each object's cut-outs."""

    empty: Picture
    cutouts: Mapping[str, tuple[Cutout, ...]]


Spans = Mapping[str, tuple[tuple[int, int, int], ...]]
"""For each object, in each frame that shows it: frame, first column, last column (excluded)."""


def read_frames(path: Path = VIDEO) -> tuple[Picture, ...]:
    """All frames of the video with one exposure, (h, w, 3) uint8, RGB."""
    import av

    with av.open(path) as container:
        return tuple(
            balanced(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)) for frame in container.decode(video=0)
        )


def balanced(picture: Picture) -> Picture:
    """The picture with each channel scaled so that the wall has ``WALL_COLOUR``."""
    wall = np.median(picture[WALL].reshape(-1, 3), axis=0)
    scaled: NDArray[np.float64] = picture * (np.array(WALL_COLOUR) / wall)
    return scaled.round().clip(0, 255).astype(np.uint8)


def read_spans(path: Path = OBJECTS) -> Spans:
    """Where each object is, frame by frame."""
    spans: dict[str, list[tuple[int, int, int]]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            spans.setdefault(row["object"], []).append((int(row["frame"]), int(row["left"]), int(row["right"])))
    return {name: tuple(sorted(places)) for name, places in sorted(spans.items())}


def clean_frames(spans: Spans, name: str, width: int) -> tuple[tuple[int, int, int], ...]:
    """The frames that show the whole object with no other one within twice the margin."""
    others = [place for other, places in spans.items() if other != name for place in places]
    return tuple(
        (frame, left, right)
        for frame, left, right in spans[name]
        if left >= MARGIN
        and right + MARGIN <= width
        and not any(
            frame == at and right + 2 * MARGIN > first and last > left - 2 * MARGIN for at, first, last in others
        )
    )


def divide(count: int) -> Mapping[Share, range]:
    """Places of ``count`` clean frames that belong to each share; ``GAP_FRAMES`` between them belong to none."""
    training = int((count - GAP_FRAMES) * TRAINING_PART)
    return {"training": range(training), "test": range(training + GAP_FRAMES, count)}


def shelf(share: Share, frames: tuple[Picture, ...], spans: Spans) -> Shelf:
    """The pictures of one share."""
    cutouts = {}
    for name in spans:
        places = clean_frames(spans, name, frames[0].shape[1])
        chosen = [places[place] for place in divide(len(places))[share]]
        cutouts[name] = tuple(_cut(frames, *place, pale=name == PALE) for place in chosen)
    return Shelf(empty=frames[EMPTY[share]][:, :WIDTH].copy(), cutouts=cutouts)


def _cut(frames: tuple[Picture, ...], frame: int, left: int, right: int, *, pale: bool) -> Cutout:
    """Cut one object out. The empty belt only tells what is object; none of its pixels stays where alpha is 0."""
    nearest = min(EMPTY.values(), key=lambda empty: abs(empty - frame))
    picture = frames[frame].astype(np.float32)
    belt = frames[nearest].astype(np.float32)
    belt[:, WIDTH:] = belt[:, WIDTH - 1 : WIDTH]
    columns = slice(left - MARGIN, right + MARGIN)
    difference = (picture - belt)[ROWS, columns]
    difference -= np.median(picture - belt, axis=(0, 1))
    object_ = _blur(np.abs(difference).max(axis=2), 1) > 22
    if pale:
        object_ |= _blur(difference[..., 0] - difference[..., 2], 2) > 5
    mask = _filled(_largest(_blur(object_.astype(np.float32), 1) > 0.5))
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    return Cutout(
        pixels=frames[frame][ROWS, columns][box].copy(),
        alpha=_blur(mask.astype(np.float32), 1)[box],
        frame=frame,
    )


def _blur(picture: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Mean over squares of ``2 * reach + 1`` pixels."""
    size = 2 * reach + 1
    padded = np.pad(picture, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    return np.asarray(windows.mean(axis=(2, 3)), np.float32)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected part (by edges) around the place where the mask is densest."""
    density = _blur(mask.astype(np.float32), 7) * mask
    part = np.zeros_like(mask)
    part[np.unravel_index(int(density.argmax()), mask.shape)] = True
    while True:
        grown = part.copy()
        grown[1:] |= part[:-1]
        grown[:-1] |= part[1:]
        grown[:, 1:] |= part[:, :-1]
        grown[:, :-1] |= part[:, 1:]
        grown &= mask
        if (grown == part).all():
            return part
        part = grown


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without holes: what lies between mask both in its row and in its column belongs to it."""
    between = np.ones_like(mask)
    for axis in (0, 1):
        before = np.logical_or.accumulate(mask, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        between &= before & after
    return between
