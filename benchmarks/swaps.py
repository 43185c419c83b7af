"""What a change of schedule costs while frames flow: how long until it runs, what is lost, what comes late.

One app comes to one of the streams, and goes again. The load is measured: the seconds that the runner's engine calls took, as a
share of the time, in a run like the one that is changed afterwards. Streams are no more than a plan admits at that load, since
decoding takes cores, too. All sources are looped files in real time that begin at once, so their frames come in bursts.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

from runner_workload import FPS, Workload

from mainstream.sampling import Cycle
from mainstream.schedule import Schedule
from mainstream_runner.blobs import LocalBlobs
from mainstream_runner.clock import SystemClock
from mainstream_runner.convert import SwscaleConvert
from mainstream_runner.exchange import Refusal
from mainstream_runner.ingest_profile import profile_ingest
from mainstream_runner.outlets import Outlets
from mainstream_runner.pipeline import Pipeline
from mainstream_runner.plans import stream_plans
from mainstream_runner.running import Run, loaded_graphs, opened_streams, started
from mainstream_runner.secrets import Secrets
from mainstream_runner.sources.file import FileSource

MIXED = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6)]
NEWCOMER = ("conv_pw_10", 2)


CONTROL_SECONDS = 20.0
"""Without changes, before the first one: what latency is usual, and how much is lost anyway."""
THREADS = 2

BESIDE_DECODING = 1.65
"""What an engine call takes more in real time than back to back, about: decoding goes on beside it. A search begins there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swaps:
    """Of a run with changes. ``load`` is measured, ``seconds`` until each newcomer ran, ``lost`` looks due and not taken.

    ``lost_before`` and ``usual_latency`` are of the time before the first change.
    """

    load: float
    streams: int
    apps: int
    changes: int
    seconds: list[float]
    lost: int
    lost_before: int
    looks: int
    late: int
    worst_latency: float
    usual_latency: float


Apps = list[tuple[str, Fraction]]

SATURATED = 0.95
"""An engine that is so busy does not say how much more was asked of it."""


def workload(load: float, work: Workload) -> tuple[Apps, int]:
    """Seven apps or more at seven rates, on streams that make the engine busy for that share of the time, measured."""
    cores = len(os.sched_getaffinity(0))
    most = max(1, int((cores - THREADS * load) / _ingest(work)))
    planned = load / BESIDE_DECODING
    for _ in range(4):
        apps, streams = _planned(planned, work, most)
        measured = _load(work, work.schedule(apps, streams=streams, loop=True, real_time=True))
        print(f"  {streams} streams, {len(apps)} apps each: planned {planned:.2f}, measured {measured:.2f}", flush=True)
        if load * 0.95 <= measured <= load * 1.08:
            break
        planned *= load / measured if measured < SATURATED else 0.8
    return apps, streams


def _planned(load: float, work: Workload, most_streams: int) -> tuple[Apps, int]:
    for count in range(len(MIXED), 3 * len(MIXED) + 1):
        for streams in range(1, most_streams + 1):
            for top in range(len(MIXED), int(FPS) + 1):
                turns = [place % len(MIXED) for place in range(count)]
                apps = [(MIXED[turn], Fraction(top - turn)) for turn in turns]
                if work.schedule(apps, streams=streams).cost >= load:
                    return apps, streams
    raise ValueError(f"Expected a machine that {most_streams} cameras keep busy")


def _ingest(work: Workload) -> float:
    """Cores that decoding and conversion of a stream take."""
    schedule = work.schedule([("pooled", FPS)])
    plan = stream_plans(schedule)[0]
    wanted = [stem.network_input for stem in plan.stems]

    def opened() -> FileSource:
        return FileSource(work.video(), capture_fps=FPS)

    return profile_ingest(plan.stream.name, opened, wanted, SwscaleConvert, capture_fps=FPS).cores


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    pipeline: Pipeline
    file: Path
    ran: threading.Event
    problems: list[Refusal]


