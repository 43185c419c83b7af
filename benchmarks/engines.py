"""LiteRT and OpenVINO on the same graphs: engine time, memory, and how far their answers differ.

    python benchmarks/engines.py [--rounds 15] [--directory build/runner-benchmark]

MobileNet-224, two threads: one application, eight under Max-Sharing, eight at six cuts and eight rates (a graph for each
level). Both engines run in turn in one process on another random picture each round; medians are compared. Memory is that of
a process of its own for each engine. Exit status 1 if answers differ by more than 1e-3.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from runner_workload import FPS, POOLED, Workload

from mainstream.schedule import Schedule
from mainstream_runner.engines import engine_named
from mainstream_runner.hardware import hardware
from mainstream_runner.stems import open_stems

ENGINES = ("LiteRT", "OpenVINO")
SAME = 1e-3
MIXED = [f"conv_pw_{number}" for number in (13, 12, 11, 9, 9, 8, 6, 6)]
RATES = [Fraction(rate) for rate in (15, 13, 11, 9, 7, 5, 3, 1)]


def schedules(work: Workload) -> dict[str, Schedule]:
    """What is compared, by name."""
    return {
        "1 app": work.schedule([(POOLED, FPS)]),
        "8 apps, Max-Sharing": work.schedule([(POOLED, FPS)] * 8),
        "8 apps, 8 levels, all due": work.schedule(list(zip(MIXED, RATES, strict=True))),
    }


def compare(work: Workload, rounds: int) -> tuple[dict[tuple[str, str], list[float]], float, float]:
    """Seconds of each frame, the greatest difference of any answer, and how far answers to different pictures lie apart."""
    random = np.random.default_rng(0)
    seconds: dict[tuple[str, str], list[float]] = {}
    apart, all_answers = 0.0, []
    for name, schedule in schedules(work).items():
        opened = {
            engine: open_stems(schedule, read=work.store.layout.read_blob, engine=engine_named(engine))
            for engine in ENGINES
        }
        with opened["LiteRT"] as one, opened["OpenVINO"] as other:
            stems = {"LiteRT": next(iter(one.values())), "OpenVINO": next(iter(other.values()))}
            for number in range(rounds + 2):
                low, high = sorted(random.uniform(-1, 1, 2))
                pixels = random.uniform(low, high, (1, *work.base.config.input_shape)).astype(np.float32)
                answers = {}
                for engine, stem in stems.items():
                    began = time.perf_counter()
                    answers[engine] = [np.array(answer) for answer in stem.run(pixels, len(schedule.apps))]
                    if number >= 2:
                        seconds.setdefault((name, engine), []).append(time.perf_counter() - began)
                apart = max(
                    apart,
                    *(float(np.abs(a - b).max()) for a, b in zip(answers["LiteRT"], answers["OpenVINO"], strict=True)),
                )
                all_answers.append(float(answers["LiteRT"][0][0]))
    return seconds, apart, max(all_answers) - min(all_answers)


def private_megabytes(engine: str, directory: Path) -> dict[str, float]:
    """Of a process that has this engine and nothing else: what each schedule adds, after a frame."""
    command = [sys.executable, __file__, "--directory", str(directory), "--memory-of", engine]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def measure_memory(work: Workload, engine: str) -> None:
    """Print private megabytes that each schedule takes, one after the other."""
    pixels = np.zeros((1, *work.base.config.input_shape), np.float32)
    taken = {}
    for name, schedule in schedules(work).items():
        before = private()
        with open_stems(schedule, read=work.store.layout.read_blob, engine=engine_named(engine)) as stems:
            for stem in stems.values():
                stem.run(pixels, len(schedule.apps))
            taken[name] = private() - before
    print(json.dumps(taken))


def private() -> float:
    """Megabytes of this process that are its own."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--directory", type=Path, default=Path("build/runner-benchmark"))
    parser.add_argument("--memory-of", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = Workload(options.directory.resolve())
    if options.memory_of:
        measure_memory(work, options.memory_of)
        return 0
    seconds, apart, spread = compare(work, options.rounds)
    memory = {engine: private_megabytes(engine, options.directory) for engine in ENGINES}
    table = Table(title=f"ms per frame, medians; {hardware()}, 2 threads")
    for column in ("", *ENGINES, "OpenVINO / LiteRT", "LiteRT, private MB", "OpenVINO, private MB"):
        table.add_column(column, justify="left" if not column else "right")
    for name in dict.fromkeys(name for name, _ in seconds):
        lite, vino = (statistics.median(seconds[name, engine]) for engine in ENGINES)
        figures = (f"{lite * 1e3:.2f}", f"{vino * 1e3:.2f}", f"{vino / lite:.2f}")
        table.add_row(name, *figures, *(f"{memory[engine][name]:.0f}" for engine in ENGINES))
    Console(width=130).print(table)
    print(
        f"answers differ by at most {apart:.1e} (allowed {SAME:g}); to different pictures they differ by {spread:.2f}"
    )
    return int(apart > SAME)


if __name__ == "__main__":
    sys.exit(main())
