"""From a new schedule to its exchange for the running one; or a reason why not, and the old one runs on.

In a thread of its own: read and verify, fetch blobs, join and check graphs in a niced process (only those of stems that are not
loaded already), open streams that are new, load the prepared graphs, hand all of it to the loop, close what the old schedule
alone needed. Whatever fails, nothing of it stays and nothing that runs was touched; it is tried again, with back-off: a
registry comes back, a Secret arrives after the schedule that needs it.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread

from mainstream.errors import InputError, MainstreamError, OperationError
from mainstream.memory import check_memory
from mainstream.packages.files import write_whole
from mainstream.schedule import Schedule
from mainstream_runner.active import LoadedSchedule, StemEngine, same_stream
from mainstream_runner.allocator import release_freed_memory
from mainstream_runner.backoff import BackOff
from mainstream_runner.blobs import Blobs
from mainstream_runner.clock import Clock
from mainstream_runner.engines import engine_named
from mainstream_runner.idle import is_idle
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.plans import fastest_first, stream_plans
from mainstream_runner.prepare import SCHEDULE_FILE, WORK_FILE
from mainstream_runner.preparer import Preparer
from mainstream_runner.schedule_file import ScheduleFile
from mainstream_runner.sources.opening import OpenStream
from mainstream_runner.sources.source import FrameSource
from mainstream_runner.stems import open_prepared, stem_key

LOOK_SECONDS = 0.1
AGAIN_SECONDS, MOST_AGAIN_SECONDS = 5.0, 120.0
"""How soon a schedule that was refused is tried again, at first and at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a schedule does not run."""

    digest: str | None
    reason: str


class Exchange:
    """Watches a schedule's file for a pipeline. ``refusal`` may be looked at by other threads.

    ``coming`` is told each schedule before its first frame (sinks get ready; what it raises refuses the schedule), ``taken``
    when it runs, ``refused`` each refusal that is another one than before. ``last_good`` is the file that keeps what runs, for
    a start at which the watched file has nothing that can.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        file: ScheduleFile,
        *,
        blobs: Blobs,
        last_good: Path | None,
        clock: Clock,
        random: Callable[[], float],
        open_stream: OpenStream,
        scratch: Path,
        stop: Event,
        coming: Callable[[Schedule], None],
        taken: Callable[[Schedule], None],
        refused: Callable[[Refusal], None],
    ) -> None:
        self.refusal: Refusal | None = None
        self.refusals = 0
        self._pipeline = pipeline
        self._file = file
        self._blobs = blobs
        self._last_good = last_good
        self._clock = clock
        self._back_off = BackOff(random, first_seconds=AGAIN_SECONDS, most_seconds=MOST_AGAIN_SECONDS)
        self._again_at: float | None = None
        self._offered = b""
        self._open_stream = open_stream
        self._scratch = scratch
        self._stop = stop
        self._preparer = Preparer(stop)
        self._sizes: dict[str, int] = {}
        self._coming = coming
        self._taken = taken
        self._refused = refused
        self._newest = pipeline.active.loaded
        self._thread = Thread(target=self._watch, name="schedule", daemon=True)

    def start(self) -> None:
        """Watch until the run stops."""
        self._preparer.start()
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the thread after ``stop`` was set."""
        self._thread.join(seconds)

    def _watch(self) -> None:
        try:
            self._look()
            if is_idle(self._newest.schedule) and self._last_good is not None:
                self._fall_back(self._last_good)
            while not self._stop.wait(LOOK_SECONDS):
                self._pipeline.close_drained()
                self._look()
        finally:
            self._preparer.close()

    def _look(self) -> None:
        data = self._file.changed()
        if data is not None:
            self._back_off.succeeded()
            self._offered = data
        elif self._again_at is None or self._clock.seconds() < self._again_at:
            return
        self.offer(self._offered)
        self._again_at = None if self.refusal is None else self._clock.seconds() + self._back_off.next()

    def _fall_back(self, file: Path) -> None:
        """Run what ran before this process began; a refusal of the newest schedule stays."""
        try:
            self._take(Schedule.from_json(file.read_bytes(), where=file))
        except FileNotFoundError:
            return
        except (MainstreamError, OSError) as error:
            self._refused(Refusal(digest=None, reason=f"nor does what ran before: {error}"))

    def offer(self, data: bytes) -> None:
        """Take a schedule's document over, or refuse it."""
        digest = None
        try:
            schedule = Schedule.from_json(data, where=self._file.path)
            digest = schedule.digest
            if digest != self._newest.digest:
                self._take(schedule)
            self.refusal = None
        except MainstreamError as error:
            self._blobs.pin(self._newest.schedule)
            self._refuse(digest, error.line)
        except OSError as error:
            self._refuse(digest, f"cannot prepare the schedule: {error.strerror}")

    def _refuse(self, digest: str | None, reason: str) -> None:
        refusal = Refusal(digest=digest, reason=reason)
        if refusal != self.refusal:
            self.refusals += 1
            self.refusal = refusal
            self._refused(refusal)

    def _take(self, schedule: Schedule) -> None:
        running = self._newest.schedule
        if schedule.edge_node != running.edge_node:
            raise InputError(
                f"is for edge node {schedule.edge_node!r}, this runner is {running.edge_node!r}",
                where=self._file.path,
                remedy="Start a runner for it.",
            )
        self._blobs.fetch(schedule)
        check_memory(schedule, self._size, also=[running])
        with ExitStack() as undo:
            sources = self._sources(schedule, undo)
            engines = self._engines(schedule, undo)
            loaded = LoadedSchedule(schedule, engines)
            self._coming(schedule)
            if not self._pipeline.exchange(loaded, sources):
                return
            undo.pop_all()
        self._newest = loaded
        self._blobs.pin(schedule)
        self._keep(schedule)
        self._taken(schedule)
        release_freed_memory()

    def _keep(self, schedule: Schedule) -> None:
        if self._last_good is not None:
            with suppress(OperationError):  # a full disk is no reason not to run it
                write_whole(self._last_good, schedule.to_json())

    def _size(self, digest: str) -> int:
        """Of a blob, asked for once: while streams are decoded each question to the system may wait for their threads."""
        if digest not in self._sizes:
            size = self._blobs.size(digest)
            if not size:
                return 0
            self._sizes[digest] = size
        return self._sizes[digest]

    def _sources(self, schedule: Schedule, undo: ExitStack) -> Mapping[str, FrameSource]:
        known = [plan.stream for plan in self._newest.plans]
        sources: dict[str, FrameSource] = {}
        for plan in stream_plans(schedule):
            if not any(same_stream(plan.stream, stream) for stream in known):
                sources[plan.stream.name] = self._open_stream(plan.stream)
                undo.callback(sources[plan.stream.name].close)
        return sources

    def _engines(self, schedule: Schedule, undo: ExitStack) -> Mapping[str, StemEngine]:
        old = self._newest
        there = {stem_key(old.schedule, stem): old.engines.get(stem.name) for stem in old.schedule.stems}
        engines: dict[str, StemEngine] = {}
        wanted = {}
        for stem in schedule.stems:
            if fastest_first(schedule, stem):
                loaded = there.get(stem_key(schedule, stem))
                if loaded is None:
                    wanted[stem.name] = stem
                else:
                    engines[stem.name] = loaded
        if wanted:
            engine = engine_named(schedule.engine)
            folder = self._prepare(schedule, list(wanted))
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            for number, (name, stem) in enumerate(wanted.items()):
                place = Path(mkdtemp(dir=self._scratch))
                (folder / str(number)).rename(place)  # the executor removes it, one by one
                executor = open_prepared(
                    stem,
                    fastest_first(schedule, stem),
                    engine=engine,
                    threads=schedule.threads,
                    folder=place,
                    turn=self._pipeline.turns.between_frames,
                )
                undo.callback(executor.close)
                engines[name] = executor
            shutil.rmtree(folder, ignore_errors=True)
        return engines

    def _prepare(self, schedule: Schedule, stems: list[str]) -> Path:
        folder = Path(mkdtemp(dir=self._scratch))
        (folder / SCHEDULE_FILE).write_bytes(schedule.to_json())
        work = {"store": str(self._blobs.folder), "stems": {name: str(number) for number, name in enumerate(stems)}}
        (folder / WORK_FILE).write_text(json.dumps(work))
        try:
            problem = self._preparer.prepare(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if problem is not None:
            shutil.rmtree(folder, ignore_errors=True)
            raise OperationError(problem)
        return folder