@contextmanager
def _running(work: Workload, schedule: Schedule) -> Iterator[_Running]:
    file = work.folder / "schedule.json"
    file.write_bytes(schedule.to_json())
    stop, ran = threading.Event(), threading.Event()
    problems: list[Refusal] = []
    run = Run(
        schedule=schedule,
        schedule_file=file,
        blobs=LocalBlobs(work.store.root),
        secrets=Secrets(),
        until_end=False,
        real_time=True,
        stop=stop,
        changed=lambda _stream, _connection: None,
    )
    with (
        opened_streams(run) as sources,
        loaded_graphs(run, lambda: None) as graphs,
        Outlets(
            [], schedule, queues=work.folder / "queues", secrets=Secrets(), clock=SystemClock(), say=print
        ) as outlets,
        started(
            run,
            sources,
            graphs,
            sink=outlets,
            watch=lambda _stream, _frames: None,
            taken=lambda _schedule: ran.set(),
            refused=problems.append,
        ) as ready,
    ):
        thread = threading.Thread(target=ready.pipeline.run)
        thread.start()
        time.sleep(3)
        try:
            yield _Running(pipeline=ready.pipeline, file=file, ran=ran, problems=problems)
        finally:
            stop.set()
            thread.join()


def _load(work: Workload, schedule: Schedule, seconds: float = 5.0) -> float:
    with _running(work, schedule) as running:
        return _busy(running.pipeline, seconds)


def _busy(pipeline: Pipeline, seconds: float) -> float:
    """The engine's share of the next seconds."""
    before, began = _engine_seconds(pipeline), time.perf_counter()
    time.sleep(seconds)
    return (_engine_seconds(pipeline) - before) / (time.perf_counter() - began)


def _engine_seconds(pipeline: Pipeline) -> float:
    return sum(stem.engine_seconds for stem in pipeline.stems.values())


def measure(work: Workload, load: float, changes: int) -> Swaps:
    """Run in real time and change the schedule so often: an app comes to the first stream, and goes."""
    apps, streams = workload(load, work)
    without = work.schedule(apps, streams=streams, loop=True, real_time=True)
    with_one = work.schedule(apps, streams=streams, loop=True, real_time=True, newcomer=NEWCOMER)
    seconds: list[float] = []
    with _running(work, without) as running:
        pipeline = running.pipeline
        measured = _busy(pipeline, CONTROL_SECONDS)
        usual, lost_before = _worst(pipeline), _lost(pipeline, without)
        for run in pipeline.decisions.apps.values():
            run.worst_latency = 0.0
        random = Random(0)  # noqa: S311 - when a schedule changes is no secret
        for number in range(changes):
            time.sleep(random.uniform(0.1, 0.6))
            running.ran.clear()
            _replace(running.file, with_one if number % 2 == 0 else without)
            began = time.perf_counter()
            while not running.ran.wait(0.5):
                if running.problems:
                    raise RuntimeError(running.problems[0].reason)
            if number % 2 == 0:  # one that goes leaves what was there before it
                seconds.append(time.perf_counter() - began)
        time.sleep(1)
        counted = list(pipeline.decisions.apps.values())
        return Swaps(
            load=measured,
            streams=streams,
            apps=len(apps),
            changes=changes,
            seconds=seconds,
            lost=_lost(pipeline, without) - lost_before,
            lost_before=lost_before,
            looks=sum(run.analysed for run in counted),
            late=sum(run.late for run in counted),
            worst_latency=_worst(pipeline),
            usual_latency=usual,
        )


def _lost(pipeline: Pipeline, schedule: Schedule) -> int:
    """Looks that were due by the slots and not taken: as the runner counts them, or as the time says, whichever is more.

    The time says what an app of ``schedule`` must have seen by now; frames of the last three slots may be on their way.
    """
    missing = sum(reader.ingest.slots.missing for reader in pipeline.readers.all.values())
    slots = int(pipeline.now() * FPS) - 3
    cycle, owed = Cycle(FPS), 0
    for app in schedule.apps:
        due = sum(cycle.takes(app.fps, slot) for slot in range(slots))
        owed += max(0, due - pipeline.decisions.apps[app.app].analysed)
    return max(pipeline.decisions.dropped.total() + missing, owed)


def _worst(pipeline: Pipeline) -> float:
    return max(run.worst_latency for run in pipeline.decisions.apps.values())


def _replace(file: Path, schedule: Schedule) -> None:
    partial = file.with_suffix(".new")
    partial.write_bytes(schedule.to_json())
    partial.replace(file)
