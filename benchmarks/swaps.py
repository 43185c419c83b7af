"""What a change of schedule costs while frames flow: how long until it runs, what is lost, what comes late."""

import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from runner_workload import FPS, Workload

from mainstream.schedule import Schedule
from mainstream_runner.blobs import LocalBlobs
from mainstream_runner.clock import SystemClock
from mainstream_runner.exchange import Refusal
from mainstream_runner.outlets import Outlets
from mainstream_runner.running import Run, loaded_graphs, opened_streams, started
from mainstream_runner.secrets import Secrets

MIXED = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6)]
NEWCOMER = ("conv_pw_10", 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swaps:
    """Of a run with changes. ``seconds`` until each ran; ``lost`` looks that were due and not taken."""

    load: float
    changes: int
    seconds: list[float]
    lost: int
    looks: int
    late: int
    worst_latency: float
    usual_latency: float


def rates(load: float, work: Workload) -> tuple[list[tuple[str, Fraction]], int]:
    """Seven apps at seven rates on as few streams as make the engine busy for that share of the time."""
    for streams in range(1, 17):
        for top in range(len(MIXED), int(FPS) + 1):
            apps = [(cut, Fraction(top - place)) for place, cut in enumerate(MIXED)]
            if work.schedule(apps, streams=streams).cost >= load:
                return apps, streams
    raise ValueError("Expected a machine that sixteen cameras keep busy")


def measure(work: Workload, load: float, changes: int) -> Swaps:
    """Run in real time and change the schedule so often: an app comes, and goes."""
    apps, streams = rates(load, work)
    without = work.schedule(apps, streams=streams, loop=True, real_time=True)
    with_one = work.schedule([*apps, NEWCOMER], streams=streams, loop=True, real_time=True)
    file = work.folder / "schedule.json"
    file.write_bytes(without.to_json())
    stop = threading.Event()
    run = Run(
        schedule=without,
        schedule_file=file,
        blobs=LocalBlobs(work.store.root),
        secrets=Secrets(),
        until_end=False,
        real_time=True,
        stop=stop,
        changed=lambda _stream, _connection: None,
    )
    ran = threading.Event()
    seconds: list[float] = []
    problems: list[Refusal] = []
    with (
        opened_streams(run) as sources,
        loaded_graphs(run, lambda: None) as graphs,
        Outlets(
            [], without, queues=work.folder / "queues", secrets=Secrets(), clock=SystemClock(), say=print
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
        pipeline = ready.pipeline
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        time.sleep(3)
        usual = _worst(pipeline)
        random = Random(0)  # noqa: S311 - when a schedule changes is no secret
        for number in range(changes):
            time.sleep(random.uniform(0.1, 0.6))
            ran.clear()
            _replace(file, with_one if number % 2 == 0 else without)
            began = time.perf_counter()
            while not ran.wait(0.5):
                if problems:
                    raise RuntimeError(problems[0].reason)
            seconds.append(time.perf_counter() - began)
        time.sleep(1)
        stop.set()
        thread.join()
        counted = list(pipeline.decisions.apps.values())
        readers = list(pipeline.readers.all.values())
        lost = pipeline.decisions.dropped.total() + sum(reader.ingest.slots.missing for reader in readers)
        return Swaps(
            load=load,
            changes=changes,
            seconds=seconds,
            lost=lost,
            looks=sum(run.analysed for run in counted),
            late=sum(run.late for run in counted),
            worst_latency=_worst(pipeline),
            usual_latency=usual,
        )


def _worst(pipeline: Any) -> float:
    return max(run.worst_latency for run in pipeline.decisions.apps.values())


def _replace(file: Path, schedule: Schedule) -> None:
    partial = file.with_suffix(".new")
    partial.write_bytes(schedule.to_json())
    partial.replace(file)
