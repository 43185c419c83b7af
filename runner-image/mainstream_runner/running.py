"""Puts a run together: streams, graphs, loop, and what watches the schedule's file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import random
from threading import Event

from mainstream.memory import check_memory
from mainstream.schedule import Schedule
from mainstream_runner.allocator import release_freed_memory
from mainstream_runner.blobs import Blobs
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.engines import engine_named
from mainstream_runner.exchange import Exchange, Refusal
from mainstream_runner.outlets import Outlets
from mainstream_runner.pipeline import Pipeline, Watch
from mainstream_runner.plans import fastest_first, stream_plans
from mainstream_runner.schedule_file import ScheduleFile
from mainstream_runner.scratch import scratch_folder
from mainstream_runner.secrets import Secrets
from mainstream_runner.sources.opening import OpenStream, opener
from mainstream_runner.sources.source import Connection, FrameSource
from mainstream_runner.stems import StemExecutor, load_stem

JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run needs from outside. ``schedule_file`` is watched; None: one schedule for the whole run.

    ``changed`` is told when a live stream stands otherwise than before. ``stay``: see ``Pipeline``. ``last_good`` is the file
    that keeps the schedule that runs, for a start at which there is no better one.
    """

    schedule: Schedule
    schedule_file: Path | None
    blobs: Blobs
    secrets: Secrets
    until_end: bool
    real_time: bool | None
    stop: Event
    changed: Callable[[str, Connection], None]
    stay: bool = False
    last_good: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that is ready to go."""

    pipeline: Pipeline
    exchange: Exchange | None


@contextmanager
def opened_streams(run: Run) -> Iterator[dict[str, FrameSource]]:
    """The schedule's streams; files that cannot be read are an ``InputError`` before anything else happens."""
    open_stream = _opener(run)
    with ExitStack() as open_things:
        sources: dict[str, FrameSource] = {}
        for plan in stream_plans(run.schedule):
            source = sources[plan.stream.name] = open_stream(plan.stream)
            open_things.callback(source.close)
        yield sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """A schedule's graphs, loaded; ``scratch`` is the folder in which those of later schedules are made."""

    stems: Mapping[str, StemExecutor]
    scratch: Path


@contextmanager
def loaded_graphs(run: Run, advance: Callable[[], None]) -> Iterator[Graphs]:
    """Join and load the schedule's graphs; ``advance`` is called for each stem. They are closed when the block ends."""
    engine = engine_named(run.schedule.engine)
    check_memory(run.schedule, run.blobs.size)
    with ExitStack() as open_things:
        scratch = open_things.enter_context(scratch_folder())
        stems: dict[str, StemExecutor] = {}
        for number, stem in enumerate(run.schedule.stems):
            if apps := fastest_first(run.schedule, stem):
                folder = scratch / f"first-{number}"
                folder.mkdir()
                stems[stem.name] = load_stem(
                    stem, apps, read=run.blobs.read, engine=engine, threads=run.schedule.threads, folder=folder
                )
                open_things.callback(stems[stem.name].close)
                advance()
        release_freed_memory()
        yield Graphs(stems=stems, scratch=scratch)


@contextmanager
def started(
    run: Run,
    sources: Mapping[str, FrameSource],
    graphs: Graphs,
    *,
    sink: Outlets,
    watch: Watch,
    taken: Callable[[Schedule], None],
    refused: Callable[[Refusal], None],
) -> Iterator[Started]:
    """The loop, ready to run, and what watches the schedule's file; all is closed when the block ends."""
    with ExitStack() as open_things:
        pipeline = Pipeline(
            run.schedule,
            sources=sources,
            engines=graphs.stems,
            convert=SwscaleConvert,
            sink=sink,
            clock=SystemClock(),
            stop=run.stop,
            real_time=_in_real_time(run, sources),
            stay=run.stay,
            watch=watch,
        )
        open_things.callback(pipeline.close)
        exchange = None

        def settle(new: Schedule) -> None:
            sink.settle(new)
            taken(new)

        if run.schedule_file is not None:
            exchange = Exchange(
                pipeline,
                ScheduleFile(run.schedule_file),
                blobs=run.blobs,
                last_good=run.last_good,
                clock=SystemClock(),
                random=random,
                open_stream=_opener(run),
                scratch=graphs.scratch,
                stop=pipeline.ended,
                coming=sink.prepare,
                taken=settle,
                refused=refused,
            )
            exchange.start()
            open_things.callback(exchange.join, JOIN_SECONDS)
            open_things.callback(pipeline.ended.set)
        yield Started(pipeline=pipeline, exchange=exchange)


def _opener(run: Run) -> OpenStream:
    return opener(
        until_end=run.until_end,
        secrets=run.secrets,
        clock=SystemClock(),
        stop=run.stop,
        random=random,
        changed=run.changed,
    )


def _in_real_time(run: Run, sources: Mapping[str, FrameSource]) -> bool:
    """A live stream has no other pace than its own; files go by ``real_time``, else by their manifest.

    Who stays does not know yet what streams will come.
    """
    if run.stay or any(source.info.live for source in sources.values()):
        return True
    if run.real_time is not None:
        return run.real_time
    return any(stream.source.file is not None and stream.source.file.real_time for stream in run.schedule.streams)
