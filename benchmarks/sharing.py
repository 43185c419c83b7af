"""What sharing is worth: engine time of eight applications on one stream, against that of one.

``python benchmarks/sharing.py [--threads 2] [--rounds 20]`` builds MobileNet-224 and eight heads as the trainer makes them,
runs all contenders in turn within one process and prints medians. Weights are random: they do not change the speed. Exit
status 1 if eight applications under Max-Sharing take more than 1.15 times the engine time of one.

Contenders run in a new order each round, short ones several times; ratios are those of medians.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from peers import Contender, Peers, Pixels, together
from rich.console import Console
from rich.table import Table

from mainstream.packages.folder import StoreFolder
from mainstream_runner.engine import load
from mainstream_runner.hardware import hardware
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined
from mainstream_trainer.architectures import POOLED
from mainstream_trainer.basednn import import_base_dnn
from mainstream_trainer.tflite import export_tflite

APPS = 8
LIMIT = 1.15
WARM_ROUNDS = 2
SHORT_RUNS = 5
"""Runs in a round of a contender that runs the network once; those that run it eight times run once."""
DEEPEST_MAP = "conv_pw_13"
"""The last cut before pooling: here every app pools for itself."""

ONE = "one application"
MAX_SHARING = f"{APPS} applications, Max-Sharing"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        contenders = build(folder, threads=arguments.threads)
        pixels = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
        seconds = run_in_turn(contenders, pixels, rounds=arguments.rounds)
    print_table(seconds, threads=arguments.threads)
    ratio = times_one(seconds, MAX_SHARING)
    print(f"{APPS} applications under Max-Sharing take {ratio:.3f} times the engine time of one (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


def build(folder: Path, *, threads: int) -> dict[str, Contender]:
    """Everything that is compared, by name."""
    layout = StoreFolder(folder / "store").layout
    print("importing MobileNet-224 with random weights ...", flush=True)
    base, _ = import_base_dnn(layout, name="MobileNet", input_size=224, weights="random", start=no_progress)
    peers = Peers(base, layout, threads=threads)
    segments = [layout.read_blob(segment.digest) for segment in base.config.segments]
    print(f"exporting {APPS} heads and the whole network ...", flush=True)
    pooled = [Branch(depth=len(segments), model=peers.head(POOLED, seed)) for seed in range(APPS)]
    depth = base.config.depth(DEEPEST_MAP)
    maps = [Branch(depth=depth, model=peers.head(DEEPEST_MAP, seed)) for seed in range(APPS)]
    models = [peers.whole(seed) for seed in range(APPS)]
    whole = export_tflite(models[0])
    engine = LiteRT()

    def merged(name: str, branches: list[Branch]) -> Contender:
        place = folder / name
        place.mkdir()
        model = load(engine, Joined(segments, branches), levels=(len(branches),), threads=threads, folder=place)
        return model.run

    functions = [peers.function(model) for model in models]
    interpreters = [peers.interpreter(whole) for _ in range(APPS)]
    return {
        ONE: merged("one", pooled[:1]),
        MAX_SHARING: merged("pooled", pooled),
        f"{APPS} applications, all after {DEEPEST_MAP}": merged("maps", maps),
        "bare engine: the whole network as one .tflite": interpreters[0],
        f"{APPS} LiteRT interpreters, one per application": together(interpreters),
        "one tf.function": functions[0],
        f"{APPS} tf.functions, one per application": together(functions),
    }


def run_in_turn(contenders: dict[str, Contender], pixels: Pixels, *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each run; see the module for the order."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    generator = np.random.default_rng(0)
    once = [name for name in contenders if name.endswith("one per application")]
    often = [name for name in contenders if name not in once]
    for number in range(WARM_ROUNDS + rounds):
        order = [*once, *(name for name in often for _ in range(SHORT_RUNS))]
        for place in generator.permutation(len(order)):
            name = order[place]
            started = time.perf_counter()
            contenders[name](pixels)
            if number >= WARM_ROUNDS:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def times_one(seconds: dict[str, list[float]], name: str) -> float:
    """The median of its times, in that of one application."""
    return float(np.median(seconds[name]) / np.median(seconds[ONE]))


def print_table(seconds: dict[str, list[float]], *, threads: int) -> None:
    """Medians, quartiles and ratios."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    table = Table(
        title=f"MobileNet-224, f32, {threads} threads, {hardware()}",
        caption=f"load averages of the machine: {load} (above {threads} it has other work to do)",
    )
    table.add_column("engine time of one frame")
    for column in ("runs", "median, ms", "quartiles, ms", "times one application"):
        table.add_column(column, justify="right")
    for name, values in seconds.items():
        low, middle, high = np.percentile(np.array(values) * 1e3, (25, 50, 75))
        ratio = f"{times_one(seconds, name):.3f}"
        table.add_row(name, str(len(values)), f"{middle:.2f}", f"{low:.2f} to {high:.2f}", ratio)
    Console(width=120).print(table)


def no_progress(_description: str, _total: int) -> Callable[..., None]:
    """Benchmarks print a line instead of bars."""
    return lambda _steps=1: None


if __name__ == "__main__":
    sys.exit(main())
