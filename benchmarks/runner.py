"""The runner against the bare engine, against no sharing, against peers: one run of at most ten minutes.

    python benchmarks/runner.py [--rounds 9] [--changes 100] [--json FILE] [--directory build/runner-benchmark]

MobileNet-224, two threads, a 720p source that was encoded before. "Engine" is wall seconds in the engine per frame, "whole" CPU
seconds of the whole process per frame. Everything of one table is interleaved in one process, a chunk of frames each in turn;
medians are compared, and the bare engine (the whole network as one .tflite) runs between them to show how steady the machine
was. Exit status 1 if a goal is missed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from goals import Goal, at_least, at_most, show
from peers import Peers, together
from runner_workload import FPS, MAINSTREAM, POOLED, Workload
from swaps import measure
from turns import TimedStem, Turns, our_turn, peer_turn

from mainstream.schedule import Schedule
from mainstream_runner.hardware import hardware
from mainstream_runner.litert import LiteRT
from mainstream_runner.plans import stream_plans
from mainstream_runner.profiler import layer_costs, measure_batch
from mainstream_runner.stems import open_stems
from mainstream_trainer.tflite import export_tflite

APPS = 8
THREADS = 2
MIXED = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6, 6)]
MIXED_TURNS = 3
RATES = [Fraction(rate) for rate in (15, 13, 11, 9, 7, 5, 3, 1)]

LOADS = (0.5, 0.85)
"""Of the engine, at which schedules are changed."""

ONE, MAX_SHARING, NO_SHARING = "1 app", "8 apps, Max-Sharing", "8 apps, No-Sharing in our runner"
FUNCTIONS, INTERPRETERS, BARE = "8 tf.functions", "8 LiteRT interpreters", "bare engine, whole network once"
MIXED_APPS = "8 apps at 8 rates"


def interleave(work: Workload, rounds: int) -> dict[str, Turns]:
    """All contenders in turn; the first round only warms up."""
    peers = Peers(work.base, work.store.layout, threads=THREADS)
    models = [peers.whole(seed) for seed in range(APPS)]
    whole = export_tflite(models[0])
    schedules = {
        ONE: work.schedule([(POOLED, FPS)]),
        MAX_SHARING: work.schedule([(POOLED, FPS)] * APPS),
        NO_SHARING: work.schedule([(POOLED, FPS)] * APPS, shared=False),
    }
    others = {
        BARE: peers.interpreter(whole),
        INTERPRETERS: together([peers.interpreter(whole) for _ in range(APPS)]),
        FUNCTIONS: together([peers.function(model) for model in models]),
    }
    wanted = stream_plans(schedules[ONE])[0].stems[0].network_input
    turns = {name: Turns() for name in (*schedules, *others)}
    engine = LiteRT()
    with open_all(work, schedules, engine) as stems:
        for number in range(rounds + 1):
            for name, schedule in schedules.items():
                our_turn(schedule, stems[name], turns[name])
            for name, run in others.items():
                peer_turn(work.video(), wanted, run, turns[name])
            print(f"  round {number} of {rounds}", flush=True)
    for turn in turns.values():
        for values in (turn.engine, turn.whole, turn.decode, turn.convert, turn.other):
            del values[:1]
    return turns


class open_all:  # noqa: N801 - used like a function
    """The stems of several schedules."""

    def __init__(self, work: Workload, schedules: dict[str, Schedule], engine: LiteRT) -> None:
        self._opened = {
            name: open_stems(schedule, read=work.store.layout.read_blob, engine=engine)
            for name, schedule in schedules.items()
        }

    def __enter__(self) -> dict[str, dict[str, TimedStem]]:
        return {
            name: {stem: TimedStem(executor) for stem, executor in opened.__enter__().items()}
            for name, opened in self._opened.items()
        }

    def __exit__(self, *error: object) -> None:
        for opened in self._opened.values():
            opened.__exit__(None, None, None)


def mixed_cost(work: Workload, rounds: int) -> list[float]:
    """Measured / planned cost of the mixed schedule, each measured between two batches of the profiler."""
    engine = LiteRT()
    features = work.base.config.segments[-1].output_shape

    def profile() -> Any:
        return measure_batch(
            work.segments, features, engine=engine, threads=THREADS, clock=time.perf_counter, advance=lambda: None
        )

    schedule = work.schedule(list(zip(MIXED, RATES, strict=True)))
    ratios = []
    with open_stems(schedule, read=work.store.layout.read_blob, engine=engine) as stems:
        before = profile()
        for _ in range(rounds):
            timed = {name: TimedStem(stem) for name, stem in stems.items()}
            turns = Turns()
            for _ in range(MIXED_TURNS):
                our_turn(schedule, timed, turns, converted=True)
            after = profile()
            work.costs = layer_costs(
                [before, after], base_dnn=work.base.digest, engine=engine, threads=THREADS, hardware=hardware()
            )
            planned = work.schedule([(cut, rate) for cut, rate in zip(MIXED, RATES, strict=True)]).cost
            ratios.append(statistics.median(turns.engine) * float(FPS) / planned)
            before = after
    return ratios


def private_megabytes(work: Workload, apps: Sequence[tuple[str, Fraction]]) -> float:
    """Private memory of ``mainstream run`` in the middle of a run with these apps."""
    schedule = work.folder / "memory.json"
    schedule.write_bytes(work.schedule(list(apps), loop=True).to_json())
    command = [MAINSTREAM, "run", "--schedule", schedule, "--store", work.store.root, "--fast"]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        try:
            time.sleep(12)
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.kill()
            process.wait()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


def start_seconds(work: Workload, times: int) -> list[float]:
    """From the command to the first verdict, a package store at hand: eight apps at eight rates, one that always fires."""
    path = work.folder / "start.json"
    apps = list(zip(MIXED, RATES, strict=True))
    path.write_bytes(work.schedule(apps, loop=True, real_time=True, threshold=1).to_json())
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        command = [MAINSTREAM, "run", "--schedule", path, "--store", work.store.root]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            while "event.started" not in process.stdout.readline():
                pass
            seconds.append(time.perf_counter() - began)
            process.kill()
    return seconds


def goals_of_sharing(turns: dict[str, Turns]) -> list[Goal]:
    """Ratios of medians."""

    def ratio(kind: str, one: str, other: str) -> float:
        of: Callable[[str], float] = lambda name: statistics.median(getattr(turns[name], kind))  # noqa: E731
        return of(one) / of(other)

    ours = turns[MAX_SHARING]
    return [
        at_most(f"{MAX_SHARING} / {ONE}: engine", ratio("engine", MAX_SHARING, ONE), 1.10),
        at_most(f"{MAX_SHARING} / {ONE}: whole", ratio("whole", MAX_SHARING, ONE), 1.10),
        at_least(f"{NO_SHARING} / ours: engine", ratio("engine", NO_SHARING, MAX_SHARING), 6.5),
        at_least(f"{NO_SHARING} / ours: whole", ratio("whole", NO_SHARING, MAX_SHARING), 4.5),
        at_least(f"{FUNCTIONS} / ours: engine", ratio("engine", FUNCTIONS, MAX_SHARING), 12),
        at_least(f"{FUNCTIONS} / ours: whole", ratio("whole", FUNCTIONS, MAX_SHARING), 8),
        at_least(f"{INTERPRETERS} / ours: engine", ratio("engine", INTERPRETERS, MAX_SHARING), 6.5),
        at_least(f"{INTERPRETERS} / ours: whole", ratio("whole", INTERPRETERS, MAX_SHARING), 4.5),
        at_most(
            "outside engine, decoding and conversion / engine",
            statistics.median(ours.other) / statistics.median(ours.engine),
            0.05,
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--changes", type=int, default=100, help="of schedule, at load 0.5")
    parser.add_argument("--directory", type=Path, default=Path("build/runner-benchmark"))
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    began = time.monotonic()
    work = Workload(options.directory.resolve())
    work.video()

    def step(what: str) -> None:
        print(f"{what} ({time.monotonic() - began:.0f} s) ...", flush=True)

    step("sharing, interleaved")
    turns = interleave(work, options.rounds)
    goals = goals_of_sharing(turns)
    step("a mixed schedule, planned and measured")
    ratios = mixed_cost(work, 5)
    cost = statistics.median(ratios)
    goals.append(
        Goal(what=f"{MIXED_APPS}: measured / planned cost", value=cost, text="0.9 to 1.1", good=0.9 <= cost <= 1.1)
    )
    step("memory and start")
    more = private_megabytes(work, list(zip(MIXED, RATES, strict=True))) - private_megabytes(work, [(POOLED, FPS)])
    goals.append(at_most(f"{MIXED_APPS}: private memory above one app's, MB", more, 150))
    goals.append(at_most("start to first verdict, s (median of 3)", statistics.median(start_seconds(work, 3)), 5))
    for load, changes, limit in zip(LOADS, (options.changes, max(4, options.changes // 10)), (2.0, 5.0), strict=True):
        step(f"{changes} changes of schedule at load {load:g}")
        swaps = measure(work, load, changes)
        title = f"load {swaps.load:.2f}, {swaps.streams} x {swaps.apps} apps"
        if load == LOADS[0]:
            lost = f"{title}: looks lost in {changes} changes of {swaps.looks} ({swaps.lost_before} before)"
            goals.append(at_most(lost, swaps.lost, 0))
        median = statistics.median(swaps.seconds)
        goals.append(at_most(f"{title}: new file to first frame, s (median)", median, limit))
        extra = (swaps.worst_latency - swaps.usual_latency) * float(FPS)
        goals.append(at_most(f"{title}: extra delay of any frame, capture intervals", extra, 1))
    show(turns, goals, title=f"{hardware()}, {THREADS} threads", seconds=time.monotonic() - began)
    if options.json:
        figures = {
            "hardware": hardware(),
            "secondsPerFrame": {
                name: {key: statistics.median(values) for key in Turns.__slots__ if (values := getattr(turn, key))}
                for name, turn in turns.items()
            },
            "goals": [{"what": g.what, "value": g.value, "goal": g.text, "good": g.good} for g in goals],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(not all(goal.good for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
