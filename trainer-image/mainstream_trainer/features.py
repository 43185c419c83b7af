"""The frozen stem's features on a dataset's frames, computed once and cached (paper section 5; runtime, "Training").

They are computed with the base DNN's own segments, in the engine that the runner uses, so branches are trained on exactly what
they will be given. The cache is keyed by base DNN, view, cut and dataset, so all applications of a dataset use it. Beside each
frame as it is stands one augmented variant for training: mirrored at random, shifted, brighter or darker.

Features of an f32 stem are kept in half precision; those of an int8 stem are its integers as they are, half as large, and mean
exactly what a branch will be given.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from mainstream.basednn import INPUT, BaseDnn
from mainstream.documents import canonical_json, sha256
from mainstream.packages.files import disk, remove_stale
from mainstream.packages.layout import OciLayout
from mainstream.pixels import normalise
from mainstream_trainer.basednn import Start
from mainstream_trainer.dataset import Dataset
from mainstream_trainer.quantise import Border, border_of
from mainstream_trainer.tflite import Chain
from mainstream_trainer.video import Crop, Pixels, picture_pixels, video_pixels

MOST_FRAMES = 4000
"""Frames of a dataset that are used: all of events, the others evenly. More change little and cost time and disk."""

VARIANTS = 2
"""As it is, and augmented."""

_VERSION = 1
"""Of what is cached: raise it when selection or augmentation changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Which frames of a dataset are used: row ``i`` of the features is frame ``number[i]`` of source ``source[i]``."""

    source: NDArray[np.int64]
    number: NDArray[np.int64]

    def rows(self) -> dict[tuple[int, int], int]:
        """Row by (source, frame)."""
        return {pair: row for row, pair in enumerate(zip(self.source.tolist(), self.number.tolist(), strict=True))}


def select_frames(dataset: Dataset, most: int = MOST_FRAMES) -> Frames:
    """The frames to use, the same for every application of the dataset. Pictures: all of them, each a source."""
    if dataset.pictures:
        count = len(dataset.pictures)
        return Frames(source=np.arange(count), number=np.zeros(count, np.int64))
    inside = []
    for video in dataset.videos:
        mask = np.zeros(video.facts.frames, bool)
        for event in video.events:
            mask[event.start_frame : event.end_frame + 1] = True
        inside.append(mask)
    events = sum(int(mask.sum()) for mask in inside)
    others = sum(len(mask) for mask in inside) - events
    every_event = max(1, -(-events // max(1, most * 3 // 4)))
    every_other = max(1, -(-others // max(1, most - events // every_event)))
    source, number = [], []
    for place, mask in enumerate(inside):
        kept = np.zeros(len(mask), bool)
        kept[np.flatnonzero(mask)[::every_event]] = True
        kept[np.flatnonzero(~mask)[::every_other]] = True
        number.append(np.flatnonzero(kept))
        source.append(np.full(int(kept.sum()), place))
    return Frames(source=np.concatenate(source), number=np.concatenate(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """``kept``: ``(VARIANTS, frames, *shape)``, float16, or the integers of an int8 stem, which ``border`` explains."""

    kept: NDArray[np.float16] | NDArray[np.int8]
    border: Border | None = None

    def __call__(self, variants: Any, rows: Any) -> NDArray[np.float32]:
        """``(n, *shape)`` values of those rows of the frames, each in its variant."""
        picked = self.kept[variants, rows]
        return self.border.values(picked) if self.border is not None else picked.astype(np.float32)

    def given(self, row: int) -> NDArray[np.float32] | NDArray[np.int8]:
        """``(1, *shape)`` of the frame as it is: what an exported branch takes."""
        one = self.kept[0, row : row + 1]
        return np.asarray(one, np.int8) if self.border is not None else np.asarray(one, np.float32)


class FeatureCache:
    """Features in a folder; an entry appears whole or not at all."""

    def __init__(self, folder: Path, layout: OciLayout) -> None:
        self._folder = folder
        self._layout = layout

    def features(
        self, base: BaseDnn, dataset: Dataset, frames: Frames, crop: Crop, cuts: Sequence[str], *, start: Start
    ) -> dict[str, Features]:
        """For each cut, memory-mapped; what is missing is computed in one pass."""
        paths = {cut: self._path(base, dataset, frames, crop, cut) for cut in cuts}
        missing = [cut for cut in cuts if not paths[cut].exists()]
        if missing:
            self._compute(base, dataset, frames, crop, {cut: paths[cut] for cut in missing}, start=start)
        return {
            cut: Features(kept=np.load(path, mmap_mode="r"), border=self._border(base, cut))
            for cut, path in paths.items()
        }

    def _border(self, base: BaseDnn, cut: str) -> Border | None:
        if base.config.precision == "f32" or cut == INPUT:
            return None
        return border_of(self._layout.read_blob(base.config.stem(cut)[-1].digest))

    def _compute(
        self, base: BaseDnn, dataset: Dataset, frames: Frames, crop: Crop, paths: dict[str, Path], *, start: Start
    ) -> None:
        config = base.config
        deepest = max(config.depth(cut) for cut in paths)
        shapes = {INPUT: config.input_shape, **{s.end: s.output_shape for s in config.segments}}
        with disk("write features", self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for folder in self._folder.iterdir():
                remove_stale(folder)
            chain = Chain([self._layout.read_blob(s.digest) for s in config.segments[:deepest]])
            rows = len(frames.source)
            advance = start("features of the frozen stem", rows)
            temporary = {cut: path.with_name(f"{path.name}.part") for cut, path in paths.items()}
            try:
                stores = {}
                for cut, path in temporary.items():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    kind = np.float16 if config.precision == "f32" or cut == INPUT else np.int8
                    stores[cut] = _mapped(path, (VARIANTS, rows, *shapes[cut]), kind)
                for row, pixels in enumerate(_pixels(dataset, frames, crop, config.input_shape[:2])):
                    for variant in range(VARIANTS):
                        seen = augmented(pixels, row) if variant else pixels
                        outputs = chain(normalise(seen, config.preprocessing)[None])
                        for cut, store in stores.items():
                            store[variant, row] = outputs[config.depth(cut)][0]
                    advance()
                for cut, store in stores.items():
                    store.flush()
                    temporary[cut].replace(paths[cut])
            finally:
                for path in temporary.values():
                    path.unlink(missing_ok=True)

    def _path(self, base: BaseDnn, dataset: Dataset, frames: Frames, crop: Crop, cut: str) -> Path:
        selection = sha256(frames.source.tobytes() + frames.number.tobytes())
        parts = [str(_VERSION), base.digest, dataset.digest, selection, *(format(edge, ".9g") for edge in crop)]
        return self._folder / sha256(canonical_json(parts)).removeprefix("sha256:")[:32] / f"{cut}.npy"

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _mapped(path: Path, shape: tuple[int, ...], kind: type) -> "np.memmap[Any, np.dtype[Any]]":
    """A file mapped into memory with all of its blocks on the disk: a full disk is an error here, and not a signal later."""
    mapped = open_memmap(path, "w+", kind, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return mapped


def _pixels(dataset: Dataset, frames: Frames, crop: Crop, size: tuple[int, int]) -> Iterator[Pixels]:
    if dataset.pictures:
        for picture in dataset.pictures:
            yield picture_pixels(picture.path, crop, size)
        return
    for place, video in enumerate(dataset.videos):
        yield from video_pixels(video.path, frames.number[frames.source == place], crop, size)


def augmented(pixels: Pixels, seed: int) -> Pixels:
    """Mirrored in half of the cases, shifted by up to a sixteenth, brightness and contrast changed by up to a quarter."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    down, right = (int(rng.integers(-(side // 16), side // 16 + 1)) for side in (height, width))
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    moved = pixels[rows][:, columns].astype(np.float32)
    mean = moved.mean()
    changed = (moved - mean) * rng.uniform(0.75, 1.25) + mean * rng.uniform(0.75, 1.25)
    return np.asarray(changed.clip(0, 255), np.uint8)
