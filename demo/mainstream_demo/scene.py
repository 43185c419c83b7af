"""The scene: objects pass one after the other on a fast belt, in changing light; every frame's truth is exact.

Pure: a seed makes a stream, always the same one (with one version of numpy and Pillow). What is random is drawn when the
stream is planned (``plan``), so that truth and pixels come from the same numbers.

An object's event lasts while its middle is inside the picture. The belt's speed drifts slowly, so that events of one stream
last between the two lengths of ``Difficulty.crossing_seconds``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mainstream_demo.belt import Cutout, Picture, Shelf

WIDTH, HEIGHT = 320, 180
"""Pixels of the composed video."""
WINDOW = (80, 56, 392, 232)
"""What the camera sees of the empty belt: left, top, right, bottom in ``belt.mp4``'s pixels."""
SCALE = HEIGHT / (WINDOW[3] - WINDOW[1])
FLOOR = 140
"""Row on which the farthest objects stand (in ``belt.mp4`` their lowest row is about 195, here (195 - 56) * SCALE)."""
DEPTH = 14
"""The nearest objects stand this many rows lower."""
GRAIN = 2
NOISE_BANK = 16
"""Pictures of noise that are drawn once and shifted at random for each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """How hard the pixels are. Ranges are (low, high); each object, or each moment of light, lies between."""

    size: tuple[float, float] = (0.4, 0.75)
    """Of an object's own size in ``belt.mp4``."""
    light: tuple[float, float] = (0.3, 1.0)
    """Brightness of the picture, 1 is as in ``belt.mp4``; it wanders with a period of some seconds."""
    cast: float = 0.06
    """Each colour channel of the whole picture wanders by up to this fraction: the lamps' colour."""
    tint: float = 0.28
    """Each colour channel of an object is scaled by up to this fraction, up or down: ripeness, coloured light."""
    noise: float = 9.0
    """Standard deviation of the noise, of 255; a grain is ``GRAIN`` pixels wide and high."""
    crossing_seconds: tuple[float, float] = (0.45, 0.7)
    """Length of an event."""
    pause_seconds: tuple[float, float] = (0.4, 1.8)
    """Between an object's leaving (its middle) and the next one's coming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One object that passes. ``positions`` are its middle's columns for the frames ``first``, ``first + 1``, ..."""

    label: str
    patch: NDArray[np.float32]  # (h, w, 3), RGB, 0 to 255
    alpha: NDArray[np.float32]  # (h, w, 1)
    bottom: int
    first: int
    positions: tuple[float, ...]
    start: int  # first and last frame whose middle is inside the picture
    end: int
    source_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An object's time in the picture: first and last frame, both included."""

    label: str
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A planned stream of ``frames`` frames."""

    frames: int
    fps: Fraction
    empty: NDArray[np.float32]  # (HEIGHT, WIDTH, 3)
    passes: tuple[Pass, ...]
    light: NDArray[np.float32]  # (frames, 3): a factor for each frame and channel
    noise: float
    seed: int

    @property
    def events(self) -> tuple[Event, ...]:
        """The truth, in the order of time."""
        return tuple(Event(label=item.label, start_frame=item.start, end_frame=item.end) for item in self.passes)


def plan(shelf: Shelf, *, frames: int, fps: Fraction, seed: int, difficulty: Difficulty) -> Scene:
    """Draw a stream of ``frames`` frames; no object is cut off by its beginning or end."""
    random = np.random.default_rng(seed)
    labels = sorted(shelf.cutouts)
    slowest = WIDTH / (difficulty.crossing_seconds[1] * float(fps))
    fastest = WIDTH / (difficulty.crossing_seconds[0] * float(fps))
    passes: list[Pass] = []
    at = random.uniform(*difficulty.pause_seconds) * float(fps)
    phase = random.uniform(0, 2 * np.pi)
    while True:
        label = labels[random.integers(len(labels))]
        cutout = shelf.cutouts[label][random.integers(len(shelf.cutouts[label]))]
        mix = 0.5 + 0.5 * np.sin(at / float(fps) / 5 + phase)
        item = _pass(cutout, label, at=at, speed=slowest + mix * (fastest - slowest), random=random, look=difficulty)
        if item.first + len(item.positions) > frames:
            break
        passes.append(item)
        at = item.end + 1 + random.uniform(*difficulty.pause_seconds) * float(fps)
    seconds = np.arange(frames) / float(fps)
    low, high = difficulty.light
    wander = np.sin(seconds / random.uniform(1.5, 3) + phase) + np.sin(seconds / random.uniform(5, 9) + 2 * phase)
    brightness = low + (high - low) * (0.5 + 0.25 * wander)
    periods, phases = random.uniform(4, 12, 3), random.uniform(0, 2 * np.pi, 3)
    cast = 1 + difficulty.cast * np.sin(seconds[:, None] * 2 * np.pi / periods + phases)
    empty = Image.fromarray(shelf.empty).crop(WINDOW).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return Scene(
        frames=frames,
        fps=fps,
        empty=np.asarray(empty, np.float32),
        passes=tuple(passes),
        light=(brightness[:, None] * cast).astype(np.float32),
        noise=difficulty.noise,
        seed=seed,
    )


def _pass(
    cutout: Cutout, label: str, *, at: float, speed: float, random: np.random.Generator, look: Difficulty
) -> Pass:
    """One object that comes in from the right when ``at`` (frames) is reached; ``speed`` in pixels per frame."""
    scale = random.uniform(*look.size) * SCALE
    size = (max(4, round(cutout.pixels.shape[1] * scale)), max(4, round(cutout.pixels.shape[0] * scale)))
    pixels, alpha = Image.fromarray(cutout.pixels), Image.fromarray((cutout.alpha * 255).astype(np.uint8))
    if random.random() < 0.5:
        pixels = pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        alpha = alpha.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    patch = np.asarray(pixels.resize(size, Image.Resampling.BOX), np.float32)
    tint = random.uniform(1 - look.tint, 1 + look.tint, 3).astype(np.float32)
    half = size[0] / 2
    start = int(np.ceil(at))
    entering = int(half / speed) + 1
    first = max(0, start - entering)
    places = WIDTH - (np.arange(first, start + int(2 * (WIDTH + half) / speed) + 2) - at) * speed
    places = places[: int(np.count_nonzero(places > -half)) + 1]
    inside = np.flatnonzero((places <= WIDTH) & (places >= 0)) + first
    return Pass(
        label=label,
        patch=(patch * tint).clip(0, 255),
        alpha=np.asarray(alpha.resize(size, Image.Resampling.BOX), np.float32)[..., None] / np.float32(255),
        bottom=round(FLOOR + random.uniform(0, DEPTH)),
        first=first,
        positions=tuple(float(place) for place in places),
        start=int(inside[0]),
        end=int(inside[-1]),
        source_frame=cutout.frame,
    )


def render(scene: Scene) -> Iterator[Picture]:
    """All frames of the stream in order, each (HEIGHT, WIDTH, 3) uint8, RGB."""
    random = np.random.default_rng([scene.seed, 1])
    size = (NOISE_BANK, HEIGHT // GRAIN + 16, WIDTH // GRAIN + 16)
    grey = random.normal(0, scene.noise * 0.8, (*size, 1))  # brightness and colour together have the wanted deviation
    bank = (grey + random.normal(0, scene.noise * 0.6, (*size, 3))).astype(np.float32)
    bank = bank.repeat(GRAIN, axis=1).repeat(GRAIN, axis=2)
    waiting = list(scene.passes)
    here: list[Pass] = []
    for frame in range(scene.frames):
        while waiting and waiting[0].first <= frame:
            here.append(waiting.pop(0))
        here = [item for item in here if frame < item.first + len(item.positions)]
        picture = scene.empty.copy()
        for item in here:
            _paste(picture, item, item.positions[frame - item.first])
        top, left = random.integers(16 * GRAIN, size=2)
        noise = bank[random.integers(NOISE_BANK), top : top + HEIGHT, left : left + WIDTH]
        picture *= scene.light[frame]
        picture += noise
        yield picture.clip(0, 255).astype(np.uint8)


def _paste(picture: NDArray[np.float32], item: Pass, middle: float) -> None:
    height, width = item.alpha.shape[:2]
    left, top = round(middle - width / 2), item.bottom - height
    first, last = max(0, left), min(WIDTH, left + width)
    if first >= last:
        return
    place = picture[top : item.bottom, first:last]
    columns = slice(first - left, last - left)
    place += item.alpha[:, columns] * (item.patch[:, columns] - place)
