"""Stems that run: the joined graph of a stem's segments and its apps' branches, one engine call per frame."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from mainstream.documents import canonical_json, fraction_text, sha256
from mainstream.errors import InputError, PackageError
from mainstream.schedule import Schedule, ScheduledApp, Stem
from mainstream_runner.allocator import release_freed_memory
from mainstream_runner.engine import Engine, Model, Output, Pixels, Turn, load
from mainstream_runner.levels import levels
from mainstream_runner.merge import Branch, Joined
from mainstream_runner.plans import fastest_first
from mainstream_runner.scratch import scratch_folder

ReadBlob = Callable[[str], bytes]
"""A blob's bytes by its digest, verified; ``PackageError`` if it is missing or wrong."""

TRAIN_AGAIN = "The package and the base DNN do not belong together: train the app again."


class StemExecutor:
    """One stem and its apps, fastest first. ``calls`` and ``seconds`` count what the engine did for it.

    It owns its model and the model's folder.
    """

    def __init__(
        self,
        apps: Sequence[ScheduledApp],
        model: Model,
        folder: Path,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._levels = {due: place for place, due in enumerate(_levels(apps))}
        self._model = model
        self._folder = folder
        self._clock = clock
        self._closed = False
        self.calls = 0
        self.seconds = 0.0

    def run(self, pixels: Pixels, due: int) -> tuple[Output, ...]:
        """Probabilities ``(classes,)`` of the first ``due`` apps, in one call of the engine.

        ``due`` must be a level: apps of one rate are due together (``ValueError`` otherwise).
        """
        level = self._levels.get(due)
        if level is None:
            raise ValueError(f"Expected one of {', '.join(map(str, self._levels))} apps to be due, got {due}")
        started = self._clock()
        outputs = self._model.run(pixels, level)
        self.seconds += self._clock() - started
        self.calls += 1
        return tuple(output[0] for output in outputs)

    def close(self) -> None:
        """Give back the engine's memory and the folder; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._model.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def stem_key(schedule: Schedule, stem: Stem) -> str:
    """What a stem's loaded graph depends on: two stems with the same key, of one schedule or two, have the same graph."""
    apps = fastest_first(schedule, stem)
    parts = {
        "engine": schedule.engine,
        "threads": schedule.threads,
        "input": list(stem.input_shape),
        "segments": [segment.digest for segment in stem.segments],
        "apps": [[app.branch_digest, app.depth, fraction_text(app.fps), len(app.classes)] for app in apps],
    }
    return sha256(canonical_json(parts))


def load_stem(
    stem: Stem,
    apps: Sequence[ScheduledApp],
    *,
    read: ReadBlob,
    engine: Engine,
    threads: int,
    folder: Path,
    clock: Callable[[], float] = time.perf_counter,
) -> StemExecutor:
    """Join and load; the first frame finds every level warm. ``folder`` is empty and becomes the executor's.

    ``PackageError`` names a blob that is malformed, does not fit, or gives no probabilities for the app's classes.
    """
    joined = _join(stem, apps, read)
    model = load(engine, joined, levels=_levels(apps), threads=threads, folder=folder)
    try:
        _check_numbers(model, joined, apps)
    except PackageError:
        model.close()
        raise
    return StemExecutor(apps, model, folder, clock=clock)


def prepare_stem(stem: Stem, apps: Sequence[ScheduledApp], *, read: ReadBlob, engine: Engine, folder: Path) -> None:
    """Join, pack the weights and check, for another process to open. Errors as ``load_stem``.

    One thread, so as not to be in the way; only the fullest level runs, because it holds all that the others do.
    """
    joined = _join(stem, apps, read)
    engine.write(joined, levels=_levels(apps), folder=folder)
    model = engine.open(folder, levels=len(_levels(apps)), input_shape=joined.input_shape, threads=1, runs=0)
    _check_numbers(model, joined, apps)


def open_prepared(
    stem: Stem, apps: Sequence[ScheduledApp], *, engine: Engine, threads: int, folder: Path, turn: Turn
) -> StemExecutor:
    """Load what another process made with ``prepare_stem``, and run the fullest level once, within a ``turn``.

    The others' first frames take some milliseconds more than later ones: less than running all would take from the frames now.
    """
    model = engine.open(
        folder,
        levels=len(_levels(apps)),
        input_shape=(1, *stem.input_shape),
        threads=threads,
        runs=1,
        turn=turn,
    )
    return StemExecutor(apps, model, folder)


def _levels(apps: Sequence[ScheduledApp]) -> tuple[int, ...]:
    return levels([app.fps for app in apps])


def _join(stem: Stem, apps: Sequence[ScheduledApp], read: ReadBlob) -> Joined:
    deepest = max(apps, key=lambda app: app.depth)
    if deepest.depth > len(stem.segments):
        raise InputError(
            f"depth: {deepest.app} hangs on {deepest.depth} segments, but stem {stem.name} has {len(stem.segments)}",
            where="schedule",
            remedy="Plan again: mainstream plan -f PATH",
        )
    joined = Joined(
        [read(segment.digest) for segment in stem.segments[: deepest.depth]],
        [Branch(depth=app.depth, model=read(app.branch_digest)) for app in apps],
    )
    if joined.input_shape != (1, *stem.input_shape):
        raise PackageError(
            f"takes pictures of {joined.input_shape[1:]}, but the base DNN's input is {stem.input_shape}",
            where=f"blob {stem.segments[0].digest if apps[0].depth else apps[0].branch_digest}",
            remedy=TRAIN_AGAIN,
        )
    for app, shape in zip(apps, joined.output_shapes, strict=True):
        if shape != (1, len(app.classes)):
            raise PackageError(
                f"gives {shape} for the {len(app.classes)} classes of {app.app}",
                where=f"blob {app.branch_digest}",
                remedy=TRAIN_AGAIN,
            )
    return joined


def _check_numbers(model: Model, joined: Joined, apps: Sequence[ScheduledApp]) -> None:
    for app, output in zip(apps, model.run(np.zeros(joined.input_shape, np.float32)), strict=True):
        if not np.isfinite(output).all():
            raise PackageError(
                f"gives values that are no numbers for {app.app}",
                where=f"blob {app.branch_digest}",
                remedy="Train the app again.",
            )


@contextmanager
def open_stems(
    schedule: Schedule,
    *,
    read: ReadBlob,
    engine: Engine,
    ready: Callable[[str], None] = lambda _stem: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[dict[str, StemExecutor]]:
    """The schedule's stems by name (those with an app), joined and loaded; ``ready`` is told each one's name.

    Their files lie in the system's temporary folder and are gone when the block ends, however it ends.
    """
    with ExitStack() as open_things:
        root = open_things.enter_context(scratch_folder())
        executors: dict[str, StemExecutor] = {}
        for number, stem in enumerate(schedule.stems):
            apps = fastest_first(schedule, stem)
            if not apps:
                continue
            folder = root / str(number)
            folder.mkdir()
            executor = load_stem(
                stem, apps, read=read, engine=engine, threads=schedule.threads, folder=folder, clock=clock
            )
            open_things.callback(executor.close)
            executors[stem.name] = executor
            ready(stem.name)
        release_freed_memory()
        yield executors
