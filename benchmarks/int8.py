"""What the quantised stem is worth: speed, size, training and, with --events, measured event F1; in one run, interleaved.

    python benchmarks/int8.py [--threads 2] [--rounds 20] [--events] [--json build/int8.json]

MobileNet-224 with the demo's weights, imported in f32 and in int8. Engine contenders run in a new order each round; ratios are
those of medians. The stems are run alone, in LiteRT's interpreter, up to conv_pw_11. ``--events`` adds ``int8_events.py``
(much longer; its options work here too). Exit status 1 where a goal is missed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import int8_events
import numpy as np
from goals import Goal, at_least, at_most
from rich.console import Console
from rich.table import Table
from sharing import no_progress, run_in_turn

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream.packages.layout import OciLayout
from mainstream.pixels import normalise
from mainstream_demo.story import WEIGHTS
from mainstream_runner.engine import load
from mainstream_runner.hardware import hardware
from mainstream_runner.litert import LiteRT
from mainstream_runner.merge import Branch, Joined
from mainstream_runner.standin import stand_ins
from mainstream_trainer.basednn import import_base_dnn, load_keras
from mainstream_trainer.calibration import calibration_of
from mainstream_trainer.features import Features
from mainstream_trainer.finetune import BATCH, branch_model, training_step
from mainstream_trainer.keras_runtime import keras, tensorflow
from mainstream_trainer.quantise import border_of
from mainstream_trainer.tflite import Chain, run_tflite

SIZE = 224
APPS = 8
CUT = "conv_pw_11"
ROWS = 256
"""Frames in the cache that training reads."""
STEPS = 4

WHOLE = "1 app, the whole f32 network"
SHARED = {"f32": f"{APPS} apps, Max-Sharing, f32 stem", "int8": f"{APPS} apps, Max-Sharing, int8 stem"}
STEM = {"f32": f"f32 stem up to {CUT}, alone", "int8": f"int8 stem up to {CUT}, alone"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--events", action="store_true", help="event F1 on both base DNNs too")
    parser.add_argument("--json", type=Path, help="write the figures there")
    int8_events.arguments(parser)
    given = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        layout = StoreFolder(folder / "store").layout
        bases = {precision: imported(layout, precision) for precision in ("f32", "int8")}
        graphs = {key: [layout.read_blob(one.digest) for one in base.config.segments] for key, base in bases.items()}
        network = load_keras(bases["int8"], layout)
        same = identical(network, bases["int8"], graphs["int8"])
        pixels = np.random.default_rng(0).uniform(-1, 1, (1, SIZE, SIZE, 3)).astype(np.float32)
        contenders = engines(folder, bases, graphs, threads=given.threads)
        seconds = run_in_turn(contenders, pixels, rounds=given.rounds)
        training = train_in_turn(folder, network, bases, graphs, rounds=given.rounds)
    median = {name: statistics.median(values) for name, values in (seconds | training).items()}
    sizes = {key: sum(map(len, segments)) for key, segments in graphs.items()}
    goals = [
        at_most(f"{SHARED['int8']} / {WHOLE}", median[SHARED["int8"]] / median[WHOLE], 0.5),
        at_most(f"stem int8 / stem f32 at {CUT}", median[STEM["int8"]] / median[STEM["f32"]], 0.45),
        at_least("chain of int8 segments bit-identical to the uncut network", float(same), 1),
        at_most(
            "size of the segments, on disk and over the wire (blobs travel as they are)",
            sizes["int8"] / sizes["f32"],
            0.3,
        ),
        at_most(
            f"training step on cached features at {CUT}, int8 / f32", median["train int8"] / median["train f32"], 1
        ),
    ]
    rows: list[int8_events.Row] = []
    if given.events:
        rows = int8_events.events(given)
        int8_events.show(rows)
        goals += event_goals(rows)
    tell(seconds | training, goals, threads=given.threads, seconds_in_all=time.monotonic() - started)
    if given.json:
        plain = {
            "hardware": hardware(),
            "threads": given.threads,
            "medianMilliseconds": {name: 1e3 * value for name, value in median.items()},
            "segmentBytes": sizes,
            "goals": [{"what": g.what, "value": g.value, "goal": g.text, "met": g.good} for g in goals],
            "events": [{name: getattr(row, name) for name in int8_events.Row.__slots__} for row in rows],
        }
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(plain, indent=1) + "\n")
    return 0 if all(goal.good for goal in goals) else 1


def imported(layout: OciLayout, precision: Any) -> BaseDnn:
    print(f"importing MobileNet-{SIZE} in {precision} ...", flush=True)
    base, _ = import_base_dnn(
        layout, name="MobileNet", input_size=SIZE, weights=WEIGHTS, precision=precision, start=no_progress
    )
    return base


def identical(network: Any, base: BaseDnn, segments: list[bytes]) -> bool:
    """Whether the chain computes what the converter's own int8 network, never cut, computes on pictures and on noise."""
    tf = tensorflow()
    pictures = [normalise(one, base.config.preprocessing)[None] for one in calibration_of(None).pixels((SIZE, SIZE))]
    graph = tf.function(lambda values: network(values, training=False))
    traced = graph.get_concrete_function(tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture] for picture in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        whole = converter.convert()
    chain = Chain(segments)
    noise = np.random.default_rng(0).uniform(-1, 1, (4, 1, SIZE, SIZE, 3)).astype(np.float32)
    return all(np.array_equal(chain(given)[-1], run_tflite(whole, given)) for given in (*pictures, *noise))


