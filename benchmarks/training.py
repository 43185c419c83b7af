"""Training a branch on cached features against training it through the frozen stem, interleaved in one run.

    python benchmarks/training.py [--cut conv_pw_12] [--input-size 224] [--rounds 7]

Both make the same training steps on the same frames: one reads the stem's features from memory, the other computes the frozen
stem in each step, as fine-tuning without a cache does. MobileNet with random weights: speed does not depend on them. The goal
is at least 4 at a cut with 90 % of the network's work before it.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from mainstream_trainer.architectures import architecture, cut_layers
from mainstream_trainer.branchpoints import multiplications
from mainstream_trainer.finetune import BATCH, training_step
from mainstream_trainer.keras_runtime import keras, tensorflow
from mainstream_trainer.networks import layers_between

STEPS = 4
"""Steps in each timed round."""

GOAL = 4.0


def main() -> int:
    """Print the table; status 1 where the goal is missed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--cut", default="conv_pw_12")
    words.add_argument("--input-size", type=int, default=224)
    words.add_argument("--rounds", type=int, default=7)
    asked = words.parse_args()
    cached, through, share = prepare(asked.cut, asked.input_size)
    times: dict[str, list[float]] = {"cached": [], "through": []}
    for step in (cached, through):
        step()
    for _ in range(asked.rounds):
        for name, step in (("cached", cached), ("through", through)):
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            times[name].append((time.perf_counter() - began) / STEPS / BATCH * 1000)
    ratio = statistics.median(b / a for a, b in zip(times["cached"], times["through"], strict=True))
    table = Table(title=f"MobileNet-{asked.input_size}, cut after {asked.cut} ({share:.0%} of the work before it)")
    for column in ("training step", "ms a frame, median", "least", "most", "against cached"):
        table.add_column(column, justify="right" if column != "training step" else "left")
    for name, label, factor in (("cached", "on cached features", 1.0), ("through", "through the frozen stem", ratio)):
        one = times[name]
        table.add_row(label, f"{statistics.median(one):.2f}", f"{min(one):.2f}", f"{max(one):.2f}", f"{factor:.2f}")
    Console(width=110).print(table)
    print(f"goal: at least {GOAL}; {'met' if ratio >= GOAL else 'missed'} ({asked.rounds} interleaved rounds)")
    return 0 if ratio >= GOAL else 1


def prepare(cut: str, size: int) -> tuple[Callable[[], None], Callable[[], None], float]:
    """A step on cached features, the same step through the stem, and the share of the work before the cut."""
    tf, k = tensorflow(), keras()
    kind = architecture("MobileNet")
    network = kind.make(size, 1.0, None)
    cuts = dict(cut_layers(kind, network))
    stem = layers_between(network, None, cuts[cut], name="stem")
    head = layers_between(network, cuts[cut], len(network.layers) - 1, name="head", trainable=True)
    branch = k.Model(head.inputs[0], k.layers.Dense(2, activation="softmax")(head.outputs[0]))
    inputs = k.Input((size, size, 3))
    whole = k.Model(inputs, branch(stem(inputs)))
    stem.trainable = False
    rng = np.random.default_rng(0)
    frames = tf.constant(rng.uniform(-1, 1, (BATCH, size, size, 3)).astype(np.float32))
    features = tf.constant(np.asarray(stem(frames)))
    classes = tf.constant(rng.integers(0, 2, BATCH), tf.int32)
    weights = np.ones(2, np.float32)
    steps = [training_step(model, k.optimizers.AdamW(1e-4), weights) for model in (branch, whole)]

    def cached() -> None:
        float(steps[0](features, classes))

    def through() -> None:
        float(steps[1](frames, classes))

    work = [multiplications(layer) for layer in network.layers]
    return cached, through, sum(work[: cuts[cut] + 1]) / sum(work)


if __name__ == "__main__":
    sys.exit(main())