def engines(
    folder: Path, bases: dict[str, BaseDnn], graphs: dict[str, list[bytes]], *, threads: int
) -> dict[str, Callable[[Any], Any]]:
    """What is timed, by name."""
    engine = LiteRT()

    def merged(name: str, precision: str, apps: int) -> Callable[[Any], Any]:
        segments = graphs[precision]
        features = bases[precision].config.segments[-1].output_shape
        head = next(iter(stand_ins(segments, len(segments), features).values()))
        place = folder / name
        place.mkdir()
        joined = Joined(segments, [Branch(depth=len(segments), model=head)] * apps)
        return load(engine, joined, levels=(apps,), threads=threads, folder=place).run

    found = {WHOLE: merged("whole", "f32", 1)}
    for precision, name in SHARED.items():
        found[name] = merged(precision, precision, APPS)
        depth = bases[precision].config.depth(CUT)
        found[STEM[precision]] = alone(graphs[precision][:depth], threads=threads)
    return found


def alone(segments: list[bytes], *, threads: int) -> Callable[[Any], None]:
    """The stem as one graph in an interpreter; what it gives is not copied out."""
    from ai_edge_litert.interpreter import Interpreter

    from mainstream_runner.merge import chain

    interpreter = Interpreter(model_content=chain(segments), num_threads=threads)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]

    def run(pixels: Any) -> None:
        interpreter.set_tensor(place, pixels)
        interpreter.invoke()

    return run


def train_in_turn(
    folder: Path, network: Any, bases: dict[str, BaseDnn], graphs: dict[str, list[bytes]], *, rounds: int
) -> dict[str, list[float]]:
    """Seconds of a training step with the batch read from the cache, f32 and int8 in turn."""
    tf = tensorflow()
    rng = np.random.default_rng(1)
    depth = bases["int8"].config.depth(CUT)
    shape = (2, ROWS, *bases["int8"].config.segments[depth - 1].output_shape)
    caches = {}
    for precision, kind in (("f32", np.float16), ("int8", np.int8)):
        values = rng.integers(-128, 127, shape).astype(np.int8)
        border = border_of(graphs["int8"][depth - 1])
        np.save(folder / f"{precision}.npy", values if kind is np.int8 else border.values(values).astype(kind))
        kept = np.load(folder / f"{precision}.npy", mmap_mode="r")
        caches[precision] = Features(kept=kept, border=border if kind is np.int8 else None)
    steps = {}
    for precision in caches:
        model = branch_model(network, bases["int8"], CUT, 2)
        steps[precision] = training_step(model, keras().optimizers.AdamW(1e-4), np.ones(2, np.float32))
    classes = tf.constant(rng.integers(0, 2, BATCH), tf.int32)
    seconds: dict[str, list[float]] = {f"train {precision}": [] for precision in caches}
    for number in range(rounds + 1):
        for precision, features in caches.items():
            for _ in range(STEPS):
                drawn, variants = rng.integers(0, ROWS, BATCH), rng.integers(0, 2, BATCH)
                started = time.perf_counter()
                float(steps[precision](tf.constant(features(variants, drawn)), classes))
                if number:
                    seconds[f"train {precision}"].append(time.perf_counter() - started)
    return seconds


def event_goals(rows: list[int8_events.Row]) -> list[Goal]:
    return [
        at_least("event F1 at a generous budget, int8 minus f32", int8_events.difference(rows, "generous"), -0.01),
        above("the same at a quarter of that budget", int8_events.difference(rows, "a quarter of it"), 0.0),
    ]


def above(what: str, value: float, limit: float) -> Goal:
    return Goal(what=what, value=value, text=f"above {limit:g}", good=value > limit)


def tell(seconds: dict[str, list[float]], goals: list[Goal], *, threads: int, seconds_in_all: float = 0.0) -> None:
    table = Table(title=f"MobileNet-{SIZE}, {threads} threads, {hardware()}")
    table.add_column("")
    for column in ("runs", "median, ms", "quartiles, ms"):
        table.add_column(column, justify="right")
    for name, values in seconds.items():
        low, middle, high = np.percentile(np.array(values) * 1e3, (25, 50, 75))
        table.add_row(name, str(len(values)), f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    console = Console(width=130)
    console.print(table)
    result = Table(title=f"goals ({seconds_in_all:.0f} s in all)")
    for column in ("", "measured", "goal", ""):
        result.add_column(column)
    for goal in goals:
        result.add_row(goal.what, f"{goal.value:.3f}", goal.text, "yes" if goal.good else "[red]NO[/red]")
    console.print(result)


if __name__ == "__main__":
    sys.exit(main())
